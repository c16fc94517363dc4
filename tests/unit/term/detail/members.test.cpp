// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/detail/members.hpp>

#include "support/catch.hpp"

#include <otpp/term/value.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using otpp::detail::number_of_term_members;
using otpp::detail::with_term_members;

namespace {

struct no_members {};
struct one_member {
  int a;
};
struct all_kinds {
  bool a;
  double b = 2;
  std::string c;
  std::string_view d;
  std::optional<int> e;
  std::variant<int, std::string> f;
  std::vector<std::string> g;
  std::map<std::string, int> h;
  std::array<int, 3> i;
  std::pair<int, int> j;
  std::tuple<int, std::string> k;
  otpp::atom l;
  otpp::term m;
  one_member n;
  std::optional<one_member> o;
  std::vector<one_member> p;
};
struct seventeen {
  all_kinds a;
  int b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q;
};

static_assert(number_of_term_members<no_members>() == 0);
static_assert(number_of_term_members<one_member>() == 1);
static_assert(number_of_term_members<all_kinds>() == 16);
static_assert(number_of_term_members<seventeen>() == 17);

#define OTPP_TEST_INTS(count, ...) \
  struct ints_##count {            \
    int __VA_ARGS__;               \
  }
OTPP_TEST_INTS(2, a, b);
OTPP_TEST_INTS(3, a, b, c);
OTPP_TEST_INTS(4, a, b, c, d);
OTPP_TEST_INTS(5, a, b, c, d, e);
OTPP_TEST_INTS(6, a, b, c, d, e, f);
OTPP_TEST_INTS(7, a, b, c, d, e, f, g);
OTPP_TEST_INTS(8, a, b, c, d, e, f, g, h);
OTPP_TEST_INTS(9, a, b, c, d, e, f, g, h, i);
OTPP_TEST_INTS(10, a, b, c, d, e, f, g, h, i, j);
OTPP_TEST_INTS(11, a, b, c, d, e, f, g, h, i, j, k);
OTPP_TEST_INTS(12, a, b, c, d, e, f, g, h, i, j, k, l);
OTPP_TEST_INTS(13, a, b, c, d, e, f, g, h, i, j, k, l, m);
OTPP_TEST_INTS(14, a, b, c, d, e, f, g, h, i, j, k, l, m, n);
OTPP_TEST_INTS(15, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
OTPP_TEST_INTS(16, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
#undef OTPP_TEST_INTS

// Numbers all members from 1 on, and returns how many there were and whether the last has its number.
template <class T>
int numbered(T one = {}) {
  int last = 0;
  with_term_members(one, [&](auto&... each) { ((each = ++last), ...); });
  const T& read = one;
  int next = 0;
  bool in_order = with_term_members(read, [&](const auto&... each) { return ((each == ++next) && ...); });
  return in_order ? last : -1;
}

} // namespace

TEST_CASE("term members: all are visited, in order", "[term]") {
  no_members none;
  CHECK(with_term_members(none, [](auto&... each) { return sizeof...(each); }) == 0);
  CHECK(numbered<one_member>() == 1);
  CHECK(numbered<ints_2>() == 2);
  CHECK(numbered<ints_3>() == 3);
  CHECK(numbered<ints_4>() == 4);
  CHECK(numbered<ints_5>() == 5);
  CHECK(numbered<ints_6>() == 6);
  CHECK(numbered<ints_7>() == 7);
  CHECK(numbered<ints_8>() == 8);
  CHECK(numbered<ints_9>() == 9);
  CHECK(numbered<ints_10>() == 10);
  CHECK(numbered<ints_11>() == 11);
  CHECK(numbered<ints_12>() == 12);
  CHECK(numbered<ints_13>() == 13);
  CHECK(numbered<ints_14>() == 14);
  CHECK(numbered<ints_15>() == 15);
  CHECK(numbered<ints_16>() == 16);
}
