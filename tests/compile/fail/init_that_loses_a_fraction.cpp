// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct account {
  int init(int balance) { return balance; }
};

#ifdef OTPP_MISTAKE
auto begin() { return otpp::start<account>(10.99); }
#else
auto begin() { return otpp::start<account>(10); }
#endif
