// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>

enum class lamp_state { off, on };

struct lamp : otpp::gen_statem<lamp, otpp::states<lamp_state::off, lamp_state::on>, int> {
  struct toggle {};
  struct smash {};
  state_type init() { return {lamp_state::off, 0}; }
  transition<> handle_event(toggle, otpp::in_state<lamp_state::off>, int&) {
    return next_state(lamp_state::on);
  }
  transition<> handle_event(toggle, otpp::in_state<lamp_state::on>, int&) {
    return next_state(lamp_state::off);
  }
};

auto use(otpp::server_ref<lamp> lamp_server) {
#ifdef OTPP_MISTAKE
  return otpp::cast<lamp::smash>(lamp_server);
#else
  return otpp::cast<lamp::toggle>(lamp_server);
#endif
}
