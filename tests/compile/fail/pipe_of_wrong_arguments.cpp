// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <asio.hpp>
#include <exception>

struct finder {
  struct found {};
  int init() { return 0; }
  void handle_info(found, int&) {}
};

asio::awaitable<int> look_up();

void begin() {
#ifdef OTPP_MISTAKE
  otpp::pipe<finder>(look_up(), [](int) { return finder::found(); });
#else
  otpp::pipe<finder>(look_up(), [](std::exception_ptr, int) { return finder::found(); });
#endif
}
