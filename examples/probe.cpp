// SPDX-License-Identifier: BSL-1.0

// A test of one server without the one that it asks: a probe stands for that, and the test says what it
// answers. Where something else comes than was expected, the failure says what.

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

struct bank {
  struct pay { int amount; using reply_type = bool; };

  int init() { return 0; }
  bool handle_call(pay, int&) { return false; }
};

// What is tested.
struct shop {
  struct buy { int price; using reply_type = std::string; };

  otpp::server_ref<bank> init(otpp::server_ref<bank> at) { return at; }
  asio::awaitable<std::string> handle_call(buy request, otpp::server_ref<bank>& at) {
    bool is_paid = co_await otpp::call<bank::pay>(at, request.price);
    co_return is_paid ? "an apple" : "nothing";
  }
};

asio::awaitable<void> buy(otpp::server_ref<shop> server, int price) {
  std::string got = co_await otpp::call<shop::buy>(server, price);
  std::cout << "for " << price << ": " << got << '\n';
}

// [test]
asio::awaitable<void> test(otpp::testing::world& world) {
  auto probe = co_await otpp::testing::start_probe<bank>();
  auto server = co_await otpp::start<shop>(probe.server());

  world.spawn("customer", buy(server, 3));
  auto paid = co_await probe.expect_call<bank::pay>(); // within a second of virtual time
  world.check(paid.message.amount == 3, "another amount");
  paid.caller.reply(true);
  co_await probe.expect_nothing(24h);

  probe.on<bank::pay>([](bank::pay request) { return request.amount < 100; }); // from now on, by itself
  co_await buy(server, 99);
  co_await buy(server, 100);
}
// [test]

asio::awaitable<void> wrong_test() {
  auto probe = co_await otpp::testing::start_probe<bank>(otpp::named("bank"));
  co_await probe.expect_call<bank::pay>(2s);
}

int main() {
  using otpp::testing::explore;
  using otpp::testing::orders;
  explore(orders::fifo(), [](otpp::testing::world& world) {
    world.spawn("test", [&] { return test(world); });
  });
  try {
    explore(orders::fifo(), [](otpp::testing::world& world) { world.spawn("test", wrong_test); });
  } catch (const otpp::testing::exploration_failed& failure) {
    std::string text = failure.what();
    std::cout << text.substr(0, text.find('\n')) << '\n';
  }
}

// Output:
// for 3: an apple
// for 99: an apple
// for 100: nothing
// "bank" expected bank::pay within 2 s, and nothing came
