// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist.hpp>

struct get {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("get");
};
struct other {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("other");
};

auto called(otpp::dist::node& node) {
  auto to = node.remote<otpp::message_list<get>>("counter", "b@host");
#ifdef OTPP_MISTAKE
  return otpp::call<other>(to);
#else
  return otpp::call<get>(to);
#endif
}
