// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct inc {};
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  void terminate(const otpp::exit_reason&, int count) { ++count; }
#else
  void terminate(const otpp::exit_reason&, int& count) { ++count; }
#endif
};

auto begin() { return otpp::start<counter>(); }
