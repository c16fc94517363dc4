// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

struct counter {
  struct inc {};
  int init() { return 0; }
#ifdef OTPP_MISTAKE
  asio::awaitable<void> handle_cast(const inc&, int count) noexcept;
#else
  asio::awaitable<void> handle_cast(const inc&, const int& count) noexcept;
#endif
};

auto tell(otpp::server_ref<counter> server) { return otpp::cast<counter::inc>(server); }
