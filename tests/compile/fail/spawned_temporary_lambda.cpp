// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

#include <string>
#include <utility>

asio::awaitable<void> print(std::string text);

auto begin(std::string text) {
#ifdef OTPP_MISTAKE
  return otpp::spawn([text] { return print(text); });
#else
  auto body = [text] { return print(text); };
  return otpp::spawn(body);
#endif
}
