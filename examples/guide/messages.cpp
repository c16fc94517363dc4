// SPDX-License-Identifier: BSL-1.0

// The counter takes three kinds of message: calls, which are answered; casts, which are
// not; and plain messages, which come from anywhere. It also says what is left at its end.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>

// [counter]
struct counter {
  struct get { using reply_type = int; };
  struct add { int n; using reply_type = int; };
  struct reset {};
  struct tick {};

  int init(int start) { return start; }

  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
  void handle_cast(reset, int& count) { count = 0; }
  void handle_info(tick, int& count) { ++count; }

  void terminate(const otpp::exit_reason& reason, int& count) {
    std::cout << "ended with " << count << " (" << reason << ")\n";
  }
};
// [counter]

// [client]
asio::awaitable<void> client() {
  auto server = co_await otpp::start<counter>(40);

  co_await otpp::cast<counter::reset>(server);
  co_await otpp::send<counter::tick>(server);
  int count = co_await otpp::call<counter::get>(server); // sent last, handled last
  std::cout << "count: " << count << '\n';

  co_await server.stop();

  bool taken = otpp::try_cast<counter::reset>(server);
  std::cout << "after the end: " << (taken ? "taken" : "not taken") << '\n';
}
// [client]

int main() { return otpp::run(client); }

// Output:
// count: 1
// ended with 1 (normal)
// after the end: not taken
