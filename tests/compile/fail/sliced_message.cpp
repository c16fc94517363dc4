// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct event {
  int id = 0;
};
struct named_event : event {
  std::string name;
};

struct logger {
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  void handle_cast(event, int&) {}
#else
  void handle_cast(const event&, int&) {}
#endif
  void handle_cast(std::string, int&) {}
};

auto tell(otpp::server_ref<logger> server, const named_event& what) { return otpp::cast(server, what); }
