// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct logger {
  struct log {
    std::string line;
  };
  int init() { return 0; }
#ifndef OTPP_MISTAKE
  void handle_cast(log, int&) {}
#endif
};

auto tell(otpp::server_ref<logger> server) { return otpp::cast<logger::log>(server, "a line"); }
