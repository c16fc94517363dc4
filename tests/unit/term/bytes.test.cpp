// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/bytes.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct line {
  std::string item;
  double price = 0;
  int count = 0;
  bool operator==(const line&) const = default;
  static constexpr auto term =
      otpp::as::map("item", &line::item, "price", &line::price, "count", &line::count);
};
struct order {
  int id = 0;
  std::optional<std::string> note;
  std::vector<line> lines;
  bool operator==(const order&) const = default;
  static constexpr auto term = otpp::as::tagged("order");
};

template <class T>
std::string what_is_bad(std::string_view bytes) {
  try {
    otpp::from_bytes<T>(bytes);
  } catch (const otpp::bad_term& bad) {
    return bad.what();
  }
  return "nothing";
}

} // namespace

TEST_CASE("term bytes: with the version in front, both ways", "[term]") {
  CHECK(otpp::to_bytes(5) == bytes_of(131, 97, 5));
  CHECK(otpp::from_bytes<int>(bytes_of(131, 97, 5)) == 5);
  int value = 0;
  CHECK(otpp::from_bytes(bytes_of(131, 97, 5), value));
  CHECK(value == 5);
  order one{7, {}, {{"pen", 1.5, 2}, {"cup", 4, 1}}};
  CHECK(otpp::from_bytes<order>(otpp::to_bytes(one)) == one);
}

TEST_CASE("term bytes: all of them, and only one term", "[term]") {
  int value = 0;
  for (const std::string& bad :
       {bytes_of(), bytes_of(131), bytes_of(97, 5), bytes_of(130, 97, 5), bytes_of(131, 131, 97, 5),
        bytes_of(131, 97), bytes_of(131, 97, 5, 97, 5), bytes_of(131, 80, 0, 0, 0, 2, 120, 156)}) {
    CHECK_FALSE(otpp::from_bytes(bad, value));
  }
  std::string whole = otpp::to_bytes(order{7, "x", {{"pen", 1.5, 2}, {"cup", 4, 1}}});
  for (std::size_t size = 0; size != whole.size(); ++size) {
    order read;
    CHECK_FALSE(otpp::from_bytes(std::string_view(whole).substr(0, size), read));
  }
}

TEST_CASE("term bytes: what does not fit is shown", "[term]") {
  CHECK(
      what_is_bad<int>(bytes_of(131, 104, 2, 119, 3, "add", 97, 5)) == "otpp: a term does not fit: {add,5}");
  CHECK(what_is_bad<int>(bytes_of(131, 97)) == "otpp: 2 bytes are no term in Erlang's external format");
  CHECK(what_is_bad<int>("") == "otpp: 0 bytes are no term in Erlang's external format");
  std::string cut = what_is_bad<int>(otpp::to_bytes(std::string(1000, 'x')));
  CHECK(cut == "otpp: a term does not fit: <<\"" + std::string(197, 'x') + "...");
  CHECK_THROWS_AS(
      otpp::from_bytes<std::string>(otpp::to_bytes(std::string(9, 'x')), {.memory = 8}), otpp::bad_term);
}

TEST_CASE("term bytes: what Erlang has not is refused", "[term]") {
  CHECK_THROWS_AS(otpp::to_bytes(std::nan("")), std::invalid_argument);
  CHECK_THROWS_AS(otpp::to_bytes(order{1, {}, {{"pen", HUGE_VAL, 1}}}), std::invalid_argument);
}
