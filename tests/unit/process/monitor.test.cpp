// SPDX-License-Identifier: BSL-1.0

#include <otpp/process/monitor.hpp>

#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/relative.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

// Two servers with journals of their own.
struct watched {
  journal said;
  journal other_said;
  otpp::server_ref<relative> server;
  otpp::server_ref<relative> other;
};

asio::awaitable<watched> start_two() {
  journal said;
  journal other_said;
  auto server = co_await otpp::start<relative>(said, end_it);
  auto other = co_await otpp::start<relative>(other_said, end_it);
  co_return watched{said, other_said, server, other};
}

asio::awaitable<void> leave(otpp::server_ref<relative> who, otpp::exit_reason why) {
  co_await otpp::cast<relative::leave>(who, why);
  otpp::exit_reason reason = co_await who.join();
  CHECK(reason == why);
}

} // namespace

TEST_CASE("monitor: what a process has in line for room comes before the news of its end") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto watcher = co_await otpp::start<relative>(otpp::options().mailbox_limit(1), said, are_trapped);
    auto other = co_await otpp::start<relative>(journal(), end_it);
    co_await otpp::call<relative::watch>(watcher, other);
    co_await otpp::call<relative::join>(watcher, other);
    event go_on;
    co_await otpp::cast<relative::wait>(watcher, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    pending<> sent;
    for (const char* word : {"a", "b", "c"}) {
      otpp::cast<relative::note>(watcher, word, sent.token());
    }
    co_await leave(other, otpp::exit_reason::shutdown());
    go_on.happen();
    co_await watcher.stop();
    bool down_first = said.text().find("down:shutdown exit:shutdown") != std::string::npos;
    CHECK(
        said.text() == std::string("wait waited a b c ") +
                           (down_first ? "down:shutdown exit:shutdown" : "exit:shutdown down:shutdown") +
                           " terminate:normal");
  });
}

TEST_CASE("monitor: one down comes when the server has ended, with the reason") {
  run([]() -> asio::awaitable<void> {
    watched two = co_await start_two();
    co_await otpp::call<relative::watch>(two.server, two.other);
    co_await leave(two.other, otpp::exit_reason::shutdown());
    co_await until([&] { return two.said.text() == "down:shutdown"; });
    co_await two.server.stop();
    CHECK(two.said.text() == "down:shutdown terminate:normal");
  });
}

TEST_CASE("monitor: each monitor of one server has a down of its own") {
  run([]() -> asio::awaitable<void> {
    watched two = co_await start_two();
    otpp::monitor_ref one = co_await otpp::call<relative::watch>(two.server, two.other);
    otpp::monitor_ref another = co_await otpp::call<relative::watch>(two.server, two.other);
    CHECK_FALSE(one == another);
    co_await leave(two.other, otpp::exit_reason::normal());
    co_await until([&] { return two.said.text() == "down:normal down:normal"; });
  });
}

TEST_CASE("monitor: of a server that has ended, down comes at once") {
  run([]() -> asio::awaitable<void> {
    watched two = co_await start_two();
    co_await leave(two.other, otpp::exit_reason::shutdown());
    co_await otpp::call<relative::watch>(two.server, two.other);
    co_await until([&] { return two.said.text() == "down:shutdown"; });
  });
}

TEST_CASE("monitor: demonitor") {
  run([]() -> asio::awaitable<void> {
    watched two = co_await start_two();
    otpp::monitor_ref ref = co_await otpp::call<relative::watch>(two.server, two.other);

    SECTION("before the end, there is no down") {
      bool had_not_ended = co_await otpp::call<relative::unwatch>(two.server, ref);
      CHECK(had_not_ended);
      co_await leave(two.other, otpp::exit_reason::normal());
    }
    SECTION("flushes a down that is in the mailbox already") {
      event go_on;
      co_await otpp::cast<relative::wait>(two.server, go_on);
      co_await until([&] { return go_on.is_awaited(); });
      co_await leave(two.other, otpp::exit_reason::normal());
      CHECK_FALSE(otpp::demonitor(ref)); // the down is behind the handler that waits
      go_on.happen();
    }
    co_await otpp::cast<relative::note>(two.server, "after");
    co_await two.server.stop();
    CHECK(two.said.text().find("down") == std::string::npos);
    CHECK(two.said.text().find("after") != std::string::npos);
  });
}

TEST_CASE("monitor: a monitor goes with the one that monitors") {
  run([]() -> asio::awaitable<void> {
    watched two = co_await start_two();
    for (int n = 0; n != 3; ++n) {
      co_await otpp::call<relative::watch>(two.server, two.other);
    }
    co_await two.server.stop();
    co_await leave(two.other, otpp::exit_reason::normal());
    CHECK(two.said.text() == "terminate:normal");
  });
}

TEST_CASE("monitor: start_monitor misses nothing") {
  run([]() -> asio::awaitable<void> {
    struct once {
      struct end {};
      int init() { return 0; }
      otpp::outcome<> handle_cast(end, int&) { return otpp::stop(otpp::exit_reason::shutdown()); }
    };
    struct starter {
      struct go {
        using reply_type = void;
      };
      journal init(journal said) { return said; }
      asio::awaitable<void> handle_call(go, journal&) {
        auto made = co_await otpp::start_monitor<once>(otpp::options());
        co_await otpp::cast<once::end>(made.server);
      }
      void handle_info(otpp::down m, journal& said) { said.add("down:" + m.reason.message()); }
    };
    journal said;
    auto server = co_await otpp::start<starter>(said);
    co_await otpp::call<starter::go>(server);
    co_await until([&] { return said.text() == "down:shutdown"; });
  });
}

TEST_CASE("monitor: only a process can monitor") {
  run([]() -> asio::awaitable<void> {
    watched two = co_await start_two();
    CHECK_THROWS_AS(otpp::monitor(two.other), otpp::error);
  });
}

TEST_CASE("monitor: a crash is seen with its exception") {
  run([]() -> asio::awaitable<void> {
    crash_log log;
    watched two = co_await start_two();
    co_await otpp::call<relative::watch>(two.server, two.other);
    co_await leave(two.other, boom());
    co_await until([&] { return two.said.text() == "down:boom"; });
  });
}

TEST_CASE("monitor: a server without a handler for it ignores down") {
  struct deaf {
    struct watch {
      otpp::pid who;
      using reply_type = void;
    };
    int init() { return 0; }
    void handle_call(watch m, int&) { otpp::monitor(m.who); }
  };
  run([]() -> asio::awaitable<void> {
    watched two = co_await start_two();
    auto server = co_await otpp::start<deaf>();
    co_await otpp::call<deaf::watch>(server, two.other);
    co_await two.other.stop();
    co_await otpp::call<deaf::watch>(server, two.server);
    CHECK_FALSE(server.has_ended());
  });
}

TEST_CASE("monitor: the end of a context is a down elsewhere") {
  asio::io_context ours;
  journal said;
  std::optional<otpp::server_ref<relative>> server;
  {
    asio::io_context theirs;
    std::optional<otpp::server_ref<relative>> other;
    auto keep = [](auto& where) {
      return [&where](std::exception_ptr, auto started) { where.emplace(std::move(started)); };
    };
    otpp::start<relative>(otpp::options().on(ours.get_executor()), said, end_it, keep(server));
    otpp::start<relative>(otpp::options().on(theirs.get_executor()), journal(), end_it, keep(other));
    ours.run();
    theirs.run();
    otpp::call<relative::watch>(*server, *other, [](std::exception_ptr, otpp::monitor_ref) {});
    ours.restart();
    ours.run();
  }
  ours.restart();
  ours.run();
  CHECK(said.text() == "down:killed");
}

TEST_CASE("monitor: in every order there is one down, or none after demonitor", "[explorer]") {
  using namespace otpp::testing;
  report done = explore(orders::all(2), [](world& one) {
    auto said = std::make_shared<journal>();
    auto was_alive = std::make_shared<bool>(false);
    auto is_over = std::make_shared<bool>(false);
    one.spawn("client", [=, &one]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<relative>(*said, end_it);
      auto other = co_await otpp::start<relative>(journal(), end_it);
      otpp::monitor_ref ref = co_await otpp::call_for<relative::watch>(server, otpp::infinite, other);
      one.spawn("killer", [other]() -> asio::awaitable<void> { co_await other.stop(); });
      *was_alive = co_await otpp::call_for<relative::unwatch>(server, otpp::infinite, ref);
      bool seen_before = !said->text().empty();
      co_await other.join();
      co_await server.stop();
      std::string wanted = seen_before ? "down:normal terminate:normal" : "terminate:normal";
      one.check(
          said->text() == wanted && !(seen_before && *was_alive), "the downs are not as they should be");
      *is_over = true;
    });
    one.run();
    one.check(*is_over, "the client hangs");
  });
  CHECK(done.is_complete);
  CHECK(done.schedules > 10);
}
