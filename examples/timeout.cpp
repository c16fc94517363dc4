// SPDX-License-Identifier: BSL-1.0

// A call that gives up. The server is not told: it finishes the request, and its
// answer, which comes too late, is dropped and harms nobody.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

// [server]
struct slow_server {
  struct slow_request { using reply_type = std::string; };
  struct count { using reply_type = int; };

  int init() { return 0; } // how many requests were finished

  asio::awaitable<std::string> handle_call(slow_request, int& finished) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 300ms);
    co_await timer.async_wait(asio::use_awaitable);
    ++finished;
    co_return "done";
  }
  int handle_call(count, int& finished) { return finished; }
};
// [server]

// [client]
asio::awaitable<void> client() {
  auto server = co_await otpp::start<slow_server>();

  try {
    co_await otpp::call_for<slow_server::slow_request>(server, 10ms);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::timed_out) throw;
    std::cout << "Request timed out\n";
  }

  // Waits in the mailbox until the slow request is finished.
  int finished = co_await otpp::call<slow_server::count>(server);
  std::cout << "Finished all the same: " << finished << '\n';

  auto answer = co_await otpp::call<slow_server::slow_request>(server);
  std::cout << "With the default of five seconds: " << answer << '\n';

  co_await server.stop();
}
// [client]

int main() { return otpp::run(client); }

// Output:
// Request timed out
// Finished all the same: 1
// With the default of five seconds: done
