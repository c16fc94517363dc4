// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  int handle_call(get) { return 0; }
#else
  int handle_call(get, int& count) { return count; }
#endif
};

auto ask(otpp::server_ref<counter> server) { return otpp::call<counter::get>(server); }
