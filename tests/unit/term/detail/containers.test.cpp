// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/detail/containers.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <otpp/term/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

using otpp::from_bytes;
using otpp::to_bytes;

namespace {

template <class T>
std::optional<T> decoded(std::string_view bytes, otpp::term_limits limits = {}) {
  T value{};
  return from_bytes(bytes, value, limits) ? std::optional<T>(value) : std::nullopt;
}

template <class T>
void check_container(const T& value, const std::string& bytes) {
  CHECK(to_bytes(value) == bytes);
  std::optional<T> read = decoded<T>(bytes);
  CHECK((read && *read == value));
  CHECK_FALSE(decoded<T>(bytes + "x"));
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CHECK_FALSE(decoded<T>(std::string_view(bytes).substr(0, size)));
  }
}

const std::string list_1_300 = bytes_of(131, 108, 0, 0, 0, 2, 97, 1, 98, 0, 0, 1, 44, 106);
const std::string string_1_2 = bytes_of(131, 107, 0, 2, 1, 2); // [1,2], as Erlang writes it
const std::string empty_list = bytes_of(131, 106);

} // namespace

TEST_CASE("term containers: lists", "[term]") {
  check_container(std::vector<int>{1, 300}, list_1_300);
  check_container(std::deque<int>{1, 300}, list_1_300);
  check_container(std::set<int>{300, 1}, list_1_300);
  check_container(std::array<int, 2>{1, 300}, list_1_300);
  check_container(std::vector<int>(), empty_list);
  check_container(std::array<int, 0>(), empty_list);
  check_container(std::vector<bool>{true}, bytes_of(131, 108, 0, 0, 0, 1, 119, 4, "true", 106));
  check_container(
      std::vector<std::vector<int>>{{}, {7}},
      bytes_of(131, 108, 0, 0, 0, 2, 106, 108, 0, 0, 0, 1, 97, 7, 106, 106));
  std::vector<int> used{7, 8, 9};
  CHECK(from_bytes(list_1_300, used));
  CHECK(used == std::vector<int>{1, 300});
}

TEST_CASE("term containers: a list of small integers is a STRING of Erlang", "[term]") {
  CHECK(decoded<std::vector<int>>(string_1_2) == std::vector<int>{1, 2});
  CHECK(decoded<std::set<unsigned char>>(string_1_2) == std::set<unsigned char>{1, 2});
  CHECK(decoded<std::deque<double>>(string_1_2) == std::deque<double>{1.0, 2.0});
  CHECK(decoded<std::array<int, 2>>(string_1_2) == std::array<int, 2>{1, 2});
  CHECK(decoded<std::vector<std::optional<int>>>(string_1_2) == std::vector<std::optional<int>>{1, 2});
  using choice = std::variant<std::string, int>;
  CHECK(decoded<std::vector<choice>>(string_1_2) == std::vector<choice>{1, 2});
  CHECK(
      decoded<std::vector<otpp::term>>(string_1_2) ==
      std::vector<otpp::term>{otpp::term::of(1), otpp::term::of(2)});
  CHECK(decoded<std::vector<std::string>>(bytes_of(131, 107, 0, 0)) == std::vector<std::string>());
  CHECK_FALSE(decoded<std::vector<std::string>>(string_1_2));
  CHECK_FALSE(decoded<std::vector<bool>>(string_1_2));
  CHECK(decoded<std::vector<std::int8_t>>(bytes_of(131, 107, 0, 1, 127)) == std::vector<std::int8_t>{127});
  CHECK_FALSE(decoded<std::vector<std::int8_t>>(bytes_of(131, 107, 0, 1, 128)));
  CHECK_FALSE(decoded<std::vector<int>>(bytes_of(131, 107, 255, 255, 1)));
}

TEST_CASE("term containers: lists that do not fit", "[term]") {
  CHECK_FALSE(decoded<std::vector<std::uint8_t>>(list_1_300));
  CHECK_FALSE(decoded<std::array<int, 3>>(list_1_300));
  CHECK_FALSE(decoded<std::array<int, 1>>(list_1_300));
  CHECK_FALSE(decoded<std::vector<int>>(bytes_of(131, 108, 0, 0, 0, 1, 97, 1, 97, 2))); // [1|2]
  CHECK_FALSE(decoded<std::vector<int>>(bytes_of(131, 104, 1, 97, 1)));
  CHECK_FALSE(decoded<std::vector<int>>(bytes_of(131, 108, 255, 255, 255, 255, 97, 1, 106)));
}

TEST_CASE("term containers: bytes are a binary", "[term]") {
  check_container(
      std::vector<std::byte>{std::byte{0}, std::byte{255}}, bytes_of(131, 109, 0, 0, 0, 2, 0, 255));
  CHECK_FALSE(decoded<std::vector<std::byte>>(string_1_2));
  CHECK_FALSE(decoded<std::vector<std::byte>>(bytes_of(131, 109, 255, 255, 255, 255, 0)));
  CHECK_FALSE(decoded<std::vector<std::byte>>(bytes_of(131, 109, 0, 0, 0, 2, 0, 0), {.memory = 1}));
}

TEST_CASE("term containers: an optional without a value is undefined", "[term]") {
  check_container(std::optional<int>(), bytes_of(131, 119, 9, "undefined"));
  check_container(std::optional<int>(5), bytes_of(131, 97, 5));
  check_container(std::optional<otpp::atom>(otpp::atom("ok")), bytes_of(131, 119, 2, "ok"));
  std::optional<int> used(7);
  CHECK(from_bytes(bytes_of(131, 119, 3, "nil"), used));
  CHECK_FALSE(used);
  CHECK(from_bytes(bytes_of(131, 100, 0, 9, "undefined"), used));
  CHECK_FALSE(from_bytes(bytes_of(131, 119, 4, "null"), used));
  CHECK_FALSE(from_bytes(bytes_of(131, 119, 9, "undefine"), used));
}

TEST_CASE("term containers: maps", "[term]") {
  std::string bytes =
      bytes_of(131, 116, 0, 0, 0, 2, 109, 0, 0, 0, 1, "a", 97, 1, 109, 0, 0, 0, 1, "b", 97, 2);
  check_container(std::map<std::string, int>{{"b", 2}, {"a", 1}}, bytes);
  CHECK(
      decoded<std::unordered_map<std::string, int>>(bytes) ==
      std::unordered_map<std::string, int>{{"b", 2}, {"a", 1}});
  check_container(std::map<int, int>(), bytes_of(131, 116, 0, 0, 0, 0));
  check_container(
      std::unordered_map<otpp::atom, bool>{{otpp::atom("a"), true}},
      bytes_of(131, 116, 0, 0, 0, 1, 119, 1, "a", 119, 4, "true"));
  // Of equal keys the last counts.
  CHECK(decoded<std::map<int, int>>(bytes_of(131, 116, 0, 0, 0, 2, 97, 1, 97, 2, 97, 1, 97, 3))->at(1) == 3);
  CHECK_FALSE(decoded<std::map<int, int>>(bytes));
  CHECK_FALSE(decoded<std::map<int, int>>(bytes_of(131, 106)));
  CHECK_FALSE(decoded<std::map<int, int>>(bytes_of(131, 116, 255, 255, 255, 255, 97, 1, 97, 2)));
}

TEST_CASE("term containers: pairs and tuples", "[term]") {
  std::string bytes = bytes_of(131, 104, 2, 97, 1, 109, 0, 0, 0, 1, "x");
  check_container(std::pair<int, std::string>(1, "x"), bytes);
  check_container(std::tuple<int, std::string>(1, "x"), bytes);
  check_container(std::tuple<>(), bytes_of(131, 104, 0));
  CHECK(decoded<std::tuple<int>>(bytes_of(131, 105, 0, 0, 0, 1, 97, 1)) == std::tuple<int>(1));
  CHECK_FALSE(decoded<std::tuple<int>>(bytes));
  CHECK_FALSE(decoded<std::tuple<int, std::string, int>>(bytes));
  CHECK_FALSE(decoded<std::pair<std::string, int>>(bytes));
  CHECK_FALSE(decoded<std::pair<int, int>>(bytes_of(131, 104, 3, 97, 1, 97, 1, 97, 1)));
}

TEST_CASE("term containers: memory and depth are limited", "[term]") {
  std::string three = to_bytes(std::vector<int>{1, 2, 300});
  CHECK(decoded<std::vector<int>>(three, {.memory = 3 * sizeof(int) + 16}));
  CHECK_FALSE(decoded<std::vector<int>>(three, {.memory = 3 * sizeof(int) + 15}));
  CHECK_FALSE(decoded<std::vector<int>>(string_1_2, {.memory = 7}));
  std::string two = to_bytes(std::vector<std::vector<int>>{{300}});
  CHECK(decoded<std::vector<std::vector<int>>>(two, {.depth = 2}));
  CHECK_FALSE(decoded<std::vector<std::vector<int>>>(two, {.depth = 1}));
  std::string map = to_bytes(std::map<int, int>{{1, 2}});
  CHECK(decoded<std::map<int, int>>(map, {.depth = 1}));
  CHECK_FALSE(decoded<std::map<int, int>>(map, {.depth = 0}));
  CHECK_FALSE(decoded<std::map<int, int>>(map, {.memory = 50}));
  CHECK_FALSE(decoded<std::pair<int, int>>(to_bytes(std::pair(1, 2)), {.depth = 0}));
  CHECK_FALSE(decoded<std::tuple<int>>(to_bytes(std::tuple(1)), {.depth = 0}));
  // A list of a million empty lists would be a list of 24 MB.
  std::string wide = bytes_of(131, 108, 0, 15, 66, 64, std::string(1'000'001, 'j'));
  CHECK_FALSE(decoded<std::vector<std::vector<int>>>(wide));
  CHECK(decoded<std::vector<std::vector<int>>>(wide, {.memory = 50'000'000}));
}
