// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/sys/suspend.hpp>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

#ifdef OTPP_MISTAKE
using address = counter*;
#else
using address = otpp::pid;
#endif

auto wait(address server) { return otpp::suspend(server); }
