// SPDX-License-Identifier: BSL-1.0

#include "text.hpp"

#include "support/catch.hpp"

#include <clocale>
#include <string>

namespace {

// Widths are those of the locale.
bool has_unicode() { return std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr; }

} // namespace

TEST_CASE("text: what would harm a terminal becomes an escape", "[top]") {
  CHECK(top::clean("plain text") == "plain text");
  CHECK(top::clean("a\x1b[2Jb") == "a\\x1b[2Jb");
  CHECK(top::clean("a\nb\tc\rd\x7f") == "a\\nb\\tc\\rd\\x7f");
  CHECK(top::clean(std::string("\0", 1)) == "\\x00");
  CHECK(top::clean("\xc2\x9b") == "\\x9b");                          // CSI as one character
  CHECK(top::clean("\x9b") == "\\x9b");                              // and as one byte
  CHECK(top::clean("\xe2\x80\xae\xe2\x80\x8b") == "\\u202e\\u200b"); // turns the line around; invisible
  CHECK(top::clean("\xf3\xa0\x81\x81") == "\\u{e0041}");             // a tag
}

TEST_CASE("text: bytes that are no UTF-8 are told, one by one", "[top]") {
  CHECK(top::clean("\xff") == "\\xff");
  CHECK(top::clean("\xc3") == "\\xc3");
  CHECK(top::clean("\xc0\x80") == "\\xc0\\x80");                   // too long a form
  CHECK(top::clean("\xed\xa0\x80") == "\\xed\\xa0\\x80");          // half a pair of UTF-16
  CHECK(top::clean("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80"); // beyond the last
  CHECK(top::clean("\xe2\x82") == "\\xe2\\x82");                   // ends within a character
  CHECK(top::repair("a\xff\xc3(") == "a\xef\xbf\xbd\xef\xbf\xbd(");
}

TEST_CASE("text: marks without end are cut", "[top]") {
  REQUIRE(has_unicode());
  std::string text = "e";
  for (int i = 0; i < 100; ++i) {
    text += "\xcc\x81";
  }
  CHECK(top::clean(text) == "e\xcc\x81\xcc\x81\xcc\x81");
  CHECK(
      top::clean("\xcc\x81"
                 "a") == "a"); // one that has nothing to stand on
  CHECK(top::width(top::clean(text)) == 1);
}

TEST_CASE("text: wide characters take two columns, and are not halved", "[top]") {
  REQUIRE(has_unicode());
  std::string text = "\xe4\xb8\xad\xe6\x96\x87";
  CHECK(top::width(text) == 4);
  CHECK(top::cut(text, 4) == text);
  CHECK(top::cut(text, 3) == "\xe4\xb8\xad~");
  CHECK(top::cut(text, 2) == "~");
  CHECK(top::fit_left(text, 3) == "\xe4\xb8\xad~");
  CHECK(top::fit_left(text, 2) == "~ ");
  CHECK(top::fit_right(text, 6) == "  " + text);
  CHECK(top::cut(text, 0).empty());
}

TEST_CASE("text: lines break at spaces, or where they must", "[top]") {
  using lines = std::vector<std::string>;
  CHECK(top::wrap("one two three", 8) == lines{"one two", "three"});
  CHECK(top::wrap("one two", 7) == lines{"one two"});
  CHECK(top::wrap("abcdefgh", 3) == lines{"abc", "def", "gh"});
  CHECK(top::wrap("", 3) == lines{""});
  CHECK(top::wrap("abc", 0) == lines{"ab", "c"});
  CHECK(top::clean_lines("a\r\n\nb\x07\n") == lines{"a", "", "b\\x07"});
}

TEST_CASE("text: numbers are as short as one can read them", "[top]") {
  CHECK(top::duration(0.00001) == "10us");
  CHECK(top::duration(0.001) == "1.0ms");
  CHECK(top::duration(12.34) == "12.3s");
  CHECK(top::duration(59.97) == "0m59s");
  CHECK(top::duration(125) == "2m05s");
  CHECK(top::duration(3 * 3600 + 20 * 60) == "3h20m");
  CHECK(top::duration(5 * 86400 + 2 * 3600) == "5d02h");
  CHECK(top::duration(-1) == "?");
  CHECK(top::number(12) == "12");
  CHECK(top::number(12.25) == "12.2");
  CHECK(top::number(1234.5) == "1234");
  CHECK(top::percent(0.25) == "25%");
}
