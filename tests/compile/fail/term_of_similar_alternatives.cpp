// SPDX-License-Identifier: BSL-1.0

#include <otpp/term.hpp>

#include <string>
#include <variant>

struct add {
  int n;
  static constexpr auto term = otpp::as::tagged("add");
};
struct subtract {
  int n;
#ifdef OTPP_MISTAKE
  static constexpr auto term = otpp::as::tagged("add");
#else
  static constexpr auto term = otpp::as::tagged("subtract");
#endif
};

std::string encoded(const std::variant<add, subtract>& one) { return otpp::to_bytes(one); }
