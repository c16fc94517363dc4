// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>
#include <otpp/term/atom.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/term/form.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Writes and reads a type. put() throws std::invalid_argument for a value that Erlang has not, and get() returns false for
// a term that does not fit, whose place is then anywhere and whose value is unspecified.
template <class T>
struct term_codec;

template <class T>
concept has_term_codec = requires { term_codec<T>::is_codec; };

template <class T>
consteval bool check_form() {
  static_assert(
      has_term_codec<T>,
      "otpp: this type has no Erlang form: add \"static constexpr auto term = otpp::as::tagged(\"name\");\" "
      "to the struct, "
      "or, where it is not yours, specialize otpp::term_of");
  return has_term_codec<T>;
}

template <class T>
void put_term(term_writer& to, const T& value) {
  if constexpr (check_form<T>()) {
    term_codec<T>::put(to, value);
  }
}

template <class T>
bool get_term(term_reader& from, T& value) {
  if constexpr (check_form<T>()) {
    return term_codec<T>::get(from, value);
  } else {
    return false;
  }
}

// What is decoded into must be there before it is filled.
template <class T>
consteval bool check_default() {
  static_assert(
      std::is_default_constructible_v<T>,
      "otpp: this type has no default constructor, so that it cannot be decoded; use as::custom");
  return std::is_default_constructible_v<T>;
}

// char and its kin are left out, because nobody knows whether they are numbers.
template <class T>
concept term_integer =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

// An integer in its own digits, in base 256 with the least significant first, and its sign. A peer may send leading zeros.
inline bool read_big(term_reader& from, std::string_view& digits, bool& is_negative) noexcept {
  bool is_small = from.is(term_tag::small_big);
  std::uint64_t size = 0;
  std::uint64_t sign = 0;
  if ((!is_small && !from.is(term_tag::large_big)) || !from.number(is_small ? 1 : 4, size) ||
      !from.number(1, sign) || !from.take(static_cast<std::size_t>(size), digits)) {
    return false;
  }
  digits = digits.substr(0, digits.find_last_not_of('\0') + 1);
  is_negative = sign != 0 && !digits.empty();
  return true;
}

// An integer of at most 64 bits, and its sign.
struct wide_integer {
  std::uint64_t magnitude = 0;
  bool is_negative = false;

  bool read(term_reader& from) noexcept {
    if (from.is(term_tag::small_integer)) {
      return from.number(1, magnitude);
    }
    if (from.is(term_tag::integer)) {
      std::uint64_t bits = 0;
      if (!from.number(4, bits)) {
        return false;
      }
      std::int64_t value = static_cast<std::int32_t>(static_cast<std::uint32_t>(bits));
      is_negative = value < 0;
      magnitude = static_cast<std::uint64_t>(is_negative ? -value : value);
      return true;
    }
    std::string_view digits;
    if (!read_big(from, digits, is_negative) || digits.size() > 8) {
      return false;
    }
    for (std::size_t at = digits.size(); at != 0; --at) {
      magnitude = magnitude << 8 | static_cast<unsigned char>(digits[at - 1]);
    }
    return true;
  }
};

template <term_integer T>
struct term_codec<T> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, T value) {
    if constexpr (std::is_unsigned_v<T>) {
      to.integer(static_cast<std::uint64_t>(value));
    } else {
      to.integer(static_cast<std::int64_t>(value));
    }
  }
  static bool get(term_reader& from, T& value) noexcept {
    wide_integer read;
    if (!read.read(from)) {
      return false;
    }
    constexpr auto largest = static_cast<std::uint64_t>((std::numeric_limits<T>::max)());
    constexpr std::uint64_t lowest = std::is_unsigned_v<T> ? 0 : largest + 1; // its magnitude
    if (read.magnitude > (read.is_negative ? lowest : largest)) {
      return false;
    }
    value = static_cast<T>(read.is_negative ? 0 - read.magnitude : read.magnitude);
    return true;
  }
};

template <>
struct term_codec<bool> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, bool value) { to.atom(value ? "true" : "false"); }
  static bool get(term_reader& from, bool& value) noexcept {
    std::string_view text;
    bool is_latin = false;
    if (!from.atom(text, is_latin)) {
      return false;
    }
    value = text == "true";
    return value || text == "false";
  }
};

// Elixir's users write 5 where they mean 5.0.
template <std::floating_point T>
  requires(sizeof(T) <= sizeof(double))
struct term_codec<T> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, T value) { to.floating(static_cast<double>(value)); }
  static bool get(term_reader& from, T& value) noexcept {
    double wide = 0;
    if (!get_double(from, wide)) {
      return false;
    }
    value = static_cast<T>(wide);
    return std::isfinite(value); // not infinite, as a large double is for a float
  }

 private:
  static bool get_double(term_reader& from, double& value) noexcept {
    if (from.tag() == term_tag::new_float || from.tag() == term_tag::old_float) {
      return from.floating(value);
    }
    wide_integer read;
    if (!read.read(from)) {
      return false;
    }
    value = static_cast<double>(read.magnitude);
    value = read.is_negative ? -value : value;
    return true;
  }
};

// A binary. Charlist against binary is what others' users get wrong most, so lists of bytes are accepted.
template <>
struct term_codec<std::string> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const std::string& value) { to.binary(value); }
  static bool get(term_reader& from, std::string& value) {
    std::string_view bytes;
    std::size_t size = 0;
    value.clear();
    if (from.is(term_tag::nil)) {
      return true;
    }
    if (from.is(term_tag::list)) {
      if (!from.count(4, 1, size) || !from.spend(size)) {
        return false;
      }
      for (std::uint8_t byte = 0; size != 0; --size) {
        if (!get_term(from, byte)) {
          return false;
        }
        value.push_back(static_cast<char>(byte));
      }
      return from.is(term_tag::nil);
    }
    bool is_read = from.is(term_tag::binary)   ? from.counted(4, bytes)
                   : from.is(term_tag::string) ? from.counted(2, bytes)
                                               : false;
    if (!is_read || !from.spend(bytes.size())) {
      return false;
    }
    value = bytes;
    return true;
  }
};

// A text that is not kept can only be sent.
template <>
struct term_codec<std::string_view> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, std::string_view value) { to.binary(value); }
};

template <>
struct term_codec<atom> {
  static constexpr bool is_codec = true;
  static void put(term_writer& to, const atom& value) { to.atom(value.text()); }
  static bool get(term_reader& from, atom& value) {
    std::string_view text;
    bool is_latin = false;
    if (!from.atom(text, is_latin) || !from.spend(2 * text.size())) {
      return false;
    }
    std::string utf8;
    if (is_latin) {
      for (char each : text) {
        append_utf8(utf8, static_cast<unsigned char>(each));
      }
    } else {
      utf8 = text;
    }
    value = atom(std::move(utf8));
    return true;
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
