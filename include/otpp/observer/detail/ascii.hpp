// SPDX-License-Identifier: BSL-1.0

#pragma once

#pragma GCC visibility push(default)

namespace otpp::detail {

// Whatever the locale is.
constexpr char lower_ascii(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace otpp::detail

#pragma GCC visibility pop
