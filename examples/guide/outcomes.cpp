// SPDX-License-Identifier: BSL-1.0

// What a handler can return besides a value: an error for its caller, the end of the
// server, or what the server is to do next. And what happens when a handler throws.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <exception>
#include <iostream>
#include <stdexcept>

// [counter]
struct counter {
  struct add { int n; using reply_type = int; };
  struct finish { using reply_type = int; };
  struct announce {};

  int init(int start) { return start; }

  otpp::outcome<int> handle_call(add request, int& count) {
    if (request.n < 0) return otpp::fail(std::invalid_argument("this counts up only"));
    if (count + request.n > 100) throw std::overflow_error("this counts to 100 only");
    count += request.n;
    return otpp::outcome<int>(count).then(announce());
  }
  otpp::outcome<int> handle_call(finish, int& count) {
    return otpp::stop(otpp::exit_reason::normal(), count);
  }

  // Runs next, before any message that is queued.
  void handle_continue(announce, int& count) { std::cout << "  now " << count << '\n'; }

  void terminate(const otpp::exit_reason& reason, int&) {
    std::cout << "  terminate: " << reason << '\n';
  }
};
// [counter]

// [client]
asio::awaitable<void> try_to_add(otpp::server_ref<counter> server, int n) {
  try {
    int count = co_await otpp::call<counter::add>(server, n);
    std::cout << "add " << n << ": " << count << '\n';
  } catch (const std::invalid_argument& error) { // what the handler returned, as it is
    std::cout << "add " << n << ": " << error.what() << '\n';
  } catch (const otpp::error& error) { // what the library reports
    std::cout << "add " << n << ": " << error.code().message() << '\n';
    if (error.code() == otpp::errc::exited) std::cout << "  because: " << error.reason() << '\n';
  }
}

asio::awaitable<void> client() {
  auto server = co_await otpp::start<counter>(0);
  co_await try_to_add(server, 5);
  co_await try_to_add(server, -1);
  co_await try_to_add(server, 1000);
  co_await try_to_add(server, 1);

  server = co_await otpp::start<counter>(7);
  int last = co_await otpp::call<counter::finish>(server);
  std::cout << "finish: " << last << '\n';
}
// [client]

int main() {
  // Instead of one line on stderr.
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  return otpp::run(client);
}

// Output:
//   now 5
// add 5: 5
// add -1: this counts up only
//   terminate: this counts to 100 only
// add 1000: the server ended before it answered
//   because: this counts to 100 only
// add 1: no such server: it was never started, or it has ended
//   terminate: normal
// finish: 7
