// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct get {
    using reply_type = long;
  };
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  using caller = otpp::caller<int>;
#else
  using caller = otpp::caller<long>;
#endif
  void handle_call(get, caller from, int& count) { from.reply(count); }
};

auto ask(otpp::server_ref<counter> server) { return otpp::call<counter::get>(server); }
