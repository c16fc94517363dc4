// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/atom.hpp>

#include "support/catch.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>

using otpp::detail::count_characters;

namespace {

constexpr std::size_t no_utf8 = std::string_view::npos;

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (; times != 0; --times) {
    all += text;
  }
  return all;
}

} // namespace

TEST_CASE("atom: its name is its value", "[term]") {
  CHECK(otpp::atom().text().empty());
  CHECK(otpp::atom("ok").text() == "ok");
  CHECK(otpp::atom("ok") == otpp::atom("ok"));
  CHECK(otpp::atom("ok") == "ok");
  CHECK(otpp::atom("ok") != otpp::atom("error"));
  CHECK(otpp::atom("a") < otpp::atom("b"));
  std::unordered_set<otpp::atom> all{otpp::atom("a"), otpp::atom("b"), otpp::atom("a")};
  CHECK(all.size() == 2);
}

TEST_CASE("atom: it has at most 255 characters, of any length", "[term]") {
  CHECK(otpp::atom(std::string(255, 'a')).text().size() == 255);
  CHECK(otpp::atom(repeated("\xF0\x9F\x98\x80", 255)).text().size() == 1020);
  CHECK_THROWS_AS(otpp::atom(std::string(256, 'a')), std::invalid_argument);
  CHECK_THROWS_AS(otpp::atom(repeated("\xC3\xA9", 256)), std::invalid_argument);
  CHECK_THROWS_AS(otpp::atom("\xE9"), std::invalid_argument);
}

TEST_CASE("atom: characters are counted, and what is no UTF-8 is seen", "[term]") {
  CHECK(count_characters("") == 0);
  CHECK(count_characters("abc") == 3);
  CHECK(count_characters("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == 3);
  CHECK(count_characters("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF") == 3);
  for (std::string_view bad :
       {"\x80", "\xC3", "\xC3\x28", "\xC0\x80", "\xC1\xBF", "\xE2\x82", "\xE2\x82\x28", "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    CHECK(count_characters(bad) == no_utf8);
  }
}
