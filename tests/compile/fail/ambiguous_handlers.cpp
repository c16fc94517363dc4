// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct logger {
  struct log {
    int level;
  };
  int init() { return 0; }
  void handle_cast(log, int&) {}
#ifdef OTPP_MISTAKE
  void handle_cast(const log&, int&) {}
#endif
};

auto tell(otpp::server_ref<logger> server) { return otpp::cast<logger::log>(server, 1); }
