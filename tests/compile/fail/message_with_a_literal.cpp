// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct logger {
#ifdef OTPP_MISTAKE
  struct log {
    int level;
    const char* line;
  };
#else
  struct log {
    int level;
    std::string line;
  };
#endif
  int init() { return 0; }
  void handle_cast(log, int&) {}
};

auto tell(otpp::server_ref<logger> server, const std::string& line) {
  return otpp::cast<logger::log>(server, 1, line.c_str());
}
