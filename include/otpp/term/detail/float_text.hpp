// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Reads the whole text as a number, as printf's %.20e has written it.
//
// libc++ before 20 has no from_chars for double. A template, so that the compiler looks only at the one that there is.
template <class Number>
bool float_of_text(std::string_view text, Number& value) noexcept {
  if constexpr (requires(const char* at) { std::from_chars(at, at, value); }) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  } else {
    char copy[32] = {};
    if (text.empty() || text.size() >= sizeof copy || text[0] == '+' ||
        text.find_first_not_of("+-.0123456789Ee") != text.npos) {
      return false;
    }
    text.copy(copy, text.size());
    if (std::size_t point = text.find('.'); point != text.npos) {
      char half[8] = {}; // to see which point strtod expects; localeconv() is for one thread only
      std::snprintf(half, sizeof half, "%.1f", 0.5);
      copy[point] = half[1];
    }
    char* end = nullptr;
    value = std::strtod(copy, &end);
    return end == copy + text.size();
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
