// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <chrono>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

auto ask(otpp::server_ref<counter> server) {
  counter::get get;
#ifdef OTPP_MISTAKE
  return otpp::call(server, get, std::chrono::seconds(1), 42);
#else
  return otpp::call(server, get, std::chrono::seconds(1), asio::use_awaitable);
#endif
}
