// SPDX-License-Identifier: BSL-1.0

// A test of a client of the counter. It asks again where it gets no answer in time, and in the
// usual order of events it always gets one. `explore` tries the other orders, too.

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

struct counter {
  struct get { using reply_type = int; };
  struct add { int n; using reply_type = int; };

  int init(int start) { return start; }
  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
};

// [scenario]
asio::awaitable<void> add_one(otpp::server_ref<counter> server) {
  try {
    co_await otpp::call_for<counter::add>(server, 1s, 1);
    co_return;
  } catch (const otpp::error& error) {
    if (error.code() != otpp::errc::timeout) throw;
  }
  co_await otpp::call_for<counter::add>(server, otpp::infinite, 1); // once more
}

void scenario(otpp::testing::world& world) {
  int count = 0;
  world.spawn("client", [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    co_await add_one(server);
    count = co_await otpp::call_for<counter::get>(server, otpp::infinite);
  });
  world.run();
  world.check(count == 1, "added twice");
}
// [scenario]

// [test]
void test(const std::string& name, otpp::testing::orders orders) {
  try {
    otpp::testing::explore(orders, scenario);
    std::cout << name << ": passed\n";
  } catch (const otpp::testing::exploration_failed& failure) {
    std::string text = failure.what();
    std::cout << name << ": " << text.substr(0, text.find('\n')) << '\n';
  }
}

int main() {
  test("the usual order", otpp::testing::orders::fifo());
  test("every order", otpp::testing::orders::all(2));
}
// [test]

// Output:
// the usual order: passed
// every order: added twice
