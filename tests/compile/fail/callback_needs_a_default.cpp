// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>
#include <exception>

struct precise {
  explicit precise(double exact) : value(exact) {}
  double value;
};

struct scales {
  struct weigh {
    using reply_type = precise;
  };
  int init() { return 0; }
  precise handle_call(weigh, int&) { return precise(1); }
};

auto ask(otpp::server_ref<scales> server) {
  scales::weigh weigh;
#ifdef OTPP_MISTAKE
  return otpp::call(server, weigh, [](std::exception_ptr, precise) {});
#else
  return otpp::call(server, weigh);
#endif
}
