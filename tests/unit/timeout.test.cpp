// SPDX-License-Identifier: BSL-1.0

#include <otpp/timeout.hpp>

#include <otpp/detail/util/moment.hpp>

#include "support/catch.hpp"

#include <chrono>

using namespace std::chrono_literals;
using otpp::detail::saturate;

static_assert(otpp::default_timeout == 5s); // as in OTP
static_assert(otpp::infinite == otpp::duration::max());
static_assert(otpp::detail::timeout_like<std::chrono::milliseconds>);
static_assert(otpp::detail::timeout_like<const std::chrono::duration<double>&>);
static_assert(!otpp::detail::timeout_like<int>);

TEST_CASE("timeout: every duration has a place in ours", "[timeout]") {
  CHECK(saturate(100ms) == 100ms);
  CHECK(saturate(0h) == otpp::duration::zero());
  CHECK(saturate(-3s) == -3s);
  CHECK(saturate(otpp::infinite) == otpp::infinite);
  CHECK(saturate(otpp::duration::min()) == otpp::duration::min());
  CHECK(saturate(std::chrono::hours::max()) == otpp::infinite);
  CHECK(saturate(std::chrono::hours::min()) == otpp::duration::min());
  CHECK(saturate(std::chrono::duration<double>(1e300)) == otpp::infinite);
  CHECK(saturate(std::chrono::duration<double>(-1e300)) == otpp::duration::min());
  CHECK(saturate(std::chrono::duration<double>(0.5)) == 500ms);
}

TEST_CASE("timeout: a deadline never runs over the end of the clock", "[timeout]") {
  using clock = std::chrono::steady_clock;
  CHECK(otpp::detail::deadline_after(otpp::infinite) == clock::time_point::max());
  CHECK(otpp::detail::deadline_after(otpp::infinite - 1ns) == clock::time_point::max());
  auto before = clock::now();
  auto soon = otpp::detail::deadline_after(1s);
  CHECK(soon >= before + 1s);
  CHECK(soon <= clock::now() + 1s);
}
