// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct server {
  struct ask {
    using reply_type = int;
  };
  int init() { return 0; }
  otpp::outcome<int> handle_call(ask, int&) {
#ifdef OTPP_MISTAKE
    return otpp::stop("tired");
#else
    return otpp::stop(otpp::exit_reason("tired"));
#endif
  }
};

asio::awaitable<int> ask(otpp::server_ref<server> to) { return otpp::call<server::ask>(to); }
