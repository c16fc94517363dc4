// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/options.hpp>

#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/registry/pg.hpp>
#include <otpp/request/multi_call.hpp>
#include <otpp/timer.hpp>

#include "support/catch.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

static_assert(!std::is_aggregate_v<otpp::options>); // GCC 12 destroys those twice in a co_await expression

TEST_CASE("options: say nothing unless told", "[options]") {
  otpp::options plain;
  CHECK_FALSE(plain.name().has_value());
  CHECK_FALSE(plain.executor());
  CHECK(plain.mailbox_limit() == 0);
  CHECK_FALSE(plain.blocks());
  CHECK(&plain.names() == &otpp::registry::global());
}

TEST_CASE("options: can be said in one breath, or one by one", "[options]") {
  asio::io_context context;
  otpp::registry names;
  otpp::options all = otpp::named("a").in(names).on(context.get_executor()).mailbox_limit(3).may_block();
  CHECK(all.name() == std::optional<std::string>("a"));
  CHECK(all.executor() == asio::any_io_executor(context.get_executor()));
  CHECK(all.mailbox_limit() == 3);
  CHECK(all.blocks());
  CHECK(&all.names() == &names);

  otpp::options slowly;
  slowly.name("b").in(names).mailbox_limit(4);
  slowly.on(context.get_executor());
  CHECK(slowly.name() == std::optional<std::string>("b"));
  CHECK(slowly.executor() == asio::any_io_executor(context.get_executor()));
  CHECK(slowly.mailbox_limit() == 4);
  CHECK(&slowly.names() == &names);
}

namespace {

// Is held up by its first message, and writes down what comes afterwards.
struct hoarder {
  struct hold {
    event until;
    otpp::pid other;
  };
  struct item {
    std::string word;
  };
  using messages = otpp::message_list<item>;

  journal init(journal said) {
    otpp::trap_exit();
    return said;
  }
  asio::awaitable<void> handle_cast(hold request, journal&) {
    otpp::monitor(request.other);
    co_await request.until.wait();
  }
  void handle_cast(item m, journal& said) { said.add(m.word); }
  void handle_info(item m, journal& said) { said.add(m.word); }
  void handle_info(otpp::group_change, journal& said) { said.add("group_change"); }
  void handle_info(otpp::down, journal& said) { said.add("down"); }
  void handle_info(otpp::exit_signal, journal& said) { said.add("exit_signal"); }
};

struct witness {
  struct note {
    bool* noted;
  };
  int init() { return 0; }
  void handle_cast(note m, int&) { *m.noted = true; }
};

// Its handlers run what else is ready on their context, as another thread of it would.
struct busy {
  struct work {
    otpp::server_ref<witness> whom;
    bool* noted;
    using reply_type = bool;
  };
  struct compute {
    using reply_type = int;
  };
  asio::io_context* init(asio::io_context* where) { return where; }
  bool handle_call(work m, asio::io_context*& where) {
    otpp::try_cast<witness::note>(m.whom, m.noted);
    where->poll();
    return *m.noted;
  }
  int handle_call(compute, asio::io_context*& where) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    where->poll();
    return 1;
  }
};

} // namespace

TEST_CASE("options: a full mailbox takes what the library sends, and nothing else", "[options]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    otpp::pg groups;
    auto other = co_await otpp::start<hoarder>(journal());
    auto server = co_await otpp::start<hoarder>(otpp::options().mailbox_limit(1), said);
    std::vector<otpp::server_ref<hoarder>> all{server};
    groups.join("all", server);
    groups.monitor("all", server);
    co_await otpp::cast<hoarder::hold>(server, go_on, other);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(otpp::try_cast<hoarder::item>(server, "first"));

    hoarder::item refused{"refused"};
    CHECK_FALSE(otpp::try_cast(server, refused));
    CHECK_FALSE(otpp::try_send(server, refused));
    CHECK(otpp::broadcast<hoarder::item>(all, "refused") == 0);
    CHECK(groups.cast("all", refused) == 0);
    CHECK(groups.send("all", refused) == 0);

    groups.join("all", server);
    otpp::exit(server, otpp::exit_reason::shutdown());
    co_await other.stop();
    otpp::timer_ref timer = otpp::send_after<hoarder::item>(std::chrono::seconds(0), server, "timer");
    co_await until([&] { return !timer.remaining(); });
    auto now = std::chrono::steady_clock::now();
    otpp::timer_ref ticks = otpp::send_interval<hoarder::item>(now, std::chrono::hours(2), server, "tick");
    co_await until([&] { return ticks.remaining() > std::chrono::hours(1); });
    pending<> stopped;
    server.stop(stopped.token());
    CHECK(said.text().empty());
    go_on.happen();
    co_await stopped.get();
    CHECK(said.text() == "first group_change exit_signal down timer tick");
  });
}

TEST_CASE("options: what a server that may block wakes does not wait for its handler", "[options]") {
  for (bool blocks : {false, true}) {
    asio::io_context context;
    bool noted = false;
    bool noted_inside = !blocks;
    auto client = [&]() -> asio::awaitable<void> {
      otpp::options how;
      if (blocks) {
        how.may_block();
      }
      auto whom = co_await otpp::start<witness>();
      auto server = co_await otpp::start<busy>(how, &context);
      noted_inside = co_await otpp::call<busy::work>(server, whom, &noted);
    };
    asio::co_spawn(context, client(), asio::detached);
    context.run();
    CHECK(noted_inside == blocks);
    CHECK(noted);
  }
}

TEST_CASE(
    "options: the timeout of a call to a server that may block begins before its handler", "[options]") {
  for (bool blocks : {false, true}) {
    asio::io_context context;
    std::error_code code;
    auto client = [&]() -> asio::awaitable<void> {
      otpp::options how;
      if (blocks) {
        how.may_block();
      }
      auto server = co_await otpp::start<busy>(how, &context);
      try {
        int answer = co_await otpp::call_for<busy::compute>(server, std::chrono::milliseconds(1));
        (void)answer;
      } catch (const otpp::error& error) {
        code = error.code();
      }
    };
    asio::co_spawn(context, client(), asio::detached);
    context.run();
    CHECK((code == otpp::errc::timeout) == blocks);
  }
}
