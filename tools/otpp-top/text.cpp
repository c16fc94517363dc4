// SPDX-License-Identifier: BSL-1.0

#include "text.hpp"

#include <otpp/detail/util/utf8.hpp>
#include <otpp/observer/detail/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdint>
#include <cwchar>

namespace top {

namespace {

constexpr char32_t replacement = 0xfffd;
constexpr std::size_t most_marks = 3; // a cell of ncurses holds five characters

// What a terminal must not get, or a reader would not see.
bool is_hostile(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe || c >= 0xe0000;
}

std::string format(const char* how, auto... values) {
  std::array<char, 64> room{};
  int length = std::snprintf(room.data(), room.size(), how, values...); // NOLINT(*-vararg): all are numbers
  return {room.data(), std::min(static_cast<std::size_t>(std::max(length, 0)), room.size() - 1)};
}

std::string escape(char32_t c) {
  auto value = static_cast<unsigned>(c);
  switch (c) {
    case U'\n': return "\\n";
    case U'\r': return "\\r";
    case U'\t': return "\\t";
    default: break;
  }
  if (c < 0x100) {
    return format("\\x%02x", value);
  }
  return c < 0x10000 ? format("\\u%04x", value) : format("\\u{%x}", value);
}

// How many bytes of the text fit into so many columns.
std::size_t bytes_within(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  std::size_t used = 0;
  while (bytes < text.size()) {
    decoded next = decode(text.substr(bytes));
    used += width(next.character);
    if (used > columns) {
      break;
    }
    bytes += next.length;
  }
  return bytes;
}

} // namespace

decoded decode(std::string_view text) {
  std::size_t length = otpp::detail::utf8_length(text);
  if (length == 0) {
    return {replacement, 1, false};
  }
  return {otpp::detail::code_point(text.substr(0, length)), length, true};
}

std::string repair(std::string_view text) { return otpp::detail::valid_utf8(text); }

std::string clean(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  std::size_t marks = most_marks; // none without a character before it
  while (!text.empty()) {
    decoded next = decode(text);
    if (!next.valid) {
      result += escape(static_cast<std::uint8_t>(text[0]));
      marks = 0;
    } else if (is_hostile(next.character)) {
      result += escape(next.character);
      marks = 0;
    } else if (width(next.character) != 0) {
      result += text.substr(0, next.length);
      marks = 0;
    } else if (marks < most_marks) {
      result += text.substr(0, next.length);
      ++marks;
    }
    text.remove_prefix(next.length);
  }
  return result;
}

std::vector<std::string> clean_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    lines.push_back(clean(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::size_t width(char32_t character) {
  if (character < 0x80) {
    return 1;
  }
  // Negative where the locale does not have it; a `?` is shown then.
  int columns = ::wcwidth(static_cast<wchar_t>(character));
  return columns < 0 ? 1 : static_cast<std::size_t>(columns);
}

std::size_t width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    decoded next = decode(text);
    columns += width(next.character);
    text.remove_prefix(next.length);
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (width(text) <= columns) {
    return std::string(text);
  }
  if (columns == 0) {
    return {};
  }
  return std::string(text.substr(0, bytes_within(text, columns - 1))) + '~';
}

std::string fit_left(std::string_view text, std::size_t columns) {
  std::string result = cut(text, columns);
  return result.append(columns - width(result), ' ');
}

std::string fit_right(std::string_view text, std::size_t columns) {
  std::string result = cut(text, columns);
  return std::string(columns - width(result), ' ') + result;
}

std::vector<std::string> wrap(std::string_view text, std::size_t columns) {
  columns = std::max<std::size_t>(columns, 2); // a wide character must fit
  std::vector<std::string> lines;
  do {
    std::size_t end = bytes_within(text, columns);
    std::size_t next = end;
    if (end < text.size()) {
      std::size_t space = text.substr(0, end + 1).rfind(' ');
      if (space != std::string_view::npos && space != 0) {
        end = space;
        next = space + 1;
      }
    }
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(next);
  } while (!text.empty());
  return lines;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) {
    return "?";
  }
  if (seconds > 0 && seconds < 0.00095) {
    return format("%.0fus", seconds * 1e6);
  }
  if (seconds < 0.0995) {
    return format("%.1fms", seconds * 1000);
  }
  if (seconds < 59.95) {
    return format("%.1fs", seconds);
  }
  double minutes = std::floor(seconds / 60);
  if (minutes < 60) {
    return format("%.0fm%02.0fs", minutes, std::floor(seconds - (minutes * 60)));
  }
  double hours = std::floor(minutes / 60);
  if (hours < 24) {
    return format("%.0fh%02.0fm", hours, minutes - (hours * 60));
  }
  double days = std::floor(hours / 24);
  return format("%.0fd%02.0fh", days, hours - (days * 24));
}

std::string number(double value) {
  if (!std::isfinite(value)) {
    return "?";
  }
  bool whole = value == std::floor(value);
  if (std::abs(value) >= 1e15) {
    return format("%.3g", value);
  }
  return whole || std::abs(value) >= 1000 ? format("%.0f", value) : format("%.1f", value);
}

std::string percent(double share) { return std::isfinite(share) ? format("%.0f%%", share * 100) : "?"; }

} // namespace top
