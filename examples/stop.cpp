// SPDX-License-Identifier: BSL-1.0

// The end of a server: a handler stops it, with or without an error, or somebody
// does from outside. `terminate` runs each time, and callers are told why.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <stdexcept>

// [worker]
struct worker {
  struct stop { using reply_type = void; };
  struct stop_with_error { using reply_type = void; };
  struct stop_with_answer { using reply_type = int; };

  int init() { return 42; }

  otpp::outcome<> handle_call(stop, int&) { return otpp::stop(); }
  otpp::outcome<> handle_call(stop_with_error, int&) {
    return otpp::stop(std::runtime_error("Intentional stop"));
  }
  otpp::outcome<int> handle_call(stop_with_answer, int& state) {
    return otpp::stop(otpp::exit_reason::normal(), state);
  }

  void terminate(const otpp::exit_reason& reason, int&) {
    std::cout << "  terminate: " << reason << '\n';
  }
};
// [worker]

// [caller]
template <class Request>
asio::awaitable<void> ask() {
  // The name of the one before is free as soon as anybody knows that it ended.
  auto server = co_await otpp::start<worker>(otpp::named("worker"));
  try {
    co_await otpp::call<Request>(server);
    std::cout << "  answered\n";
  } catch (const otpp::error& error) {
    if (error.code() != otpp::errc::exited) throw;
    std::cout << "  exited: " << error.reason() << '\n';
  }
}
// [caller]

// [outside]
asio::awaitable<void> stop_from_outside() {
  auto server = co_await otpp::start<worker>(otpp::named("worker"));
  co_await server.stop(otpp::exit_reason::shutdown());

  otpp::exit_reason reason = co_await server.join();
  std::cout << "  joined: " << reason << '\n';
}
// [outside]

// [crash_reports]
void print_crash(const otpp::crash_report& report) {
  std::cout << "  crash report: " << report.name << ", " << report.reason << '\n';
}
// [crash_reports]

asio::awaitable<void> client() {
  std::cout << "stop\n";
  co_await ask<worker::stop>();
  std::cout << "stop_with_error\n";
  co_await ask<worker::stop_with_error>();
  std::cout << "stop_with_answer\n";
  co_await ask<worker::stop_with_answer>();
  std::cout << "stop from outside\n";
  co_await stop_from_outside();
}

int main() {
  otpp::subscription crashes = otpp::subscribe<otpp::crash_report>(print_crash); // instead of one line on stderr
  return otpp::run(client);
}

// Output:
// stop
//   terminate: normal
//   exited: normal
// stop_with_error
//   terminate: Intentional stop
//   crash report: worker, Intentional stop
//   exited: Intentional stop
// stop_with_answer
//   terminate: normal
//   answered
// stop from outside
//   terminate: shutdown
//   joined: shutdown
