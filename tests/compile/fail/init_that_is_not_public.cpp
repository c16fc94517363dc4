// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

class counter {
#ifndef OTPP_MISTAKE
 public:
#endif
  int init() { return 0; }
};

auto begin() { return otpp::start<counter>(); }
