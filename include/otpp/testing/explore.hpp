// SPDX-License-Identifier: BSL-1.0

#pragma once

// For tests of servers in every possible order of events, on one thread and in virtual time. Not part of
// <otpp/otpp.hpp>.

#include <otpp/exit_reason.hpp>
#include <otpp/testing/detail/fold_trace.hpp>
#include <otpp/testing/schedule.hpp>
#include <otpp/testing/world.hpp>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::testing {

/// The result of an exploration.
struct report {
  std::uint64_t schedules = 0; ///< how many were run
  std::uint64_t steps = 0;     ///< of all schedules
  bool is_complete = false;    ///< false if `orders::at_most` cut it short
};

/// Thrown by `explore`: a schedule in which the scenario failed.
///
/// Its text says what failed, how to replay that schedule, and which events it had: at most forty lines from the
/// beginning and forty from the end, where what repeats is said once.
class exploration_failed : public std::runtime_error {
 public:
  exploration_failed(const std::string& text, std::string replay)
      : std::runtime_error(text), replay_(std::move(replay)) {}

  /// Returns the schedule, for `orders::replay`.
  const std::string& replay() const noexcept { return replay_; }

 private:
  std::string replay_;
};

/// Runs a scenario once for each schedule, and throws `exploration_failed` at the first that fails;
/// otherwise returns how many there were. A schedule takes some microseconds for each message.
///
/// A scenario is a function of `world&` that starts servers, spawns clients, and may run the world and check
/// the result; whatever is still pending afterwards is run as well. It fails by an exception, from itself or
/// from a client, for example from an assertion of a test framework. It must be deterministic: no random
/// numbers of its own, no clock, no threads, and no state kept between runs.
///
/// It interleaves handlers and messages on any number of contexts. It does not interleave the memory accesses
/// of two threads; use a thread sanitizer for those.
///
/// @param which     Which schedules, such as `orders::all(2)` or `orders::random(seed, 1000)`.
/// @param scenario  Called with a new world for each schedule, and once more, with a trace, for one that has
///                  failed.
///
/// @par Errors
/// `exploration_failed`. An exception that is not a std::exception, which some test frameworks throw, is
/// rethrown unchanged, after the text was printed on stderr.
///
/// @par Example
/// @code
/// otpp::testing::explore(otpp::testing::orders::all(3), [](otpp::testing::world& world) {
///   world.spawn("client", [&]() -> asio::awaitable<void> {
///     auto server = co_await otpp::start<counter>(0);
///     ...
///   });
/// });
/// @endcode
template <class Scenario>
report explore(orders which, Scenario&& scenario);

// ---- implementation ----

namespace detail {

// Runs the scenario once. Returns the text of the failure, or nothing.
template <class Scenario>
std::exception_ptr run_schedule(world& one, Scenario& scenario) {
  try {
    scenario(one);
    one.finish();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

inline std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return otpp::detail::what_of(known);
  } catch (...) {
    return {};
  }
}

} // namespace detail

template <class Scenario>
report explore(orders which, Scenario&& scenario) {
  report result;
  schedule decides(std::move(which));
  while (decides.next()) {
    ++result.schedules;
    std::exception_ptr error;
    std::string replay;
    {
      world one(decides);
      error = detail::run_schedule(one, scenario);
      result.steps += one.steps();
      if (error) {
        replay = decides.text();
      }
    }
    if (!error) {
      continue;
    }
    std::string said = detail::text_of(error);
    std::string text = (said.empty() ? "an exception of another kind" : said) + "\nin schedule " +
                       std::to_string(result.schedules) + "; to run it again: explore(orders::replay(\"" +
                       replay + "\"), ...)\n";
    schedule again(orders::replay(replay));
    again.next();
    world traced(again, true);
    std::exception_ptr second = detail::run_schedule(traced, scenario);
    text += detail::folded_trace(traced.trace()).text();
    text += second ? "" : "It did not fail when it was run again: it depends on more than the schedule.\n";
    if (said.empty()) {
      std::fprintf(stderr, "%s", text.c_str());
      std::rethrow_exception(error);
    }
    throw exploration_failed(text, replay);
  }
  result.is_complete = decides.is_exhausted();
  return result;
}

} // namespace otpp::testing

#pragma GCC visibility pop
