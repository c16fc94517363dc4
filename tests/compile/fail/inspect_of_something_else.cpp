// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/sys/inspect.hpp>

struct counter {
  int init() { return 0; }
};

auto look(otpp::server_ref<counter> server) {
#ifndef OTPP_MISTAKE
  return otpp::inspect(server, [](const int& count) { return count; });
#else
  return otpp::inspect(server, [](int& count) { return ++count; });
#endif
}
