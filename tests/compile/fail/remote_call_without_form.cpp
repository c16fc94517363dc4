// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist.hpp>

struct get {
  using reply_type = int;
#ifndef OTPP_MISTAKE
  static constexpr auto term = otpp::as::tagged("get");
#endif
};

auto called(otpp::dist::node& node) { return otpp::call<get>(node.remote("counter", "b@host")); }
