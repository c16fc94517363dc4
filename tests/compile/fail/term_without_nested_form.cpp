// SPDX-License-Identifier: BSL-1.0

#include <otpp/term.hpp>

#include <string_view>
#include <vector>

struct line {
  int price;
#ifndef OTPP_MISTAKE
  static constexpr auto term = otpp::as::tagged("line");
#endif
};
struct order {
  int id;
  std::vector<line> lines;
  static constexpr auto term = otpp::as::tagged("order");
};

order decoded(std::string_view bytes) { return otpp::from_bytes<order>(bytes); }
