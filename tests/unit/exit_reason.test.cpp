// SPDX-License-Identifier: BSL-1.0

#include <otpp/exit_reason.hpp>

#include "support/catch.hpp"

#include <concepts>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

static_assert(std::is_convertible_v<std::runtime_error, otpp::exit_reason>);
static_assert(std::is_convertible_v<std::exception_ptr, otpp::exit_reason>);
static_assert(!std::is_convertible_v<int, otpp::exit_reason>);
static_assert(std::is_nothrow_default_constructible_v<otpp::exit_reason>);

TEST_CASE("exit_reason: the named ones are equal to themselves only", "[exit_reason]") {
  const otpp::exit_reason all[] = {
      otpp::exit_reason::normal(), otpp::exit_reason::shutdown(), otpp::exit_reason::killed(),
      otpp::exit_reason(std::runtime_error("a")), otpp::exit_reason(std::runtime_error("a"))};
  for (const auto& a : all) {
    for (const auto& b : all) {
      CHECK((a == b) == (&a == &b));
    }
  }
  CHECK(otpp::exit_reason() == otpp::exit_reason::normal());
  CHECK(otpp::exit_reason(std::exception_ptr()) == otpp::exit_reason::normal());
}

TEST_CASE("exit_reason: normal and shutdown are clean, nothing else is", "[exit_reason]") {
  CHECK(otpp::exit_reason::normal().is_clean());
  CHECK(otpp::exit_reason::shutdown().is_clean());
  CHECK_FALSE(otpp::exit_reason::killed().is_clean());
  CHECK_FALSE(otpp::exit_reason(std::runtime_error("x")).is_clean());
}

TEST_CASE("exit_reason: a shutdown with a detail is clean, and not the plain one", "[exit_reason]") {
  auto detail = std::make_exception_ptr(std::out_of_range("moved"));
  otpp::exit_reason moved = otpp::exit_reason::shutdown(detail);
  CHECK(moved.is_clean());
  CHECK(moved.is_shutdown());
  CHECK(moved.exception() == detail);
  CHECK(moved.message() == "shutdown: moved");
  CHECK(moved == otpp::exit_reason::shutdown(detail));
  CHECK_FALSE(moved == otpp::exit_reason::shutdown());
  CHECK_FALSE(moved == otpp::exit_reason(detail));
  CHECK(otpp::exit_reason::shutdown("drained").message() == "shutdown: drained");
  CHECK_THROWS_AS(
      std::rethrow_exception(otpp::exit_reason::shutdown(std::out_of_range("far")).exception()),
      std::out_of_range);
  CHECK(otpp::exit_reason::shutdown(std::exception_ptr()) == otpp::exit_reason::shutdown());
  CHECK(otpp::exit_reason::shutdown().is_shutdown());
  CHECK_FALSE(otpp::exit_reason::normal().is_shutdown());
  CHECK_FALSE(otpp::exit_reason(detail).is_shutdown());
}

TEST_CASE("exit_reason: an error keeps its exception and its text", "[exit_reason]") {
  auto error = std::make_exception_ptr(std::out_of_range("far away"));
  otpp::exit_reason reason = error;
  CHECK(reason.exception() == error);
  CHECK(reason.message() == "far away");
  otpp::exit_reason copy = reason;
  CHECK(copy == reason);
  otpp::exit_reason made = std::out_of_range("farther");
  CHECK(made.message() == "farther");
  CHECK_THROWS_AS(std::rethrow_exception(made.exception()), std::out_of_range);
  otpp::exit_reason odd = std::make_exception_ptr(42);
  CHECK_FALSE(odd.message().empty());
  CHECK_FALSE(otpp::exit_reason::normal().exception());
}

namespace {
struct mute_exception : std::exception {
  const char* what() const noexcept override { return nullptr; }
};
} // namespace

TEST_CASE("exit_reason: a text is an error, and equals no other", "[exit_reason]") {
  otpp::exit_reason reason = "tired";
  CHECK(reason.message() == "tired");
  CHECK_FALSE(reason.is_clean());
  CHECK_THROWS_AS(std::rethrow_exception(reason.exception()), std::runtime_error);
  CHECK(otpp::exit_reason(std::string("full")).message() == "full");
  CHECK_FALSE(std::equality_comparable_with<otpp::exit_reason, std::string>);
}

TEST_CASE("exit_reason: an exception may have no text at all", "[exit_reason]") {
  CHECK(otpp::exit_reason(mute_exception()).message() == "an exception without a text");
}

TEST_CASE("exit_reason: prints what it says", "[exit_reason]") {
  std::ostringstream out;
  out << otpp::exit_reason::normal() << ' ' << otpp::exit_reason::shutdown() << ' '
      << otpp::exit_reason::killed() << ' ' << otpp::exit_reason(std::runtime_error("broken"));
  CHECK(out.str() == "normal shutdown killed broken");
}

TEST_CASE("exit_reason: keeps the reason that it replaced", "[exit_reason]") {
  otpp::exit_reason first = std::runtime_error("first");
  otpp::exit_reason second = std::runtime_error("second");
  otpp::exit_reason both = otpp::detail::access::after(second, first);
  CHECK(first.previous() == nullptr);
  CHECK(second.previous() == nullptr);
  REQUIRE(both.previous() != nullptr);
  CHECK(*both.previous() == first);
  CHECK(both.exception() == second.exception());
  CHECK(both.message().find("first") != std::string::npos);
  CHECK(both.message().find("second") != std::string::npos);
}
