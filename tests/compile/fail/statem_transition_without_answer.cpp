// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>

struct lamp : otpp::gen_statem<lamp, bool, int> {
  struct toggle {
    using reply_type = int;
  };
  state_type init() { return {false, 0}; }
#ifdef OTPP_MISTAKE
  transition<> handle_event(toggle, bool is_on, int&) { return next_state(!is_on); }
#else
  transition<int> handle_event(toggle, bool is_on, int& n) { return next_state(!is_on).reply(++n); }
#endif
};

auto use(otpp::server_ref<lamp> server) { return otpp::call<lamp::toggle>(server); }
