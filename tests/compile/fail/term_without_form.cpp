// SPDX-License-Identifier: BSL-1.0

#include <otpp/term.hpp>

#include <string>

struct add {
  int n;
#ifndef OTPP_MISTAKE
  static constexpr auto term = otpp::as::tagged("add");
#endif
};

std::string encoded() { return otpp::to_bytes(add{5}); }
