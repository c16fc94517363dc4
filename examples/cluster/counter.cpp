// SPDX-License-Identifier: BSL-1.0

// A node of the BEAM, counter@127.0.0.1, with a server that Erlang, Elixir and other programs of otpp call. It runs until
// somebody stops the server, or the user presses Ctrl-C.

#include "counter.hpp"

#include <asio.hpp>
#include <iostream>

// [node]
asio::awaitable<void> serve() {
  // [publish]
  auto node = co_await otpp::dist::open(otpp::dist::node_options("counter@127.0.0.1").cookie("secret"));
  auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);
  node.publish(otpp::server_name<counter>("counter")); // as {counter, 'counter@127.0.0.1'}
  // [publish]
  std::cout << node.name() << " is open" << std::endl;

  otpp::exit_reason reason = co_await server.join();
  std::cout << "the counter was stopped: " << reason << std::endl;
}

int main() { return otpp::run(serve); }
// [node]
