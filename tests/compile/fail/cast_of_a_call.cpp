// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

asio::awaitable<void> ask(otpp::server_ref<counter> server) {
#ifdef OTPP_MISTAKE
  co_await otpp::cast<counter::get>(server);
#else
  co_await otpp::call<counter::get>(server);
#endif
}
