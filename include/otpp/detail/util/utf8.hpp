// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Returns how many bytes at the start of a text are one character of UTF-8, as Unicode's table 3-7 has them; 0 if none are.
inline std::size_t utf8_length(std::string_view text) noexcept {
  auto byte = [&](std::size_t i) noexcept { return static_cast<unsigned char>(text[i]); };
  auto continues = [&](std::size_t i, unsigned char low = 0x80, unsigned char high = 0xBF) noexcept {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return continues(1) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned char low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : 0xBF; // what follows are surrogates
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned char low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// Returns how many characters a text has, or npos if it is no UTF-8.
inline std::size_t count_characters(std::string_view text) noexcept {
  std::size_t count = 0;
  for (; !text.empty(); ++count) {
    std::size_t length = utf8_length(text);
    if (length == 0) {
      return std::string_view::npos;
    }
    text.remove_prefix(length);
  }
  return count;
}

// Returns the number of a character. Precondition: the text is one, as utf8_length() has found.
inline char32_t code_point(std::string_view character) noexcept {
  auto lead = static_cast<unsigned char>(character.front());
  char32_t point = character.size() == 1 ? lead : lead & (0x7Fu >> character.size());
  for (char each : character.substr(1)) {
    point = point << 6 | (static_cast<unsigned char>(each) & 0x3Fu);
  }
  return point;
}

// Appends a character. Returns false if none has this number.
inline bool append_utf8(std::string& text, std::uint32_t point) {
  if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
    return false;
  }
  std::size_t more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr std::array<unsigned, 4> leads{0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(leads[more] | point >> (6 * more));
  while (more != 0) {
    --more;
    text += static_cast<char>(0x80 | (point >> (6 * more) & 0x3F));
  }
  return true;
}

// Returns how much of a text is kept where it is cut to `most` bytes: if it is UTF-8, no part of a character.
inline std::size_t utf8_cut(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) {
    return text.size();
  }
  std::size_t end = most;
  for (int i = 0; i != 3 && end != 0 && (text[end] & '\xC0') == '\x80'; ++i) {
    --end;
  }
  return end;
}

} // namespace otpp::detail

#pragma GCC visibility pop
