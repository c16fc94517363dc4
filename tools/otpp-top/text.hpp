// SPDX-License-Identifier: BSL-1.0

// Text for a terminal. What comes from the program may hold anything; what clean() has seen is valid UTF-8
// without control characters, and all other functions take only such text.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace top {

struct decoded {
  char32_t character; // U+FFFD where valid is false
  std::size_t length; // how many bytes it takes, at least 1
  bool valid;
};

// The first character of UTF-8, which is not empty.
decoded decode(std::string_view text);

// Invalid bytes become U+FFFD: JSON's reader refuses them.
std::string repair(std::string_view text);

// One line that does no harm: control characters, invalid bytes, and characters that are invisible or change the
// direction of writing become escapes such as \x1b and \u202e. No base character keeps more than three marks.
std::string clean(std::string_view text);

// The same for each line of a text.
std::vector<std::string> clean_lines(std::string_view text);

// How many columns a character, or a line, takes.
std::size_t width(char32_t character);
std::size_t width(std::string_view text);

// At most so many columns. What is cut off leaves a `~`.
std::string cut(std::string_view text, std::size_t columns);

// Just so many columns.
std::string fit_left(std::string_view text, std::size_t columns);
std::string fit_right(std::string_view text, std::size_t columns);

// Lines of at most so many columns, broken at spaces where there are any.
std::vector<std::string> wrap(std::string_view text, std::size_t columns);

// 0.3s, 12.3s, 2m05s, 3h20m, 5d02h.
std::string duration(double seconds);

// With one digit after the point where the number is small and not whole.
std::string number(double value);

std::string percent(double share);

} // namespace top
