// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

asio::awaitable<int> client();

int begin() {
  asio::awaitable<int> program = client();
#ifdef OTPP_MISTAKE
  return otpp::run(program);
#else
  return otpp::run(std::move(program));
#endif
}
