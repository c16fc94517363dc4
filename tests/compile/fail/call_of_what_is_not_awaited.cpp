// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

asio::awaitable<int> ask() {
#ifdef OTPP_MISTAKE
  auto server = otpp::start<counter>();
  int count = co_await otpp::call<counter::get>(server);
#else
  auto server = co_await otpp::start<counter>();
  int count = co_await otpp::call<counter::get>(server);
#endif
  co_return count;
}
