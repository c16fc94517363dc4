// SPDX-License-Identifier: BSL-1.0

// Plain messages: `send` is what `Pid ! Message` is in Erlang, and handle_info
// gets what it sends. Here three senders know the server in three ways.

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <iostream>

// [thermometer]
struct thermometer {
  struct reading { int degrees; };
  struct last { using reply_type = int; };

  // What senders who know only a name may send.
  using messages = otpp::message_list<reading>;

  int init() { return 0; }

  void handle_info(reading message, int& degrees) {
    degrees = message.degrees;
    std::cout << "Reading: " << degrees << '\n';
  }
  int handle_call(last, int& degrees) { return degrees; }
};
// [thermometer]

// [names]
constexpr otpp::server_name<thermometer> outdoors{"outdoors"};

asio::awaitable<void> client() {
  auto server = co_await otpp::start<thermometer>(otpp::named("outdoors"));
  otpp::register_name("garden", server); // one more name

  co_await otpp::send<thermometer::reading>(server, 20);
  co_await otpp::send<thermometer::reading>(outdoors, 21);
  co_await otpp::send<thermometer::reading>("garden", 22);

  int last = co_await otpp::call<thermometer::last>(server);
  std::cout << "Last: " << last << '\n';

  co_await server.stop();

  // Both names are free. try_send never waits and never throws.
  bool taken = otpp::try_send<thermometer::reading>("garden", 23);
  std::cout << "Anybody there: " << (taken ? "yes" : "no") << '\n';
}
// [names]

int main() { return otpp::run(client); }

// Output:
// Reading: 20
// Reading: 21
// Reading: 22
// Last: 22
// Anybody there: no
