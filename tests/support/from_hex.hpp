// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Bytes as a recording shows them: from_hex("837705 68656c6c6f"). Blanks count for nothing.
inline std::string from_hex(std::string_view digits) {
  std::string bytes;
  unsigned half = 0;
  bool is_second = false;
  for (char each : digits) {
    if (each == ' ') {
      continue;
    }
    unsigned value = each <= '9' ? static_cast<unsigned>(each - '0') : static_cast<unsigned>(each - 'a') + 10;
    if (is_second) {
      bytes += static_cast<char>(half << 4 | value);
    }
    half = value;
    is_second = !is_second;
  }
  return bytes;
}
