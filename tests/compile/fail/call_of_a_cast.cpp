// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct bump {
    int n;
  };
  int init() { return 0; }
  void handle_cast(bump m, int& count) { count += m.n; }
};

asio::awaitable<void> tell(otpp::server_ref<counter> server) {
#ifdef OTPP_MISTAKE
  int count = co_await otpp::call<counter::bump>(server, 1);
  static_cast<void>(count);
#else
  co_await otpp::cast<counter::bump>(server, 1);
#endif
}
