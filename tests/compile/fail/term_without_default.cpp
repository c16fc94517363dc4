// SPDX-License-Identifier: BSL-1.0

#include <otpp/term.hpp>

#include <string_view>

class amount {
 public:
#ifndef OTPP_MISTAKE
  amount() = default;
#endif
  explicit amount(int cents) : cents_(cents) {}

 private:
  int cents_ = 0;

 public:
  static constexpr auto term = otpp::as::tagged("amount", &amount::cents_);
};

amount decoded(std::string_view bytes) { return otpp::from_bytes<amount>(bytes); }
