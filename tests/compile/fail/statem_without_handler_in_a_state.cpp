// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>

enum class lamp_state { off, on };

struct lamp : otpp::gen_statem<lamp, otpp::states<lamp_state::off, lamp_state::on>, int> {
  struct burn_out {};
  state_type init() { return {lamp_state::off, 0}; }
  transition<> handle_event(burn_out, otpp::in_state<lamp_state::on>, int&) {
    return next_state(lamp_state::off);
  }
#ifndef OTPP_MISTAKE
  void handle_event(burn_out, lamp_state, int&) {} // where it is off already
#endif
};

auto use(otpp::server_ref<lamp> server) { return otpp::cast<lamp::burn_out>(server); }
