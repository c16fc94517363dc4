// SPDX-License-Identifier: BSL-1.0

#include <otpp/sys/processes.hpp>

#include <otpp/otpp.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys.hpp>

#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/query.hpp>
#include <asio/this_coro.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

struct sleeper {
  struct wait {
    event until;
  };
  struct bear {
    using reply_type = otpp::pid;
  };
  int init() { return 0; }
  asio::awaitable<void> handle_cast(wait m, int&) { co_await m.until.wait(); }
  asio::awaitable<otpp::pid> handle_call(bear, int&) {
    otpp::pid child = co_await otpp::start_link<sleeper>();
    co_return child;
  }
};

std::optional<otpp::process_info> find(const otpp::pid& who) {
  std::vector<otpp::process_info> all = otpp::processes();
  auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.who == who; });
  return found == all.end() ? std::nullopt : std::optional<otpp::process_info>(*found);
}

} // namespace

TEST_CASE("processes: what lives is listed, with its names, type and parent") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<sleeper>(otpp::named("sleeper"));
    otpp::register_name("another", server);
    otpp::pid child = co_await otpp::call<sleeper::bear>(server);

    std::optional<otpp::process_info> one = find(server);
    REQUIRE(one);
    CHECK(one->id == server.id());
    CHECK(one->names == std::vector<std::string>{"sleeper", "another"});
    CHECK(one->type.find("sleeper") != std::string::npos);
    CHECK(one->parent == 0);
    std::optional<otpp::process_info> other = find(child);
    REQUIRE(other);
    CHECK(other->names.empty());
    CHECK(other->parent == server.id());
    CHECK(otpp::processes().back().who == child); // in the order in which they were started

    co_await child.stop();
    CHECK_FALSE(find(child));
    co_await server.stop();
    CHECK_FALSE(find(server));
  });
}

TEST_CASE("processes: the message that is handled, and the queue where it is known") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<sleeper>();
    co_await otpp::inspect(server, [](int) {});
    co_await until([&] { return find(server)->queue_length == 0U; }); // it sleeps
    CHECK(find(server)->current_message.empty());

    event go_on;
    co_await otpp::cast<sleeper::wait>(server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(find(server)->current_message.find("sleeper::wait") != std::string::npos);
    CHECK_FALSE(find(server)->queue_length);
    go_on.happen();

    co_await otpp::statistics(server, true);
    event again;
    co_await otpp::cast<sleeper::wait>(server, again);
    co_await otpp::cast<sleeper::wait>(server, again);
    co_await until([&] { return again.is_awaited(); });
    CHECK(find(server)->queue_length == 1U);
    again.happen();
    co_await server.stop();
  });
}

TEST_CASE("processes: links and monitors are listed, at both ends") {
  struct relative {
    struct tie {
      otpp::pid linked;
      otpp::pid watched;
      using reply_type = int;
    };
    struct untie {
      otpp::pid linked;
      using reply_type = int;
    };
    otpp::monitor_ref init() { return {}; }
    int handle_call(tie m, otpp::monitor_ref& ref) {
      otpp::link(m.linked);
      ref = otpp::monitor(m.watched);
      return 0;
    }
    int handle_call(untie m, otpp::monitor_ref& ref) {
      otpp::unlink(m.linked);
      otpp::demonitor(ref);
      return 0;
    }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<relative>();
    auto linked = co_await otpp::start<sleeper>();
    auto watched = co_await otpp::start<sleeper>();
    using ids = std::vector<std::uint64_t>;
    co_await otpp::call<relative::tie>(server, linked, watched);
    CHECK(find(server)->links == ids{linked.id()});
    CHECK(find(server)->monitors == ids{watched.id()});
    CHECK(find(server)->monitored_by.empty());
    CHECK(find(linked)->links == ids{server.id()});
    CHECK(find(watched)->monitored_by == ids{server.id()});
    CHECK(find(watched)->links.empty());
    co_await otpp::call<relative::untie>(server, linked);
    for (otpp::pid one : {otpp::pid(server), otpp::pid(linked), otpp::pid(watched)}) {
      std::optional<otpp::process_info> info = find(one);
      CHECK(info->links.empty());
      CHECK(info->monitors.empty());
      CHECK(info->monitored_by.empty());
    }
    co_await server.stop();
    co_await linked.stop();
    co_await watched.stop();
  });
}

TEST_CASE("processes: whom a handler waits for is listed") {
  struct asker {
    struct ask {
      otpp::server_ref<sleeper> whom;
    };
    int init() { return 0; }
    asio::awaitable<void> handle_cast(ask m, int&) {
      otpp::pid child = co_await otpp::call_for<sleeper::bear>(m.whom, otpp::infinite);
      (void)child;
    }
  };
  run([]() -> asio::awaitable<void> {
    auto whom = co_await otpp::start<sleeper>();
    auto server = co_await otpp::start<asker>();
    event go_on;
    co_await otpp::cast<sleeper::wait>(whom, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(find(server)->waits_for.empty());
    co_await otpp::cast<asker::ask>(server, whom);
    co_await until([&] { return !find(server)->waits_for.empty(); });
    CHECK(find(server)->waits_for == std::vector<std::uint64_t>{whom.id()});
    CHECK(find(whom)->waits_for.empty()); // for nobody
    go_on.happen();
    co_await until([&] { return find(server)->waits_for.empty(); });
    co_await server.stop();
    co_await whom.stop();
  });
}

TEST_CASE("processes: what a process is, what its mailbox holds, and where it runs") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<sleeper>(otpp::options().mailbox_limit(3));
    auto top = co_await otpp::start_supervisor(otpp::supervisor_spec());
    CHECK(find(server)->mailbox_limit == 3U);
    CHECK_FALSE(find(server)->is_supervisor);
    CHECK_FALSE(find(top)->mailbox_limit);
    CHECK(find(top)->is_supervisor);
    asio::any_io_executor here = co_await asio::this_coro::executor;
    CHECK(find(server)->context == &asio::query(here, asio::execution::context));
    co_await server.stop();
    co_await top.stop();
  });
}

TEST_CASE("processes: contexts may come and go while they are listed") {
  std::atomic<bool> is_over{false};
  std::thread others([&] {
    for (int n = 0; n != 50; ++n) {
      run([]() -> asio::awaitable<void> {
        auto server = co_await otpp::start<sleeper>(otpp::named("passing"));
        otpp::pid child = co_await otpp::call<sleeper::bear>(server);
        co_await child.stop();
      });
    }
    is_over = true;
  });
  while (!is_over) {
    for (const otpp::process_info& one : otpp::processes()) {
      REQUIRE(one.id != 0);
    }
  }
  others.join();
  CHECK(otpp::processes().empty());
}
