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

struct reset {
  using reply_type = void;
};

auto ask(otpp::server_ref<counter> server) {
#ifdef OTPP_MISTAKE
  return otpp::call<reset>(server);
#else
  return otpp::call<counter::get>(server);
#endif
}
