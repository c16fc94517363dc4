// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist.hpp>

struct counter {
  struct add {
    int n;
    using reply_type = int;
#ifndef OTPP_MISTAKE
    static constexpr auto term = otpp::as::tagged("add");
#endif
  };
  using messages = otpp::message_list<add>;
  int init() { return 0; }
  int handle_call(add request, int& count) { return count += request.n; }
};

void published(otpp::dist::node& node) { node.publish(otpp::server_name<counter>("counter")); }
