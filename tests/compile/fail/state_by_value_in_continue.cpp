// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct inc {};
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  void handle_continue(inc, int count) const { ++count; }
#else
  void handle_continue(inc, int& count) const { ++count; }
#endif
};

auto begin() { return otpp::start<counter>(); }
