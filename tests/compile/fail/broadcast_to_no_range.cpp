// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/request/multi_call.hpp>

#include <cstddef>
#include <vector>

struct counter {
  struct reset {};
  int init() { return 0; }
  void handle_cast(reset, int& count) { count = 0; }
};

std::size_t tell(const std::vector<otpp::pid>& servers) {
#ifdef OTPP_MISTAKE
  return otpp::broadcast<counter::reset>(servers.front());
#else
  return otpp::broadcast<counter::reset>(servers);
#endif
}
