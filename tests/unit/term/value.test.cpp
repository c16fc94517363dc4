// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/value.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <otpp/term/bytes.hpp>

#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

using kind = otpp::term_view::kind;

namespace {

// The term whose bytes these are.
otpp::term term_from(const std::string& bytes) { return otpp::from_bytes<otpp::term>(bytes_of(131, bytes)); }

const std::string here = bytes_of(119, 3, "a@b");

} // namespace

TEST_CASE("term: it gives back the bytes that came", "[term]") {
  for (const std::string& bytes :
       {bytes_of(110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), bytes_of(77, 0, 0, 0, 1, 3, 160),
        bytes_of(108, 0, 0, 0, 1, 119, 1, "a", 119, 1, "b"), bytes_of_fun(bytes_of(106)),
        bytes_of(110, 3, 0, 5, 0, 0), bytes_of(100, 0, 1, "\xE9")}) {
    otpp::term one = term_from(bytes);
    CHECK(one.bytes() == bytes);
    CHECK(otpp::to_bytes(one) == bytes_of(131, bytes));
    CHECK(one.view().copy() == one);
  }
}

TEST_CASE("term: made of a value, and a value of it", "[term]") {
  CHECK(otpp::term().bytes() == bytes_of(106));
  otpp::term numbers = otpp::term::of(std::vector<int>{1, 300});
  CHECK(numbers.bytes() == bytes_of(108, 0, 0, 0, 2, 97, 1, 98, 0, 0, 1, 44, 106));
  CHECK(numbers.get<std::vector<int>>() == std::vector<int>{1, 300});
  CHECK(numbers.view().get<std::vector<int>>() == std::vector<int>{1, 300});
  CHECK_FALSE(numbers.get<int>());
  CHECK_FALSE(numbers.view().get<int>());
  CHECK_FALSE(numbers.get<std::vector<int>>({.depth = 0}));
  CHECK_FALSE(numbers.view().get<std::vector<int>>({.memory = 4}));
  CHECK(otpp::term::of(numbers) == numbers);
  CHECK_THROWS_AS(otpp::term::of(1e308 * 10), std::invalid_argument);
}

TEST_CASE("term: equal if the bytes are", "[term]") {
  CHECK(otpp::term::of(5) == term_from(bytes_of(97, 5)));
  CHECK(otpp::term::of(5) != otpp::term::of(6));
  CHECK(otpp::term::of(5) != term_from(bytes_of(110, 1, 0, 5)));
  std::unordered_set<otpp::term> all{otpp::term::of(5), otpp::term::of(5), otpp::term()};
  CHECK(all.size() == 2);
}

TEST_CASE("term: it takes no more memory than it may", "[term]") {
  otpp::term read;
  std::string bytes = bytes_of(131, 109, 0, 0, 0, 1, "x");
  CHECK(otpp::from_bytes(bytes, read, {.memory = 6}));
  CHECK_FALSE(otpp::from_bytes(bytes, read, {.memory = 5}));
}

TEST_CASE("term: what it may be", "[term]") {
  auto what = [](const std::string& bytes) { return term_from(bytes).view().what(); };
  for (const std::string& atom :
       {bytes_of(119, 0), bytes_of(118, 0, 0), bytes_of(115, 0), bytes_of(100, 0, 0)}) {
    CHECK(what(atom) == kind::atom);
  }
  CHECK(what(bytes_of(97, 0)) == kind::integer);
  CHECK(what(bytes_of(98, 0, 0, 0, 0)) == kind::integer);
  CHECK(what(bytes_of(110, 0, 0)) == kind::integer);
  CHECK(what(bytes_of(111, 0, 0, 0, 0, 0)) == kind::integer);
  CHECK(what(bytes_of(70, std::string(8, '\0'))) == kind::floating);
  CHECK(what(bytes_of(99, std::string(31, '0'))) == kind::floating);
  CHECK(what(bytes_of(104, 0)) == kind::tuple);
  CHECK(what(bytes_of(105, 0, 0, 0, 0)) == kind::tuple);
  CHECK(what(bytes_of(106)) == kind::list);
  CHECK(what(bytes_of(107, 0, 0)) == kind::list);
  CHECK(what(bytes_of(108, 0, 0, 0, 1, 106, 106)) == kind::list);
  CHECK(what(bytes_of(116, 0, 0, 0, 0)) == kind::map);
  CHECK(what(bytes_of(109, 0, 0, 0, 0)) == kind::binary);
  CHECK(what(bytes_of(77, 0, 0, 0, 1, 3, 160)) == kind::bits);
  CHECK(what(bytes_of(88, here, std::string(12, '\0'))) == kind::pid);
  CHECK(what(bytes_of(89, here, std::string(8, '\0'))) == kind::port);
  CHECK(what(bytes_of(120, here, std::string(12, '\0'))) == kind::port);
  CHECK(what(bytes_of(90, 0, 1, here, std::string(8, '\0'))) == kind::reference);
  CHECK(what(bytes_of(113, 119, 1, "m", 119, 1, "f", 97, 2)) == kind::fun);
  CHECK(what(bytes_of_fun(bytes_of(106))) == kind::fun);
}

TEST_CASE("term: a view walks it", "[term]") {
  otpp::term whole = term_from(bytes_of(
      104, 3, 119, 2, "ok", 108, 0, 0, 0, 1, 97, 1, 97, 2,                   // [1|2]
      116, 0, 0, 0, 2, 119, 1, "a", 107, 0, 2, 7, 255, 97, 5, 119, 1, "x")); // #{a => [7,255], 5 => x}
  std::vector<otpp::term_view> parts = whole.view().elements();
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].is_atom("ok"));
  CHECK_FALSE(parts[0].is_atom("o"));
  CHECK_FALSE(parts[1].is_atom("ok"));
  CHECK(parts[0].elements().empty());
  REQUIRE(parts[1].elements().size() == 2);
  CHECK(parts[1].elements()[1].get<int>() == 2);
  CHECK(parts[2].elements().size() == 4);
  REQUIRE(parts[2].at("a"));
  std::vector<otpp::term_view> numbers = parts[2].at("a")->elements();
  REQUIRE(numbers.size() == 2);
  CHECK(numbers[0].get<int>() == 7);
  CHECK(numbers[1].get<int>() == 255);
  CHECK(parts[2].at("a")->copy() == term_from(bytes_of(107, 0, 2, 7, 255)));
  CHECK_FALSE(parts[2].at("b"));
  CHECK_FALSE(parts[0].at("a"));
  CHECK(whole.view().text() == "{ok,[1|2],#{a => [7,255],5 => x}}");
  CHECK(otpp::term::of(std::vector<int>{1}).view().elements().size() == 1);
  CHECK(otpp::term().view().elements().empty());
}

TEST_CASE("term: of equal keys of a map the last counts", "[term]") {
  otpp::term map = term_from(bytes_of(116, 0, 0, 0, 2, 119, 1, "a", 97, 1, 100, 0, 1, "a", 97, 2));
  CHECK(map.view().at("a")->get<int>() == 2);
}

TEST_CASE("term: it is printed", "[term]") {
  std::ostringstream out;
  out << otpp::term::of(std::map<otpp::atom, std::string>{{otpp::atom("k"), "v"}});
  CHECK(out.str() == R"(#{k => <<"v">>})");
  CHECK(otpp::to_string(otpp::term::of(std::string(20'000, 'x'))).size() == 10'003);
}

TEST_CASE("term: a million tuples in each other are one, and printed", "[term]") {
  std::string deep;
  for (int i = 0; i != 1'000'000; ++i) {
    deep += bytes_of(104, 1);
  }
  otpp::term one = term_from(deep + bytes_of(106));
  CHECK(one.bytes().size() == 2'000'001);
  CHECK(one.view().text() == std::string(64, '{') + "..." + std::string(64, '}'));
  CHECK(one.view().elements().size() == 1);
  CHECK(one.view().copy() == one);
}
