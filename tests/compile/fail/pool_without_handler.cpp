// SPDX-License-Identifier: BSL-1.0

#include <otpp/pool.hpp>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

struct reset {
  using reply_type = void;
};

auto ask(const otpp::pool<counter>& counters) {
#ifdef OTPP_MISTAKE
  return otpp::call<reset>(counters.at(1));
#else
  return otpp::call<counter::get>(counters.at(1));
#endif
}
