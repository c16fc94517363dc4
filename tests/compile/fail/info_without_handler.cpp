// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct ticker {
  struct tick {};
  int init() { return 0; }
#ifndef OTPP_MISTAKE
  void handle_info(tick, int&) {}
#endif
};

auto tell(otpp::server_ref<ticker> server) { return otpp::send<ticker::tick>(server); }
