// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>

struct lamp : otpp::gen_statem<lamp, bool, int> {
  struct toggle {};
  state_type init() { return {false, 0}; }
  transition<> handle_event(toggle, bool is_on, int&) { return next_state(!is_on); }
#ifdef OTPP_MISTAKE
  transition<> handle_enter(bool, bool, int&) { return next_state(true); }
#else
  entry handle_enter(bool, bool, int&) { return {}; }
#endif
};

auto use() { return otpp::start<lamp>(); }
