// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

enum class plus_sign { stays, is_blank };

// Appends what percent-encoded text stands for. Returns false if that is not valid, or has a control character.
inline bool decode_percent(std::string_view text, plus_sign plus, std::string& decoded) {
  auto digit = [](char c) noexcept {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  for (std::size_t i = 0; i != text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      int high = text.size() - i > 2 ? digit(text[i + 1]) : -1;
      int low = text.size() - i > 2 ? digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return false;
      }
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus == plus_sign::is_blank) {
      c = ' ';
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return false;
    }
    decoded += c;
  }
  return true;
}

} // namespace otpp::detail

#pragma GCC visibility pop
