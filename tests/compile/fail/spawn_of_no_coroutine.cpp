// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

asio::awaitable<void> tick(int times);

auto begin() {
#ifdef OTPP_MISTAKE
  return otpp::spawn(tick);
#else
  return otpp::spawn([] { return tick(3); });
#endif
}
