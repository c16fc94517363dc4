// SPDX-License-Identifier: BSL-1.0

// A program of its own, because the header must come first in every file of one.
#include <otpp/testing/steady_timer.hpp>

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"

#include <asio/cancellation_type.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace otpp::testing;

namespace {

// Thinks for three hours.
struct thinker {
  struct ask {
    using reply_type = int;
  };

  int init() { return 0; }
  asio::awaitable<int> handle_call(ask, int& thoughts) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 3h);
    co_await timer.async_wait(asio::use_awaitable);
    co_return ++thoughts;
  }
};

asio::awaitable<void> sleep(std::chrono::steady_clock::duration time, std::vector<int>& woken, int who) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, time);
  co_await timer.async_wait(asio::use_awaitable);
  woken.push_back(who);
}

} // namespace

TEST_CASE("steady_timer: Asio's timers and the library's share a world's time") {
  report done = explore(orders::all(2), [](world& one) {
    auto begin = one.now();
    bool too_late = false;
    int thoughts = 0;
    one.spawn("client", [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<thinker>();
      try {
        co_await otpp::call_for<thinker::ask>(server, 2h);
      } catch (const otpp::error& error) {
        too_late = error.code() == otpp::errc::timeout;
      }
      thoughts = co_await otpp::call_for<thinker::ask>(server, otpp::infinite);
    });
    one.run();
    CHECK(too_late);
    CHECK(thoughts == 2);
    auto took = one.now() - begin;
    CHECK((took == 6h || took == 8h)); // the client's time may be over before the server has begun
  });
  CHECK(done.is_complete);
  CHECK(done.schedules > 40); // a handler that waits is work: no sweep comes between its waits
}

TEST_CASE("steady_timer: the earliest is the first, in every context") {
  explore(orders::fifo(), [](world& one) {
    context other(one);
    std::vector<int> woken;
    one.spawn("late", [&] { return sleep(2h, woken, 2); });
    one.spawn_on(other, "early", [&] { return sleep(1h, woken, 1); });
    one.spawn("last", [&] { return sleep(3h, woken, 3); });
    one.run_for(30min);
    CHECK(woken.empty());
    one.run();
    CHECK(woken == std::vector{1, 2, 3});
  });
}

TEST_CASE("steady_timer: one that is cancelled lets no time go by") {
  explore(orders::fifo(), [](world& one) {
    auto begin = one.now();
    std::vector<int> woken;
    client& sleeper = one.spawn("sleeper", [&] { return sleep(1h, woken, 1); });
    one.run_for(1s);
    sleeper.cancel();
    one.run();
    CHECK(sleeper.has_ended());
    CHECK(woken.empty());
    CHECK(one.now() - begin == 1s);
  });
}

TEST_CASE("steady_timer: elsewhere than in a world the time is the clock's") {
  std::vector<int> woken;
  explore(orders::fifo(), [&](world& one) { one.spawn("sleeper", [&] { return sleep(24h, woken, 1); }); });
  asio::io_context real;
  asio::steady_timer timer(real, 1ms);
  auto before = std::chrono::steady_clock::now();
  timer.async_wait([&](std::error_code) { woken.push_back(2); });
  real.run();
  CHECK(woken == std::vector{1, 2});
  CHECK(std::chrono::steady_clock::now() - before >= 1ms);
}

TEST_CASE("steady_timer: a world may end while it waits") {
  std::vector<int> woken;
  explore(orders::all(1), [&](world& one) {
    one.spawn("sleeper", [&] { return sleep(1h, woken, 1); });
    one.may_destroy_main_context();
    one.run();
  });
  CHECK_FALSE(woken.empty());
}
