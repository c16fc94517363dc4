// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Calls `plain` with each stretch of valid UTF-8, and `wrong` for each byte that is part of none.
template <class Plain, class Wrong>
void split_utf8(std::string_view text, Plain plain, Wrong wrong) {
  while (!text.empty()) {
    if (std::size_t length = utf8_length(text)) {
      plain(text.substr(0, length));
      text.remove_prefix(length);
    } else {
      wrong();
      text.remove_prefix(1);
    }
  }
}

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD"; // U+FFFD

// Returns a text with all that is not UTF-8 replaced.
inline std::string valid_utf8(std::string_view text) {
  std::string result;
  split_utf8(text, [&](std::string_view good) { result += good; }, [&] { result += replacement_character; });
  return result;
}

// Writes JSON into a string. Commas are its concern, brackets the caller's. Any bytes may be in a text; a number that is
// not finite is null.
class json_writer {
 public:
  // The brackets are a scope, so that none is forgotten.
  template <class Body>
  json_writer& object(Body&& body) {
    return within('{', '}', std::forward<Body>(body));
  }
  template <class Body>
  json_writer& array(Body&& body) {
    return within('[', ']', std::forward<Body>(body));
  }

  json_writer& key(std::string_view name) {
    separate();
    put_text(name);
    out_ += ": ";
    is_first_ = true; // the value follows
    return *this;
  }

  json_writer& value(std::string_view text) {
    separate();
    put_text(text);
    return *this;
  }
  json_writer& value(const char* text) { return value(std::string_view(text)); }
  json_writer& value(const std::string& text) { return value(std::string_view(text)); }
  json_writer& value(std::nullptr_t) { return raw("null"); }
  json_writer& value(std::same_as<bool> auto is) { return raw(is ? "true" : "false"); }
  template <std::unsigned_integral Number>
    requires(!std::same_as<Number, bool>)
  json_writer& value(Number number) {
    return raw(std::to_string(number));
  }
  // To six digits, or to a millisecond.
  json_writer& value(double number) {
    if (!std::isfinite(number)) {
      return value(nullptr);
    }
    char text[32];
    const bool is_large = std::fabs(number) >= 1e3 && std::fabs(number) < 1e15;
    const std::to_chars_result end =
        is_large ? std::to_chars(text, text + sizeof text, number, std::chars_format::fixed, 3)
                 : std::to_chars(text, text + sizeof text, number, std::chars_format::general, 6);
    std::string_view shown(text, static_cast<std::size_t>(end.ptr - text));
    if (is_large) {
      shown = shown.substr(0, shown.find_last_not_of('0') + 1);
      shown.remove_suffix(shown.ends_with('.') ? 1 : 0);
    }
    return raw(shown);
  }
  template <class T>
  json_writer& value(const std::optional<T>& one) {
    return one ? value(*one) : value(nullptr);
  }

  template <class T>
  json_writer& member(std::string_view name, const T& one) {
    return key(name).value(one);
  }

  const std::string& text() const noexcept { return out_; }
  std::string take() noexcept {
    out_ += '\n';
    return std::move(out_);
  }

 private:
  template <class Body>
  json_writer& within(char open, char close, Body&& body) {
    separate();
    out_ += open;
    is_first_ = true;
    body();
    out_ += close;
    is_first_ = false;
    return *this;
  }

  json_writer& raw(std::string_view text) {
    separate();
    out_ += text;
    return *this;
  }

  void separate() {
    if (!std::exchange(is_first_, false)) {
      out_ += ", ";
    }
  }

  void put_text(std::string_view text) {
    out_ += '"';
    split_utf8(
        text, [&](std::string_view good) { put_character(good); }, [&] { out_ += replacement_character; });
    out_ += '"';
  }

  void put_character(std::string_view one) {
    const char first = one.front();
    if (first == '"' || first == '\\') {
      out_ += '\\';
      out_ += first;
    } else if (static_cast<unsigned char>(first) < 0x20 || first == '\x7F') {
      constexpr std::string_view digits = "0123456789abcdef";
      out_ += "\\u00";
      out_ += digits[static_cast<unsigned char>(first) / 16];
      out_ += digits[static_cast<unsigned char>(first) % 16];
    } else {
      out_ += one;
    }
  }

  std::string out_;
  bool is_first_ = true;
};

} // namespace otpp::detail

#pragma GCC visibility pop
