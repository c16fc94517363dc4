// SPDX-License-Identifier: BSL-1.0

// The counter in time: it ticks by itself, its clients wait for a number and do not wait
// forever, and a counter that nobody uses ends.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

// [counter]
struct counter {
  struct wait_for { int n; using reply_type = int; };
  struct tick {};

  struct state {
    int count = 0;
    std::vector<std::pair<int, otpp::caller<int>>> waiting;
  };

  state init(otpp::duration period) {
    otpp::send_interval<tick>(period, otpp::self<counter>()); // ends with the server
    return {};
  }

  // Does not answer now: it keeps the caller, and the server goes on with its next message.
  void handle_call(wait_for request, otpp::caller<int> caller, state& s) {
    s.waiting.emplace_back(request.n, std::move(caller));
  }

  void handle_info(tick, state& s) {
    ++s.count;
    std::erase_if(s.waiting, [&](auto& entry) {
      auto& [n, caller] = entry;
      if (n <= s.count) caller.reply(n);
      return !caller.is_waiting(); // answered, or its client has given up
    });
  }
};
// [counter]

// [client]
asio::awaitable<void> wait_for_numbers() {
  auto server = co_await otpp::start<counter>(1ms);

  int reached = co_await otpp::call<counter::wait_for>(server, 3); // five seconds at most
  std::cout << "reached " << reached << '\n';
  try {
    co_await otpp::call_for<counter::wait_for>(server, 20ms, 1'000'000);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::timed_out) throw;
    std::cout << "does not wait for a million\n";
  }
  co_await server.stop();
}
// [client]

// [idle]
struct short_lived_counter {
  struct add { int n; using reply_type = int; };

  otpp::init_result<int> init(int start) { return otpp::init_result<int>(start).timeout(10ms); }

  otpp::outcome<int> handle_call(add request, int& count) {
    return otpp::outcome<int>(count += request.n).timeout(10ms); // from now on
  }
  otpp::outcome<> handle_info(otpp::timeout, int&) { return otpp::stop(); } // no message for 10 ms
};
// [idle]

asio::awaitable<void> client() {
  co_await wait_for_numbers();

  auto server = co_await otpp::start<short_lived_counter>(0);
  co_await otpp::call<short_lived_counter::add>(server, 1);
  otpp::exit_reason reason = co_await server.join(); // until it has ended
  std::cout << "the unused one has ended: " << reason << '\n';
}

int main() { return otpp::run(client); }

// Output:
// reached 3
// does not wait for a million
// the unused one has ended: normal
