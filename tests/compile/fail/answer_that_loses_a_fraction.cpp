// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct account {
  struct balance {
    using reply_type = int;
  };
  double init() { return 10.99; }
#ifdef OTPP_MISTAKE
  otpp::outcome<int> handle_call(balance, double& sum) { return sum; }
#else
  otpp::outcome<int> handle_call(balance, double& sum) { return static_cast<int>(sum); }
#endif
};

auto ask(otpp::server_ref<account> server) { return otpp::call<account::balance>(server); }
