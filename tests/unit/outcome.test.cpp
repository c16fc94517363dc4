// SPDX-License-Identifier: BSL-1.0

#include <otpp/outcome.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>

using namespace std::chrono_literals;
using otpp::detail::access;
using otpp::detail::action_kind;
using otpp::detail::outcome_kind;

// No aggregates: GCC 12 destroys those twice in a co_await expression.
static_assert(!std::is_aggregate_v<otpp::outcome<int>>);
static_assert(!std::is_aggregate_v<otpp::outcome<>>);
static_assert(!std::is_aggregate_v<otpp::stopping<>>);
static_assert(!std::is_aggregate_v<otpp::failure>);
static_assert(!std::is_aggregate_v<otpp::init_result<int>>);

static_assert(std::is_convertible_v<int, otpp::outcome<int>>);
static_assert(std::is_convertible_v<const char*, otpp::outcome<std::string>>);
static_assert(!std::is_convertible_v<std::string, otpp::outcome<int>>);
static_assert(!std::is_default_constructible_v<otpp::outcome<int>>);
static_assert(std::is_default_constructible_v<otpp::outcome<>>);
static_assert(std::is_convertible_v<otpp::no_reply_t, otpp::outcome<int>>);
static_assert(std::is_convertible_v<otpp::stopping<>, otpp::outcome<int>>);
static_assert(std::is_convertible_v<otpp::stopping<short>, otpp::outcome<int>>);
static_assert(!std::is_convertible_v<otpp::stopping<std::string>, otpp::outcome<int>>);
static_assert(std::is_convertible_v<otpp::ignore_t, otpp::init_result<int>>);
static_assert(!std::is_convertible_v<otpp::no_reply_t, otpp::init_result<int>>);

TEST_CASE("outcome: is made from a value", "[outcome]") {
  otpp::outcome<std::string> words = "abc";
  CHECK(access::kind(words) == outcome_kind::value);
  CHECK(access::value(words) == "abc");
  CHECK(access::action(words).kind == action_kind::none);
  otpp::outcome<std::unique_ptr<int>> moved = std::make_unique<int>(3);
  REQUIRE(access::value(moved).has_value());
  CHECK(**access::value(moved) == 3);
  otpp::outcome<> go_on;
  CHECK(access::kind(go_on) == outcome_kind::value);
}

TEST_CASE("outcome: stops, with or without a value", "[outcome]") {
  otpp::outcome<int> plain = otpp::stop();
  CHECK(access::kind(plain) == outcome_kind::stop);
  CHECK(access::reason(plain) == otpp::exit_reason::normal());
  CHECK_FALSE(access::value(plain).has_value());
  otpp::outcome<int> with_reason = otpp::stop(otpp::exit_reason::shutdown());
  CHECK(access::reason(with_reason) == otpp::exit_reason::shutdown());
  otpp::outcome<int> with_value = otpp::stop(otpp::exit_reason::shutdown(), 5);
  CHECK(access::kind(with_value) == outcome_kind::stop);
  CHECK(access::value(with_value) == 5);
  otpp::outcome<int> with_error = otpp::stop(std::runtime_error("bad"));
  CHECK(access::reason(with_error).message() == "bad");
  otpp::outcome<int> with_text = otpp::stop(otpp::exit_reason("tired"), 5);
  CHECK(access::reason(with_text).message() == "tired");
  CHECK_FALSE(access::reason(with_text).is_clean());
}

TEST_CASE("outcome: fails with an exception, a pointer to one, a text, or a code", "[outcome]") {
  otpp::outcome<int> made = otpp::fail(std::out_of_range("far"));
  CHECK(access::kind(made) == outcome_kind::fail);
  CHECK_THROWS_AS(std::rethrow_exception(access::error(made)), std::out_of_range);
  auto error = std::make_exception_ptr(1);
  otpp::outcome<> kept = otpp::fail(error);
  CHECK(access::error(kept) == error);
  otpp::outcome<int> text = otpp::fail("no luck");
  CHECK_THROWS_AS(std::rethrow_exception(access::error(text)), std::runtime_error);
  otpp::outcome<int> code = otpp::fail(std::make_error_code(std::errc::io_error));
  try {
    std::rethrow_exception(access::error(code));
  } catch (const std::system_error& thrown) {
    CHECK(thrown.code() == std::errc::io_error);
  }
}

TEST_CASE("outcome: carries what to do next, and the last word counts", "[outcome]") {
  otpp::outcome<int> proceeds = otpp::outcome<int>(1).then(std::string("next"));
  CHECK(access::value(proceeds) == 1);
  CHECK(access::action(proceeds).kind == action_kind::proceed);
  REQUIRE(access::action(proceeds).message);
  CHECK(access::action(proceeds).message->type() == typeid(std::string));
  CHECK(*static_cast<std::string*>(access::action(proceeds).message->get()) == "next");

  otpp::outcome<> waits = otpp::outcome<>().timeout(3s);
  CHECK(access::action(waits).kind == action_kind::idle_timeout);
  CHECK(access::action(waits).after == 3s);
  otpp::outcome<> waits_for_ever = otpp::outcome<>().timeout(std::chrono::hours::max());
  CHECK(access::action(waits_for_ever).after == otpp::infinite);
  otpp::outcome<> tells = otpp::outcome<>().timeout(1ms, 7);
  CHECK(access::action(tells).kind == action_kind::event_timeout);
  CHECK(*static_cast<int*>(access::action(tells).message->get()) == 7);
  otpp::outcome<> changed = otpp::outcome<>().then(1).timeout(1s);
  CHECK(access::action(changed).kind == action_kind::idle_timeout);
  otpp::outcome<int> silent = otpp::outcome<int>(otpp::no_reply).then(1);
  CHECK(access::kind(silent) == outcome_kind::no_reply);
  CHECK(access::action(silent).kind == action_kind::proceed);
}

TEST_CASE("init_result: is a state, no state, or a reason", "[outcome]") {
  otpp::init_result<std::unique_ptr<int>> state = std::make_unique<int>(4);
  REQUIRE(access::state(state).has_value());
  CHECK(**access::state(state) == 4);
  otpp::init_result<int> ignored = otpp::ignore;
  CHECK(access::kind(ignored) == outcome_kind::ignore);
  CHECK_FALSE(access::state(ignored).has_value());
  otpp::init_result<int> stopped = otpp::stop(otpp::exit_reason::shutdown());
  CHECK(access::kind(stopped) == outcome_kind::stop);
  CHECK(access::reason(stopped) == otpp::exit_reason::shutdown());
  otpp::init_result<int> proceeds = otpp::init_result<int>(1).then(2);
  CHECK(access::action(proceeds).kind == action_kind::proceed);
  otpp::init_result<int> waits = otpp::init_result<int>(1).timeout(1s);
  CHECK(access::action(waits).kind == action_kind::idle_timeout);
  otpp::init_result<int> tells = otpp::init_result<int>(1).timeout(1s, 2);
  CHECK(access::action(tells).kind == action_kind::event_timeout);
}
