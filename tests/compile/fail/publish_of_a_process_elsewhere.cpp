// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist.hpp>

struct counter {
  struct get {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("get");
  };
  using messages = otpp::message_list<get>;
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

void published(otpp::dist::node& node) {
#ifdef OTPP_MISTAKE
  node.publish(node.remote<counter>("counter", "b@host"), "counter");
#else
  node.publish(otpp::server_name<counter>("counter"));
#endif
}
