// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct add {
    int n;
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(add m, int& count) { return count += m.n; }
};

asio::awaitable<int> ask(otpp::server_ref<counter> server) {
#ifdef OTPP_MISTAKE
  int count = co_await otpp::call<counter::add>(server, 1, 2);
#else
  int count = co_await otpp::call<counter::add>(server, 1);
#endif
  co_return count;
}
