#include "counter.hpp"

#include <cstdio>

asio::awaitable<int> client() {
  auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);

  int before = co_await otpp::call<counter::get>(server);
  int after = co_await otpp::call<counter::add>(server, 5);
  std::printf("%d -> %d\n", before, after);

  co_await server.stop();
  co_return after == 5 ? 0 : 1; // the program's exit status
}

int main() { return otpp::run(client()); }
