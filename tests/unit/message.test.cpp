// SPDX-License-Identifier: BSL-1.0

#include <otpp/message.hpp>

#include <otpp/detail/dispatch/make_message.hpp>
#include <otpp/detail/util/borrows.hpp>
#include <otpp/detail/util/narrowing.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"

#include <any>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace {

struct move_only {
  std::unique_ptr<int> n;
};
struct immovable {
  immovable() = default;
  immovable(const immovable&) = delete;
};
struct throws_at_its_end {
  throws_at_its_end() = default;
  throws_at_its_end(throws_at_its_end&&) = default;
  ~throws_at_its_end() noexcept(false) {}
};
struct owns {
  std::string text;
  std::vector<int> numbers;
  int* pointer;
};
struct views_text {
  int n;
  std::string_view text;
};
struct views_numbers {
  std::span<const int> numbers;
};
struct refers {
  int n;
  int& to;
};
struct refers_to_const {
  const std::string& to;
};
struct wraps {
  std::reference_wrapper<int> to;
};
struct plain {
  int n;
};

// As the JSON libraries have it: made of whatever converts to something that it knows.
struct look_alike_json {
  using value_type = look_alike_json;
  look_alike_json() = default;
  look_alike_json(const look_alike_json&) = default;
  look_alike_json(look_alike_json&&) = default;
  look_alike_json& operator=(const look_alike_json&) = default;
  look_alike_json(std::initializer_list<look_alike_json>) {}
  template <class T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, look_alike_json>) &&
            (std::is_constructible_v<std::string, T> || std::is_convertible_v<T, std::string_view>)
  look_alike_json(T&& from) : text(std::forward<T>(from)) {}
  std::string text;
};
struct takes_all {
  takes_all() = default;
  template <class T>
  takes_all(T&&) {}
};
struct copies_all {
  copies_all() = default;
  template <class T>
    requires(!std::is_same_v<T, copies_all>)
  copies_all(const T&) {}
};
struct no_default {
  explicit no_default(int) {}
};
struct tree {
  std::string text;
  std::vector<tree> children;
};

template <class... Members>
struct holds;
template <class A>
struct holds<A> {
  A a;
};
template <class A, class B>
struct holds<A, B> {
  A a;
  B b;
};
template <class A, class B, class C>
struct holds<A, B, C> {
  A a;
  B b;
  C c;
};

struct ends_with_a_view {
  int a, b, c, d, e, f;
  std::string_view text;
};
struct views_after_an_array {
  char bytes[16];
  std::string_view text;
};
struct array_of_views {
  std::string_view texts[2];
};
struct derives_from_a_view : views_text {
  std::string more;
};
struct derives_from_plain : plain {
  std::string text;
};
struct views_and_derives : plain {
  std::string_view text;
};
struct defaulted_reference {
  static inline int target = 0;
  int n;
  int& to = target;
};
struct says_it_does_not {
  int level;
  const char* text;
};
struct says_that_it_does {
  explicit says_that_it_does(const std::string& s) : target(&s) {}
  const std::string* target;
};
struct refers_to_a_static {
  const std::string& target;
};
struct literal {
  std::string_view text;
};

template <class... Members>
constexpr bool refused = otpp::detail::message_borrows<holds<Members...>>();

} // namespace

template <>
inline constexpr bool otpp::borrows<says_it_does_not> = false;
template <>
inline constexpr bool otpp::borrows<says_that_it_does> = true;
template <>
inline constexpr bool otpp::borrows<literal> = false;
template <>
inline constexpr bool otpp::borrows<refers_to_a_static> = false;

static_assert(otpp::message<int>);
static_assert(otpp::message<move_only>);
static_assert(!otpp::message<immovable>);
static_assert(!otpp::message<throws_at_its_end>);
static_assert(!otpp::message<int&>);
static_assert(!otpp::message<const int>);
static_assert(!otpp::message<void>);

static_assert(otpp::call_message<counter::get>);
static_assert(!otpp::call_message<counter::reset>);
static_assert(!otpp::call_message<int>);
static_assert(std::is_same_v<otpp::reply_t<counter::add>, int>);

static_assert(otpp::borrows<std::string_view>);
static_assert(otpp::borrows<std::span<int>>);
static_assert(otpp::borrows<int&>);
static_assert(!otpp::borrows<std::string>);
static_assert(otpp::borrows<const char*>);
static_assert(!otpp::borrows<int*>);

TEST_CASE("message: what borrows is seen, also inside of an aggregate", "[message]") {
  CHECK(otpp::detail::message_borrows<std::string_view>());
  CHECK(otpp::detail::message_borrows<views_text>());
  CHECK(otpp::detail::message_borrows<views_numbers>());
  CHECK(otpp::detail::message_borrows<refers>());
  CHECK(otpp::detail::message_borrows<refers_to_const>());
  CHECK(otpp::detail::message_borrows<wraps>());
}

TEST_CASE("message: what owns its content may be sent", "[message]") {
  CHECK_FALSE(otpp::detail::message_borrows<owns>());
  CHECK_FALSE(otpp::detail::message_borrows<move_only>());
  CHECK_FALSE(otpp::detail::message_borrows<plain>());
  CHECK_FALSE(otpp::detail::message_borrows<int>());
  CHECK_FALSE(otpp::detail::message_borrows<std::string>());
}

TEST_CASE("message: a member is seen to borrow in whatever holds it, and wherever it stands", "[message]") {
  CHECK(refused<const char*>);
  CHECK(refused<const wchar_t*>);
  CHECK(refused<std::string&&>);
  CHECK(refused<int&&>);
  CHECK(refused<std::function<void()>&>);
  CHECK(refused<std::optional<std::string_view>>);
  CHECK(refused<std::vector<std::string_view>>);
  CHECK(refused<std::map<int, std::string_view>>);
  CHECK(refused<std::pair<int, std::string_view>>);
  CHECK(refused<std::tuple<int, std::span<int>>>);
  CHECK(refused<std::variant<int, std::string_view>>);
  CHECK(refused<std::array<std::string_view, 2>>);
  CHECK(refused<std::vector<views_text>>);
  CHECK(refused<holds<views_text>>);
  CHECK(refused<takes_all, look_alike_json, std::string_view>);
  CHECK(refused<std::string_view, no_default>);
  CHECK(refused<int&, std::unique_ptr<int>>);
  CHECK(refused<int&, int&, std::string>);
  CHECK(refused<std::unique_ptr<int>, const std::string&>);
  CHECK(otpp::detail::message_borrows<ends_with_a_view>());
  CHECK(otpp::detail::message_borrows<views_after_an_array>());
  CHECK(otpp::detail::message_borrows<array_of_views>());
  CHECK(otpp::detail::message_borrows<derives_from_a_view>());
  CHECK(otpp::detail::message_borrows<views_and_derives>());
  CHECK(otpp::detail::message_borrows<defaulted_reference>());
  CHECK(otpp::detail::message_borrows<std::vector<std::string_view>>());
}

TEST_CASE("message: a class that can be made of many things is not taken for a view", "[message]") {
  CHECK_FALSE(refused<std::string, look_alike_json>);
  CHECK_FALSE(refused<std::vector<look_alike_json>, std::optional<look_alike_json>>);
  CHECK_FALSE(refused<takes_all, copies_all, std::any>);
  CHECK_FALSE(refused<std::variant<int, std::string>, std::optional<std::string>>);
  CHECK_FALSE(refused<std::function<int(std::string_view)>, no_default, std::unique_ptr<int>>);
  CHECK_FALSE(refused<const std::string, const int, std::unique_ptr<std::string_view>>);
  CHECK_FALSE(refused<const std::unique_ptr<int>>);
  CHECK_FALSE(otpp::detail::message_borrows<derives_from_plain>());
  CHECK_FALSE(otpp::detail::message_borrows<tree>());
}

TEST_CASE("message: what is said of a type decides, for a message and for a member", "[message]") {
  CHECK_FALSE(otpp::detail::message_borrows<says_it_does_not>());
  CHECK_FALSE(refused<says_it_does_not>);
  CHECK_FALSE(refused<std::vector<says_it_does_not>>);
  CHECK_FALSE(refused<literal, int>);
  CHECK_FALSE(refused<refers_to_a_static>);
  CHECK(refused<literal, std::string_view>);
  CHECK(otpp::detail::message_borrows<says_that_it_does>());
  CHECK(refused<says_that_it_does>);
  CHECK(refused<std::optional<says_that_it_does>>);
}

// ---- what is lost where a message is made ----

namespace {

template <class T>
struct with_member {
  T value;
};
struct nested {
  with_member<int> first;
  int second;
};
struct made_of_int {
  explicit made_of_int(int) {}
};
struct made_of_fraction {
  template <std::floating_point T>
  explicit made_of_fraction(T) {}
};
struct made_of_anything {
  template <class T>
  explicit made_of_anything(T) {}
};

template <class M, class... Args>
constexpr bool loses = otpp::detail::loses_arguments<otpp::detail::is_made_of<M>::template these, Args...>();

} // namespace

static_assert(loses<int, double>);
static_assert(
    loses<with_member<int>, double> && loses<with_member<int>, const float&> &&
    loses<with_member<bool>, double>);
static_assert(
    loses<with_member<int>, long> && loses<with_member<int>, unsigned> &&
    loses<with_member<std::size_t>, long>);
static_assert(loses<nested, int, double> && loses<nested, double, int>);
static_assert(loses<made_of_int, double> && loses<with_member<std::optional<int>>, double>);
static_assert(
    !loses<with_member<int>, int> && !loses<with_member<int>, char> && !loses<with_member<long>, unsigned>);
static_assert(
    !loses<with_member<std::size_t>, int> && !loses<with_member<std::uint16_t>, int>); // what a literal is
static_assert(
    !loses<with_member<double>, int> && !loses<with_member<float>, double> &&
    !loses<with_member<double>, std::size_t>);
static_assert(
    !loses<with_member<std::string>, const char (&)[3]> && !loses<std::string, const char*, std::size_t>);
static_assert(
    !loses<with_member<std::any>, double> && !loses<with_member<std::variant<double, std::string>>, double>);
static_assert(!loses<made_of_fraction, double> && !loses<made_of_anything, double>);

TEST_CASE("message: what is made of numbers keeps them", "[message]") {
  CHECK(otpp::detail::make_message<with_member<long>>(5).value == 5);
  CHECK(otpp::detail::make_message<with_member<double>>(0.5F).value == 0.5);
  CHECK(otpp::detail::make_message<std::string>(std::size_t(2), 'x') == "xx"); // a constructor, no list
}
