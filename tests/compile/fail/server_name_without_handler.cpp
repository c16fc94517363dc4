// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>

struct counter {
  struct get {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(get, int& count) { return count; }
};

struct reset {
  using reply_type = void;
};
inline constexpr otpp::server_name<counter> the_counter{"counter"};

auto ask() {
#ifdef OTPP_MISTAKE
  return otpp::call<reset>(the_counter);
#else
  return otpp::call<counter::get>(the_counter);
#endif
}
