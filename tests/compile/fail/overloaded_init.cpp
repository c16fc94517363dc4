// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct counter {
  struct get {
    using reply_type = int;
  };
#ifndef OTPP_MISTAKE
  using state_type = int;
#endif
  int init() { return 0; }
  int init(int start) { return start; }
  int handle_call(get, int& count) { return count; }
};

auto begin() { return otpp::start<counter>(); }
