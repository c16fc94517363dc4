// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>
#include <otpp/otpp.hpp>

enum class gate_state { shut, open };

struct gate : otpp::gen_statem<gate, otpp::states<gate_state::shut, gate_state::open>, int> {
  struct pass {};
  state_type init() { return {gate_state::shut, 0}; }
#ifdef OTPP_MISTAKE
  void handle_event(pass, gate_state, int passed) { ++passed; }
#else
  void handle_event(pass, gate_state, int& passed) { ++passed; }
#endif
};

auto use(otpp::server_ref<gate> server) { return otpp::cast<gate::pass>(server); }
