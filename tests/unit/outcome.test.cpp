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
  CHECK(words.kind() == outcome_kind::value);
  CHECK(words.value() == "abc");
  CHECK(words.action().kind == action_kind::none);
  otpp::outcome<std::unique_ptr<int>> moved = std::make_unique<int>(3);
  REQUIRE(moved.value().has_value());
  CHECK(**moved.value() == 3);
  otpp::outcome<> go_on;
  CHECK(go_on.kind() == outcome_kind::value);
}

TEST_CASE("outcome: stops, with or without a value", "[outcome]") {
  otpp::outcome<int> plain = otpp::stop();
  CHECK(plain.kind() == outcome_kind::stop);
  CHECK(plain.reason() == otpp::exit_reason::normal());
  CHECK_FALSE(plain.value().has_value());
  otpp::outcome<int> with_reason = otpp::stop(otpp::exit_reason::shutdown());
  CHECK(with_reason.reason() == otpp::exit_reason::shutdown());
  otpp::outcome<int> with_value = otpp::stop(otpp::exit_reason::shutdown(), 5);
  CHECK(with_value.kind() == outcome_kind::stop);
  CHECK(with_value.value() == 5);
  otpp::outcome<int> with_error = otpp::stop(std::runtime_error("bad"));
  CHECK(with_error.reason().message() == "bad");
}

TEST_CASE("outcome: fails with an exception, a pointer to one, or a code", "[outcome]") {
  otpp::outcome<int> made = otpp::fail(std::out_of_range("far"));
  CHECK(made.kind() == outcome_kind::fail);
  CHECK_THROWS_AS(std::rethrow_exception(made.error()), std::out_of_range);
  auto error = std::make_exception_ptr(1);
  otpp::outcome<> kept = otpp::fail(error);
  CHECK(kept.error() == error);
  otpp::outcome<int> code = otpp::fail(std::make_error_code(std::errc::io_error));
  try {
    std::rethrow_exception(code.error());
  } catch (const std::system_error& thrown) {
    CHECK(thrown.code() == std::errc::io_error);
  }
}

TEST_CASE("outcome: carries what to do next, and the last word counts", "[outcome]") {
  otpp::outcome<int> proceeds = otpp::outcome<int>(1).then(std::string("next"));
  CHECK(proceeds.value() == 1);
  CHECK(proceeds.action().kind == action_kind::proceed);
  REQUIRE(proceeds.action().message);
  CHECK(proceeds.action().message->type() == typeid(std::string));
  CHECK(*static_cast<std::string*>(proceeds.action().message->get()) == "next");

  otpp::outcome<> waits = otpp::outcome<>().timeout(3s);
  CHECK(waits.action().kind == action_kind::idle_timeout);
  CHECK(waits.action().after == 3s);
  otpp::outcome<> waits_for_ever = otpp::outcome<>().timeout(std::chrono::hours::max());
  CHECK(waits_for_ever.action().after == otpp::infinite);
  otpp::outcome<> tells = otpp::outcome<>().timeout(1ms, 7);
  CHECK(tells.action().kind == action_kind::event_timeout);
  CHECK(*static_cast<int*>(tells.action().message->get()) == 7);
  otpp::outcome<> changed = otpp::outcome<>().then(1).timeout(1s);
  CHECK(changed.action().kind == action_kind::idle_timeout);
  otpp::outcome<int> silent = otpp::outcome<int>(otpp::no_reply).then(1);
  CHECK(silent.kind() == outcome_kind::no_reply);
  CHECK(silent.action().kind == action_kind::proceed);
}

TEST_CASE("init_result: is a state, no state, or a reason", "[outcome]") {
  otpp::init_result<std::unique_ptr<int>> state = std::make_unique<int>(4);
  REQUIRE(state.state().has_value());
  CHECK(**state.state() == 4);
  otpp::init_result<int> ignored = otpp::ignore;
  CHECK(ignored.kind() == outcome_kind::ignore);
  CHECK_FALSE(ignored.state().has_value());
  otpp::init_result<int> stopped = otpp::stop(otpp::exit_reason::shutdown());
  CHECK(stopped.kind() == outcome_kind::stop);
  CHECK(stopped.reason() == otpp::exit_reason::shutdown());
  otpp::init_result<int> proceeds = otpp::init_result<int>(1).then(2);
  CHECK(proceeds.action().kind == action_kind::proceed);
  otpp::init_result<int> waits = otpp::init_result<int>(1).timeout(1s);
  CHECK(waits.action().kind == action_kind::idle_timeout);
  otpp::init_result<int> tells = otpp::init_result<int>(1).timeout(1s, 2);
  CHECK(tells.action().kind == action_kind::event_timeout);
}
