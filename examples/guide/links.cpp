// SPDX-License-Identifier: BSL-1.0

// Who is told when a counter ends: a process that monitors it gets a message; a process
// that is linked with it ends too, or gets a message if it traps exits.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>
#include <stdexcept>

struct counter {
  struct add { int n; using reply_type = int; };

  int init(int start) { return start; }
  int handle_call(add request, int& count) {
    if (request.n < 0) throw std::invalid_argument("this counts up only");
    return count += request.n;
  }
};

// [monitor]
asio::awaitable<void> watch(otpp::server_ref<counter> server) {
  otpp::monitor(server);
  otpp::down end = co_await otpp::receive<otpp::down>();
  std::cout << "the watcher: " << end.who << " has ended: " << end.reason << '\n';
}
// [monitor]

// [link]
struct owner {
  struct open { using reply_type = otpp::server_ref<counter>; };

  int init() {
    otpp::trap_exit(); // exit signals come as messages
    return 0;
  }

  asio::awaitable<otpp::server_ref<counter>> handle_call(open, int&) {
    auto mine = co_await otpp::start_link<counter>(otpp::named("counter"), 0);
    co_return mine;
  }

  void handle_info(otpp::exit_signal signal, int&) {
    std::cout << "the owner: " << signal.from << " has ended: " << signal.reason << '\n';
  }
};
// [link]

// [client]
asio::awaitable<void> client() {
  auto its_owner = co_await otpp::start<owner>();
  auto server = co_await otpp::call<owner::open>(its_owner);
  auto watcher = co_await otpp::spawn(watch(server));

  try {
    co_await otpp::call<counter::add>(server, -1);
  } catch (const otpp::error& error) {
    std::cout << "the client: " << error.reason() << '\n';
  }
  co_await watcher.join();

  server = co_await otpp::call<owner::open>(its_owner);
  co_await its_owner.stop(otpp::exit_reason::shutdown()); // and its counter with it
  otpp::exit_reason reason = co_await server.join();
  std::cout << "the second counter: " << reason << '\n';
}
// [client]

int main() {
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  return otpp::run(client);
}

// Output:
// the client: this counts up only
// the watcher: "counter" has ended: this counts up only
// the owner: "counter" has ended: this counts up only
// the second counter: shutdown
