// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>
#include <otpp/otpp.hpp>

enum class gate_state { shut, open };

struct gate : otpp::gen_statem<gate, otpp::states<gate_state::shut, gate_state::open>, int> {
  struct pass {};
  state_type init() { return {gate_state::shut, 0}; }
  void handle_event(pass, gate_state, int&) {}
#ifdef OTPP_MISTAKE
  void handle_enter(gate_state, gate_state, int entered) { ++entered; }
#else
  void handle_enter(gate_state, gate_state, int& entered) { ++entered; }
#endif
};

auto use() { return otpp::start<gate>(); }
