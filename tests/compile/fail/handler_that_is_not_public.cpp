// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

class counter {
 public:
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
#ifdef OTPP_MISTAKE
 private:
#endif
  int handle_call(get, int& count) { return count; }
};

auto ask(otpp::server_ref<counter> server) { return otpp::call<counter::get>(server); }
