// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

auto begin() {
#ifdef OTPP_MISTAKE
  return otpp::start<counter>(otpp::named("counter"), std::string("0"), 1);
#else
  return otpp::start<counter>(otpp::named("counter"));
#endif
}
