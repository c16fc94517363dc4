// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/detail/forms.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <otpp/term/bytes.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

using otpp::from_bytes;
using otpp::to_bytes;

namespace {

struct get_all {
  bool operator==(const get_all&) const = default;
  static constexpr auto term = otpp::as::tagged("get_all");
};
struct add {
  int n = 0;
  bool operator==(const add&) const = default;
  static constexpr auto term = otpp::as::tagged("add");
};
struct add_two {
  int n = 0;
  int m = 0;
  bool operator==(const add_two&) const = default;
  static constexpr auto term = otpp::as::tagged("add");
};
struct nested {
  add first;
  std::vector<add> more;
  std::optional<int> last;
  bool operator==(const nested&) const = default;
  static constexpr auto term = otpp::as::tagged("nested").absent("nil");
};
struct outer {
  nested inside;
  std::optional<int> last;
  bool operator==(const outer&) const = default;
  static constexpr auto term = otpp::as::tagged("outer");
};
// A class, which shows no members, in another order, without one of them.
class account {
 public:
  account() = default;
  account(int id, std::string name) : id_(id), name_(std::move(name)), cached_(1) {}
  bool operator==(const account&) const = default;

 private:
  int id_ = 0;
  std::string name_;
  int cached_ = 1;

 public:
  static constexpr auto term = otpp::as::tagged("account", &account::name_, &account::id_);
};
struct point {
  int x = 0;
  int y = 0;
  bool operator==(const point&) const = default;
  static constexpr auto term = otpp::as::tuple();
};
struct nothing_in_it {
  bool operator==(const nothing_in_it&) const = default;
  static constexpr auto term = otpp::as::tuple();
};
struct user {
  int id = 0;
  std::optional<std::string> name;
  bool operator==(const user&) const = default;
  static constexpr auto term = otpp::as::map("id", &user::id, "name", &user::name).absent("nil");
};
struct unnamed {
  std::optional<int> value;
  bool operator==(const unnamed&) const = default;
  static constexpr auto term = otpp::as::map("", &unnamed::value);
};
enum class color : std::uint8_t { red, green, blue };
struct tree {
  int value = 0;
  std::vector<tree> children;
  static constexpr auto term = otpp::as::tagged("tree");
};
struct percent {
  int value = 0;
  bool operator==(const percent&) const = default;
};
struct foreign {
  int a = 0;
  bool operator==(const foreign&) const = default;
};

} // namespace

template <>
inline constexpr auto otpp::term_of<color> = otpp::as::atoms(color::red, "red", color::green, "green");
template <>
inline constexpr auto otpp::term_of<foreign> = otpp::as::tagged("foreign");
template <>
inline constexpr auto otpp::term_of<percent> = otpp::as::custom(
    [](const percent& one) { return one.value; },
    [](int value) { return value <= 100 ? std::optional(percent{value}) : std::nullopt; });
template <>
inline constexpr auto otpp::term_of<std::chrono::seconds> = otpp::as::custom(
    [](std::chrono::seconds time) { return static_cast<std::int64_t>(time.count()); },
    [](std::int64_t count) { return std::optional(std::chrono::seconds(count)); });

namespace {

template <class T>
std::optional<T> formed(std::string_view bytes, otpp::term_limits limits = {}) {
  T value{};
  return from_bytes(bytes, value, limits) ? std::optional<T>(std::move(value)) : std::nullopt;
}

template <class T>
void check_form_of(const T& value, const std::string& bytes) {
  CHECK(to_bytes(value) == bytes);
  CHECK((formed<T>(bytes) == value));
  CHECK_FALSE(formed<T>(bytes + "x").has_value());
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CHECK_FALSE(formed<T>(std::string_view(bytes).substr(0, size)).has_value());
  }
}

const std::string add_5 = bytes_of(131, 104, 2, 119, 3, "add", 97, 5);

} // namespace

TEST_CASE("term forms: a tagged struct is a record", "[term]") {
  check_form_of(add{5}, add_5);
  check_form_of(add_two{5, 6}, bytes_of(131, 104, 3, 119, 3, "add", 97, 5, 97, 6));
  check_form_of(get_all{}, bytes_of(131, 119, 7, "get_all"));
  check_form_of(foreign{5}, bytes_of(131, 104, 2, 119, 7, "foreign", 97, 5));
  check_form_of(account(7, "ann"), bytes_of(131, 104, 3, 119, 7, "account", 109, 0, 0, 0, 3, "ann", 97, 7));
  CHECK(formed<add>(bytes_of(131, 104, 2, 100, 0, 3, "add", 97, 5)) == add{5}); // as OTP 25 writes it
  CHECK(formed<add>(bytes_of(131, 105, 0, 0, 0, 2, 119, 3, "add", 97, 5)) == add{5});
}

TEST_CASE("term forms: records of another shape", "[term]") {
  CHECK_FALSE(formed<add_two>(add_5));
  CHECK_FALSE(formed<add>(bytes_of(131, 104, 3, 119, 3, "add", 97, 5, 97, 6)));
  CHECK_FALSE(formed<add>(bytes_of(131, 104, 2, 119, 3, "sub", 97, 5)));
  CHECK_FALSE(formed<add>(bytes_of(131, 104, 2, 109, 0, 0, 0, 3, "add", 97, 5)));
  CHECK_FALSE(formed<add>(bytes_of(131, 104, 2, 119, 3, "add", 119, 1, "x")));
  CHECK_FALSE(formed<add>(bytes_of(131, 119, 3, "add")));
  CHECK_FALSE(formed<add>(bytes_of(131, 104, 0)));
  CHECK_FALSE(formed<add>(bytes_of(130, 104, 2, 119, 3, "add", 97, 5)));
  CHECK_FALSE(formed<add>(bytes_of(131, 105, 255, 255, 255, 255, 119, 3, "add", 97, 5)));
  CHECK_FALSE(formed<get_all>(bytes_of(131, 104, 1, 119, 7, "get_all")));
  CHECK_FALSE(formed<get_all>(bytes_of(131, 119, 7, "got_all")));
}

TEST_CASE("term forms: nothing is what the struct says, in it alone", "[term]") {
  std::string inside = bytes_of(104, 4, 119, 6, "nested", 104, 2, 119, 3, "add", 97, 1, 106, 119, 3, "nil");
  check_form_of(nested{{1}, {}, {}}, bytes_of(131, inside));
  check_form_of(
      outer{{{1}, {}, {}}, {}}, bytes_of(131, 104, 3, 119, 5, "outer", inside, 119, 9, "undefined"));
  check_form_of(
      nested{{1}, {{2}}, 3}, bytes_of(
                                 131, 104, 4, 119, 6, "nested", 104, 2, 119, 3, "add", 97, 1, 108, 0, 0, 0, 1,
                                 104, 2, 119, 3, "add", 97, 2, 106, 97, 3));
}

TEST_CASE("term forms: a tuple has no tag", "[term]") {
  check_form_of(point{1, 2}, bytes_of(131, 104, 2, 97, 1, 97, 2));
  check_form_of(nothing_in_it{}, bytes_of(131, 104, 0));
  CHECK_FALSE(formed<point>(bytes_of(131, 104, 1, 97, 1)));
  CHECK_FALSE(formed<point>(bytes_of(131, 104, 3, 97, 1, 97, 2, 97, 3)));
  CHECK_FALSE(formed<point>(bytes_of(131, 107, 0, 2, 1, 2)));
}

TEST_CASE("term forms: a map has atoms as keys", "[term]") {
  std::string id = bytes_of(119, 2, "id", 97, 7);
  std::string name = bytes_of(119, 4, "name", 109, 0, 0, 0, 3, "ann");
  check_form_of(user{7, "ann"}, bytes_of(131, 116, 0, 0, 0, 2, id, name));
  check_form_of(user{7, {}}, bytes_of(131, 116, 0, 0, 0, 2, id, 119, 4, "name", 119, 3, "nil"));
  CHECK(formed<user>(bytes_of(131, 116, 0, 0, 0, 2, name, id)) == user{7, "ann"});
  CHECK(formed<user>(bytes_of(131, 116, 0, 0, 0, 2, 100, 0, 2, "id", 97, 7, name)) == user{7, "ann"});
}

TEST_CASE("term forms: keys that a map has not, or has twice, or that are unknown", "[term]") {
  std::string id = bytes_of(119, 2, "id", 97, 7);
  std::string other_id = bytes_of(119, 2, "id", 97, 8);
  std::string name = bytes_of(119, 4, "name", 109, 0, 0, 0, 3, "ann");
  user used{1, "bob"};
  CHECK(from_bytes(bytes_of(131, 116, 0, 0, 0, 1, id), used));
  CHECK(used == user{7, {}}); // what was there is not kept
  CHECK_FALSE(formed<user>(bytes_of(131, 116, 0, 0, 0, 1, name)));
  CHECK_FALSE(formed<user>(bytes_of(131, 116, 0, 0, 0, 0)));
  CHECK(formed<user>(bytes_of(131, 116, 0, 0, 0, 2, id, other_id)) == user{8, {}});
  CHECK_FALSE(formed<user>(bytes_of(131, 116, 0, 0, 0, 2, id, 119, 2, "id", 106)));
  std::string unknown = bytes_of(
      119, 3, "age", 104, 1, 106,                    // age => {[]}
      109, 0, 0, 0, 2, "id", 97, 9,                  // <<"id">> => 9
      104, 1, 97, 1, 116, 0, 0, 0, 1, 97, 1, 97, 2); // {1} => #{1 => 2}
  CHECK(formed<user>(bytes_of(131, 116, 0, 0, 0, 5, unknown, id, name)) == user{7, "ann"});
  CHECK_FALSE(formed<user>(bytes_of(131, 116, 0, 0, 0, 2, id, 80, 1, 97, 1))); // a key that is no term
  CHECK_FALSE(formed<user>(bytes_of(131, 116, 0, 0, 0, 2, id, 119, 1, "x", 80)));
  CHECK_FALSE(formed<user>(bytes_of(131, 116, 255, 255, 255, 255, id, name)));
  CHECK_FALSE(formed<user>(bytes_of(131, 106)));
  CHECK(formed<unnamed>(bytes_of(131, 116, 0, 0, 0, 1, 119, 0, 97, 1)) == unnamed{1});
  CHECK(formed<unnamed>(bytes_of(131, 116, 0, 0, 0, 1, 97, 0, 97, 1)) == unnamed{}); // 0 => 1
}

TEST_CASE("term forms: an enum is the atoms of a list", "[term]") {
  check_form_of(color::green, bytes_of(131, 119, 5, "green"));
  CHECK_FALSE(formed<color>(bytes_of(131, 119, 4, "blue")));
  CHECK_FALSE(formed<color>(bytes_of(131, 97, 0)));
  CHECK_THROWS_AS(to_bytes(color::blue), std::invalid_argument);
}

TEST_CASE("term forms: what a function makes of a type", "[term]") {
  check_form_of(std::chrono::seconds(90), bytes_of(131, 97, 90));
  check_form_of(percent{100}, bytes_of(131, 97, 100));
  CHECK_FALSE(formed<percent>(bytes_of(131, 97, 101)));
  CHECK_FALSE(formed<percent>(bytes_of(131, 106)));
  // Erlang sends a list of such numbers in short form.
  CHECK(formed<std::vector<percent>>(bytes_of(131, 107, 0, 2, 1, 100)) == std::vector<percent>{{1}, {100}});
  CHECK_FALSE(formed<std::vector<percent>>(bytes_of(131, 107, 0, 2, 1, 101)));
}

TEST_CASE("term forms: a variant is the first alternative that fits", "[term]") {
  using choice = std::variant<get_all, add, add_two, std::string, int>;
  check_form_of(choice(get_all{}), bytes_of(131, 119, 7, "get_all"));
  check_form_of(choice(add{5}), add_5);
  check_form_of(choice(add_two{5, 6}), bytes_of(131, 104, 3, 119, 3, "add", 97, 5, 97, 6));
  check_form_of(choice("x"), bytes_of(131, 109, 0, 0, 0, 1, "x"));
  check_form_of(choice(9), bytes_of(131, 97, 9));
  CHECK_FALSE(formed<choice>(bytes_of(131, 119, 2, "ok")));
  CHECK_FALSE(formed<choice>(bytes_of(131, 104, 2, 119, 3, "add", 106)));
  using number = std::variant<int, double>;
  CHECK(formed<number>(to_bytes(1.0)) == number(1.0));
  CHECK(formed<number>(to_bytes(INT64_MAX)) == number(9223372036854775807.0));
  // What does not fit gives its depth back, but not its memory.
  using lists = std::variant<std::vector<std::vector<bool>>, std::vector<std::vector<int>>>;
  std::string two = to_bytes(std::vector<std::vector<int>>{{300}});
  CHECK(formed<lists>(two, {.depth = 2}));
  CHECK_FALSE(formed<lists>(two, {.memory = 2 * 16 + sizeof(std::vector<int>) + sizeof(int)}));
}

TEST_CASE("term forms: structs in each other are limited", "[term]") {
  auto chain = [](int length) {
    std::string bytes = bytes_of(131);
    for (int i = 0; i != length; ++i) {
      bytes += bytes_of(104, 3, 119, 4, "tree", 97, 1, 108, 0, 0, 0, 1);
    }
    bytes += bytes_of(104, 3, 119, 4, "tree", 97, 1, 106);
    return bytes + std::string(static_cast<std::size_t>(length), 'j');
  };
  CHECK(formed<tree>(chain(31)).has_value()); // 32 structs in 31 lists
  CHECK_FALSE(formed<tree>(chain(32)).has_value());
  CHECK(formed<tree>(chain(32), {.depth = 65}).has_value());
  CHECK_FALSE(formed<tree>(chain(100'000)).has_value());
  CHECK(formed<otpp::term>(chain(100'000)).has_value());
}
