// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A user's text as a part of a report of one line: control characters are escaped, and what is longer than
// `most` bytes is cut, between two characters if it is UTF-8.
inline std::string one_line(std::string_view text, std::size_t most = 1000) {
  std::size_t end = utf8_cut(text, most);
  std::string line;
  for (char each : text.substr(0, end)) {
    auto byte = static_cast<unsigned char>(each);
    if (each == '\n') {
      line += "\\n";
    } else if (each == '\t') {
      line += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      constexpr std::string_view digits = "0123456789ABCDEF";
      line += "\\x";
      line += digits[byte / 16];
      line += digits[byte % 16];
    } else {
      line += each;
    }
  }
  if (end != text.size()) {
    line += " [and " + std::to_string(text.size() - end) + " bytes more]";
  }
  return line;
}

} // namespace otpp::detail

#pragma GCC visibility pop
