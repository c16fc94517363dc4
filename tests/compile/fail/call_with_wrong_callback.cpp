// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <exception>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

void ask(otpp::server_ref<counter> server) {
#ifdef OTPP_MISTAKE
  otpp::call<counter::get>(server, [](int) {});
#else
  otpp::call<counter::get>(server, [](std::exception_ptr, int) {});
#endif
}
