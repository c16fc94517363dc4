// SPDX-License-Identifier: BSL-1.0

#include <otpp/message.hpp>

#include <otpp/detail/util/borrows.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
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

} // namespace

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
static_assert(!otpp::borrows<const char*>);

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
