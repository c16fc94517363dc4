// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// Returns how many characters a text has, or npos if it is no UTF-8 (too long forms, surrogates and what is beyond
// U+10FFFF are none).
inline std::size_t count_characters(std::string_view text) noexcept {
  std::size_t count = 0;
  for (std::size_t at = 0; at != text.size(); ++count) {
    auto byte = [&](std::size_t n) {
      return static_cast<unsigned>(static_cast<unsigned char>(text[at + n]));
    };
    unsigned first = byte(0);
    std::size_t length = first < 0x80   ? 1
                         : first < 0xC2 ? 0
                         : first < 0xE0 ? 2
                         : first < 0xF0 ? 3
                         : first < 0xF5 ? 4
                                        : 0;
    if (length == 0 || text.size() - at < length) {
      return std::string_view::npos;
    }
    for (std::size_t n = 1; n != length; ++n) {
      if ((byte(n) & 0xC0) != 0x80) {
        return std::string_view::npos;
      }
    }
    bool is_bad = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
                  (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F);
    if (is_bad) {
      return std::string_view::npos;
    }
    at += length;
  }
  return count;
}

} // namespace detail

/// An Erlang atom: a name that stands for itself, such as `ok`. An Elixir atom `:ok` is the same; a module `Foo` is
/// `Elixir.Foo`.
///
/// A value, not an entry of a table: nothing grows here, whatever is received. The BEAM never frees an atom, so send
/// users' texts as strings, which are binaries there.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe if const.
///
/// @par Example
/// @code
/// otpp::atom ok("ok");
/// @endcode
class atom {
 public:
  /// The most characters, not bytes, of an atom.
  static constexpr std::size_t longest = 255;

  /// The atom without a letter, `''`.
  atom() = default;

  /// Throws std::invalid_argument if the text is no UTF-8 or has more than 255 characters.
  explicit atom(std::string text) : text_(std::move(text)) {
    std::size_t length = detail::count_characters(text_);
    if (length > longest) { // npos too
      throw std::invalid_argument(
          length == std::string_view::npos
              ? "otpp: an atom is UTF-8"
              : "otpp: an atom has at most 255 characters; this one has " + std::to_string(length));
    }
  }

  /// Returns its name, in UTF-8.
  const std::string& text() const noexcept { return text_; }

  friend bool operator==(const atom&, const atom&) = default;
  friend auto operator<=>(const atom&, const atom&) = default;
  friend bool operator==(const atom& one, std::string_view text) noexcept { return one.text_ == text; }

 private:
  std::string text_;
};

} // namespace otpp

template <>
struct std::hash<otpp::atom> {
  std::size_t operator()(const otpp::atom& one) const noexcept {
    return std::hash<std::string>()(one.text());
  }
};

#pragma GCC visibility pop
