// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <exception>

struct finder {
  struct found {};
  int init() { return 0; }
#ifndef OTPP_MISTAKE
  void handle_info(found, int&) {}
#endif
};

asio::awaitable<int> look_up();

void begin() {
  otpp::pipe<finder>(look_up(), [](std::exception_ptr, int) { return finder::found(); });
}
