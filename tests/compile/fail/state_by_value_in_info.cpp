// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct inc {};
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  static void handle_info(inc&&, int count) { ++count; }
#else
  static void handle_info(inc&&, int& count) { ++count; }
#endif
};

auto tell(otpp::server_ref<counter> server) { return otpp::send<counter::inc>(server); }
