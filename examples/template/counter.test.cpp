#include "counter.hpp"

#include <otpp/testing.hpp>

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#include <catch2/catch.hpp> // Catch2 2, in Debian 12
#endif

// In each order of events that differs from the usual one in up to two places, in virtual time.
TEST_CASE("two clients add at the same time") {
  otpp::testing::explore(otpp::testing::orders::all(2), [](otpp::testing::world& world) {
    int first = 0;
    int second = 0;
    // NOLINTBEGIN(cppcoreguidelines-avoid-capturing-lambda-coroutines): the world keeps the lambda until its coroutine ends
    world.spawn("first", [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);
      first = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    });
    world.spawn("second", [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::wait_for_name<counter>("counter", otpp::infinite);
      second = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    });
    // NOLINTEND(cppcoreguidelines-avoid-capturing-lambda-coroutines)
    world.run();
    world.check(first + second == 3, "an addition is lost");
  });
}
