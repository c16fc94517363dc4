// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct counter {
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  void terminate(std::string, int&) {}
#else
  void terminate(const otpp::exit_reason&, int&) {}
#endif
};

auto begin() { return otpp::start<counter>(); }
