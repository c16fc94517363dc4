// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist.hpp>

class amount {
 public:
#ifndef OTPP_MISTAKE
  amount() = default;
#endif
  explicit amount(int cents) : cents_(cents) {}

 private:
  int cents_ = 0;

 public:
  static constexpr auto term = otpp::as::tagged("amount", &amount::cents_);
};

struct till {
  struct count {
    using reply_type = amount;
    static constexpr auto term = otpp::as::tagged("count");
  };
  using messages = otpp::message_list<count>;
  int init() { return 0; }
  amount handle_call(count, int& cents) { return amount(cents); }
};

void published(otpp::dist::node& node) { node.publish(otpp::server_name<till>("till")); }
