// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/sys/inspect.hpp>

struct counter {
  int init() { return 0; }
};

#ifndef OTPP_MISTAKE
using address = otpp::server_ref<counter>;
#else
using address = otpp::pid;
#endif

auto look(address server) {
  return otpp::inspect(server, [](const int& count) { return count; });
}
