// SPDX-License-Identifier: BSL-1.0

// Answering later: a handler that takes an otpp::caller need not answer before it
// returns. It hands the caller to a coroutine that does the slow work, and the
// server goes on with the next message at once.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <exception>
#include <iostream>
#include <string>
#include <utility>

using namespace std::chrono_literals;

// Told how a spawned coroutine ended. One that throws drops its otpp::caller, and
// so whoever waits gets otpp::errc::no_reply at once.
void print_failure(std::exception_ptr error) {
  if (error) std::cerr << "failed: " << otpp::exit_reason(error) << '\n';
}

// [worker]
struct worker {
  struct slow_operation { using reply_type = std::string; };
  struct quick_operation { using reply_type = std::string; };

  int init() { return 0; } // nothing to remember here

  void handle_call(slow_operation, otpp::caller<std::string> caller, int&) {
    // It runs on the server's own executor, and ends with the server.
    otpp::co_spawn(process_later(std::move(caller)), print_failure);
  }
  std::string handle_call(quick_operation, int&) { return "completed"; }

  static asio::awaitable<void> process_later(otpp::caller<std::string> caller) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 100ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_await otpp::reply(std::move(caller), "completed");
  }
};
// [worker]

asio::awaitable<void> slow_client(otpp::server_ref<worker> server) {
  auto result = co_await otpp::call<worker::slow_operation>(server);
  std::cout << "Slow operation: " << result << '\n';
  co_await server.stop();
}

asio::awaitable<void> quick_client(otpp::server_ref<worker> server) {
  auto result = co_await otpp::call<worker::quick_operation>(server);
  std::cout << "Quick operation: " << result << '\n';
}

asio::awaitable<void> clients() {
  auto server = co_await otpp::start<worker>();
  auto executor = co_await asio::this_coro::executor;
  asio::co_spawn(executor, slow_client(server), print_failure);
  asio::co_spawn(executor, quick_client(server), print_failure);
  co_await server.join(); // until it has ended, whatever the cause
}

int main() { return otpp::run(clients); }

// Output:
// Quick operation: completed
// Slow operation: completed
