// SPDX-License-Identifier: BSL-1.0

#include <otpp/term.hpp>

#include <string>

struct row {
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p;
#ifdef OTPP_MISTAKE
  int q;
#endif
  static constexpr auto term = otpp::as::tagged("row");
};

std::string encoded(const row& one) { return otpp::to_bytes(one); }
