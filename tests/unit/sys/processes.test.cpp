// SPDX-License-Identifier: BSL-1.0

#include <otpp/sys/processes.hpp>

#include <otpp/otpp.hpp>
#include <otpp/sys.hpp>

#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

#include <algorithm>
#include <atomic>
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
