// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct account {
  struct withdraw {
    int amount;
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(withdraw m, int& balance) { return balance -= m.amount; }
};

auto ask(otpp::server_ref<account> server, double amount) {
#ifdef OTPP_MISTAKE
  return otpp::call<account::withdraw>(server, amount);
#else
  return otpp::call<account::withdraw>(server, static_cast<int>(amount));
#endif
}
