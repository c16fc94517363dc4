// SPDX-License-Identifier: BSL-1.0

// The counter with `import otpp;` in place of headers. The module is experimental: docs/compilers.md says what it needs.

#include <coroutine> // the compiler asks for it wherever a coroutine is written
#include <cstdio>

import otpp; // with asio::awaitable and the like; for the rest of Asio, its headers are included before this line

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

asio::awaitable<void> client() {
  auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);

  int before = co_await otpp::call<counter::get>(server);
  int after = co_await otpp::call<counter::add>(server, 5);
  std::printf("%d -> %d\n", before, after);

  co_await server.stop();
}

int main() { return otpp::run(client); }

// Output:
// 0 -> 5
