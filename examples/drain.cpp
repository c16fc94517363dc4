// SPDX-License-Identifier: BSL-1.0

// The end of a program that finishes what it has begun: SIGTERM drains its tree of supervisors.

#include <otpp/otpp.hpp>
#include <otpp/process.hpp>
#include <otpp/request.hpp>
#include <otpp/supervisor.hpp>

#include <asio.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

struct kitchen {
  struct cook { using reply_type = std::string; };
  struct ready {};
  using messages = otpp::message_list<cook, ready>;

  std::vector<otpp::caller<std::string>> init() { return {}; }
  void handle_call(cook, otpp::caller<std::string> waiter, std::vector<otpp::caller<std::string>>& orders) {
    orders.push_back(std::move(waiter));
  }
  void handle_cast(ready, std::vector<otpp::caller<std::string>>& orders) {
    for (auto& waiter : std::exchange(orders, {})) waiter.reply("soup");
  }
  void terminate(const otpp::exit_reason& reason, std::vector<otpp::caller<std::string>>&) {
    std::cout << "kitchen: " << reason << '\n';
  }
};

// [shop]
struct shop {
  struct order { using reply_type = std::string; };
  struct look_in {};

  int init() { return 0; }

  // What it asks of others is still answered while it drains.
  asio::awaitable<std::string> handle_call(order, int& served) {
    std::string dish = co_await otpp::call<kitchen::cook>(otpp::server_name<kitchen>{"kitchen"});
    ++served;
    co_return dish;
  }
  void handle_cast(look_in, int&) {}

  // The place to close an acceptor, or to answer those who wait for news.
  void handle_info(otpp::draining, int&) { std::cout << "shop: we are closing\n"; }

  void terminate(const otpp::exit_reason& reason, int& served) {
    std::cout << "shop: " << reason << ", " << served << " served\n";
  }
};
// [shop]

asio::awaitable<void> guest() {
  auto front = co_await otpp::wait_for_name<shop>("shop");
  auto soup = otpp::send_request<shop::order>(front);
  std::raise(SIGTERM);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (otpp::try_cast<shop::look_in>(front)) { // until it takes nothing new
    timer.expires_after(1ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
  try {
    co_await otpp::call<shop::order>(front);
  } catch (const otpp::error& error) {
    std::cout << "guest: no second order: " << error.code().message() << '\n';
  }
  co_await otpp::cast<kitchen::ready>("kitchen");
  std::string dish = co_await soup.receive();
  std::cout << "guest: " << dish << '\n';
  co_await otpp::receive<kitchen::ready>(); // never comes
}

// [main]
int main() {
  auto tree = otpp::supervisor_spec()
                  .add(otpp::child<kitchen>("kitchen").named("kitchen"))
                  .add(otpp::child("guest", [] { return guest(); }))
                  .add(otpp::child<shop>("shop").named("shop")); // the last is drained first
  return otpp::run(tree, otpp::run_options().drain(10s));
}
// [main]

// Output:
// guest: no second order: the server drains: it finishes what it has, and takes nothing new
// shop: we are closing
// shop: shutdown, 1 served
// guest: soup
// kitchen: shutdown
