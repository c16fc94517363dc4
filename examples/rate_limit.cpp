// SPDX-License-Identifier: BSL-1.0

// A rate limit: a server with permits, which come again at a fixed rate. Whoever finds none
// waits, in order; there is a limit for how many wait, and who has given up gets none.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <deque>
#include <iostream>
#include <utility>

using namespace std::chrono_literals;

// [limiter]
struct limiter {
  struct acquire { using reply_type = void; };
  struct refill {};

  struct state {
    int most;
    int permits;
    std::deque<otpp::caller<void>> line = {};
  };

  state init(int most, otpp::duration period) {
    otpp::send_interval<refill>(period, otpp::self<limiter>()); // ends with the server
    return {most, most};
  }

  void handle_call(acquire, otpp::caller<void> from, state& s) {
    if (s.permits > 0) {
      --s.permits;
      from.reply();
    } else if (s.line.size() < 100) {
      s.line.push_back(std::move(from));
    } else {
      from.fail("too many wait for a permit");
    }
  }

  void handle_info(refill, state& s) {
    while (!s.line.empty()) {
      bool was_waiting = s.line.front().reply(); // false if the call has timed out
      s.line.pop_front();
      if (was_waiting) return;
    }
    if (s.permits < s.most) ++s.permits;
  }
};
// [limiter]

// [client]
asio::awaitable<void> client() {
  auto server = co_await otpp::start<limiter>(2, 200ms); // a burst of two, and then five a second

  auto began = std::chrono::steady_clock::now();
  for (int n = 1; n <= 4; ++n) {
    co_await otpp::call<limiter::acquire>(server);
  }
  auto took = std::chrono::steady_clock::now() - began;
  std::cout << "four permits" << (took > 150ms ? " took their time" : " at once") << '\n';

  try {
    co_await otpp::call_for<limiter::acquire>(server, 0ms);
  } catch (const otpp::error& error) {
    if (error.code() != otpp::errc::timeout) throw;
    std::cout << "another at once: no\n";
  }
  co_await server.stop();
}
// [client]

int main() { return otpp::run(client); }

// Output:
// four permits took their time
// another at once: no
