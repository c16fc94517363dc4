// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>
#include <otpp/otpp.hpp>

#include <string>

struct visit {
  int id = 0;
};
struct named_visit : visit {
  std::string name;
};

enum class gate_state { shut, open };

struct gate : otpp::gen_statem<gate, otpp::states<gate_state::shut, gate_state::open>, int> {
  state_type init() { return {gate_state::shut, 0}; }
#ifdef OTPP_MISTAKE
  void handle_event(visit, gate_state, int&) {}
#else
  void handle_event(const visit&, gate_state, int&) {}
#endif
};

auto use(otpp::server_ref<gate> server, const named_visit& one) { return otpp::cast(server, one); }
