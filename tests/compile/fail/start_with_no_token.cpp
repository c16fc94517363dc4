// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

auto begin() {
#ifdef OTPP_MISTAKE
  return otpp::start<counter>(1);
#else
  return otpp::start<counter>(asio::use_awaitable);
#endif
}
