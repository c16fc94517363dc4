// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct store {
  struct put {
    std::string key;
    using reply_type = bool;
  };
  int init() { return 0; }
  bool handle_call(put, int&) { return true; }
};

auto ask(otpp::server_ref<store> server) {
#ifdef OTPP_MISTAKE
  return otpp::call(server, store::put{"key"});
#else
  return otpp::call<store::put>(server, "key");
#endif
}
