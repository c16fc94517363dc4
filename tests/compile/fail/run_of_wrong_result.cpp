// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

asio::awaitable<bool> client();

int begin() {
#ifdef OTPP_MISTAKE
  return otpp::run(client);
#else
  return otpp::run([]() -> asio::awaitable<int> {
    bool is_done = co_await client();
    co_return is_done ? 0 : 1;
  });
#endif
}
