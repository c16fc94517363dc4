// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem.hpp>
#include <otpp/otpp.hpp>

#include <variant>

struct shut {
  int knocks = 0;
};
struct opened {};

struct gate : otpp::gen_statem<gate, std::variant<shut, opened>, int> {
  struct knock {
    using reply_type = int;
  };
  state_type init() { return {shut(), 0}; }
#ifdef OTPP_MISTAKE
  void handle_event(knock, otpp::caller<int> from, shut its, int&) { from.reply(++its.knocks); }
#else
  void handle_event(knock, otpp::caller<int> from, shut& its, int&) { from.reply(++its.knocks); }
#endif
  int handle_event(knock, opened, int&) { return 0; }
};

auto use(otpp::server_ref<gate> server) { return otpp::call<gate::knock>(server); }
