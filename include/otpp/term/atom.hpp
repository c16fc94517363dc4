// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

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

  /// An atom of this name.
  ///
  /// @param text  Its letters, without quotes: `ok`; moved. Throws std::invalid_argument if it is no UTF-8 or
  ///              has more than 255 characters.
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
