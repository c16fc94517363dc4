// SPDX-License-Identifier: BSL-1.0

// What a user writes first, built in each way in which otpp can be had.

#include <otpp/otpp.hpp>

struct counter {
  struct get {
    using reply_type = int;
  };
  struct add {
    int n;
    using reply_type = int;
  };

  int init(int start) { return start; }
  int handle_call(get, int& count) { return count; }
  int handle_call(add request, int& count) { return count += request.n; }
};

inline constexpr otpp::server_name<counter> the_counter{"counter"};

asio::awaitable<int> client() {
  auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);
  int before = co_await otpp::call<counter::get>(server);
  int after = co_await otpp::call<counter::add>(the_counter, 5);
  co_await server.stop();
  co_return before == 0 && after == 5 ? 0 : 1;
}

int main() { return otpp::run(client()); }
