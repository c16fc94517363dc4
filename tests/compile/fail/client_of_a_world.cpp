// SPDX-License-Identifier: BSL-1.0

#include <otpp/testing.hpp>

asio::awaitable<int> count();

void scenario(otpp::testing::world& world) {
#ifdef OTPP_MISTAKE
  world.spawn("client", count);
#else
  world.spawn("client", []() -> asio::awaitable<void> { co_await count(); });
#endif
}
