// SPDX-License-Identifier: BSL-1.0

// A server that crashes is started again by its supervisor, under its name. It begins
// with a fresh state; whoever calls it by name reaches whichever incarnation is there.

#include <otpp/otpp.hpp>
#include <otpp/supervisor/supervisor.hpp>

#include <asio.hpp>
#include <chrono>
#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;

// [counter]
struct counter {
  struct add { int n; using reply_type = int; };

  int init(int start) {
    std::cout << "counter starts with " << start << '\n';
    return start;
  }
  int handle_call(add request, int& count) {
    if (request.n < 0) throw std::invalid_argument("counts up only");
    return count += request.n;
  }
};
// [counter]

// [reports]
void print_report(const otpp::supervisor_report& report) {
  std::cout << "  report: " << report.child << " ended: " << report.reason << '\n';
}
// [reports]

// [client]
asio::awaitable<void> client() {
  constexpr otpp::server_name<counter> name("counter"); // follows it from one incarnation to the next
  otpp::supervisor_spec spec = otpp::supervisor_spec(otpp::one_for_one)
                                   .intensity(3, 10s)
                                   .add(otpp::child<counter>("counter", 40).named("counter"));
  auto top = co_await otpp::start_supervisor(spec);

  int count = co_await otpp::call<counter::add>(name, 2);
  std::cout << "count: " << count << '\n';
  try {
    co_await otpp::call<counter::add>(name, -1);
  } catch (const otpp::error& error) {
    std::cout << "the call failed: " << error.reason() << '\n';
  }
  co_await otpp::wait_for_name<counter>("counter", 1s);
  count = co_await otpp::call<counter::add>(name, 1);
  std::cout << "count: " << count << '\n';

  co_await top.stop(); // and the counter with it
}
// [client]

int main() {
  // The supervisor's report will do, and instead of one line on stderr.
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  otpp::subscription reports = otpp::subscribe<otpp::supervisor_report>(print_report);
  return otpp::run(client);
}

// Output:
// counter starts with 40
// count: 42
// the call failed: counts up only
//   report: counter ended: counts up only
// counter starts with 40
// count: 41
