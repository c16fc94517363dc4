// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct inc {
    using reply_type = int;
  };
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  int handle_call(inc, int count) { return ++count; }
#else
  int handle_call(inc, int& count) { return ++count; }
#endif
};

auto ask(otpp::server_ref<counter> server) { return otpp::call<counter::inc>(server); }
