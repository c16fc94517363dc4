// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct logger {
  struct log {};
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  void handle_cast(log&, int&) {}
#else
  void handle_cast(log&&, int&) {}
#endif
};

auto tell(otpp::server_ref<logger> server) { return otpp::cast<logger::log>(server); }
