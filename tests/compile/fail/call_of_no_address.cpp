// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

#ifdef OTPP_MISTAKE
using address = int;
#else
using address = const char*;
#endif

auto ask(address server) { return otpp::call<counter::get>(server); }
