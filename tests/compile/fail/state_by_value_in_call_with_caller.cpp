// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct inc {
    using reply_type = int;
  };
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  void handle_call(inc, otpp::caller<int> from, long count) { from.reply(static_cast<int>(++count)); }
#else
  void handle_call(inc, otpp::caller<int> from, int& count) { from.reply(++count); }
#endif
};

auto ask(otpp::server_ref<counter> server) { return otpp::call<counter::inc>(server); }
