// SPDX-License-Identifier: BSL-1.0

// The smallest server: a number that clients ask for and add to. `call` sends a
// message and waits for the answer; the message's reply_type says what that is.

// [counter]
#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>

struct counter {
  struct get { using reply_type = int; };
  struct add { int n; using reply_type = int; };

  int init(int start) { return start; }                       // the state
  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
};

asio::awaitable<void> client() {
  auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);

  int before = co_await otpp::call<counter::get>(server);
  int after = co_await otpp::call<counter::add>(server, 5);
  std::cout << before << " -> " << after << '\n';

  co_await server.stop();
}

int main() { return otpp::run(client); }
// [counter]

// Output:
// 0 -> 5
