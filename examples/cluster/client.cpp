// SPDX-License-Identifier: BSL-1.0

// Another program, which calls the server of counter.cpp by its name. The verbs are those of a server of its own.

#include "counter.hpp"

#include <asio.hpp>
#include <iostream>

// [client]
asio::awaitable<void> ask() {
  otpp::dist::node_options how("client@127.0.0.1");
  how.cookie("secret").no_listen(); // it calls only
  auto node = co_await otpp::dist::open(how);
  // [far]
  auto far = node.remote<counter>("counter", "counter@127.0.0.1"); // connects when it is first used
  co_await otpp::cast<counter::reset>(far);
  int sum = co_await otpp::call<counter::add>(far, 2);
  // [far]
  std::cout << "add 2: " << sum << '\n';

  try {
    auto nobody = node.remote<counter>("nobody", "counter@127.0.0.1");
    co_await otpp::call<counter::get>(nobody);
  } catch (const otpp::error& error) {
    std::cout << error.what() << '\n';
  }
  try {
    auto nowhere = node.remote<counter>("counter", "nowhere@127.0.0.1");
    co_await otpp::call<counter::get>(nowhere);
  } catch (const otpp::error& error) {
    std::cout << error.what() << '\n';
  }
}
// [client]

int main() { return otpp::run(ask); }
