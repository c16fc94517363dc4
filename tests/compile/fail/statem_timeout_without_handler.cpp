// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>

#include <chrono>

struct lamp : otpp::gen_statem<lamp, bool, int> {
  struct press {};
  struct over {};
  state_type init() { return {false, 0}; }
  transition<> handle_event(press, bool, int&) {
    return next_state(true).state_timeout(std::chrono::seconds(1), over());
  }
#ifndef OTPP_MISTAKE
  transition<> handle_event(over, bool, int&) { return next_state(false); }
#endif
};

auto use(otpp::server_ref<lamp> server) { return otpp::cast<lamp::press>(server); }
