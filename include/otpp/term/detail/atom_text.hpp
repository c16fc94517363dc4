// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>

#include <cstdint>
#include <cstring>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Returns true if it is the text of an atom: UTF-8 of at most 255 characters. Eight bytes at a time as long as they are ASCII,
// as most are.
inline bool is_atom_text(std::string_view text) noexcept {
  std::size_t at = 0;
  for (std::uint64_t eight = 0; text.size() - at >= sizeof eight; at += sizeof eight) {
    std::memcpy(&eight, text.data() + at, sizeof eight);
    if ((eight & 0x8080808080808080u) != 0) {
      break;
    }
  }
  for (; at != text.size(); ++at) {
    if (static_cast<unsigned char>(text[at]) >= 0x80) {
      return count_characters(text) <= 255; // npos is more
    }
  }
  return text.size() <= 255;
}

} // namespace otpp::detail

#pragma GCC visibility pop
