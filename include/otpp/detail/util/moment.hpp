// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/timeout.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <ratio>
#include <type_traits>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class T>
inline constexpr bool is_chrono_duration = false;
template <class Rep, class Period>
inline constexpr bool is_chrono_duration<std::chrono::duration<Rep, Period>> = true;

template <class T>
concept timeout_like = is_chrono_duration<std::remove_cvref_t<T>>;

template <class T>
inline constexpr bool is_steady_time = false;
template <class Duration>
inline constexpr bool is_steady_time<std::chrono::time_point<std::chrono::steady_clock, Duration>> = true;

// A time_point of the steady clock, of any resolution.
template <class T>
concept time_like = is_steady_time<std::remove_cvref_t<T>>;

template <class T>
concept moment_like = timeout_like<T> || time_like<T>;

// Converts to nanoseconds. hours::max would overflow; a duration that is too long to represent is infinite.
template <class Rep, class Period>
constexpr duration saturate(std::chrono::duration<Rep, Period> d) noexcept {
  if constexpr (std::same_as<std::chrono::duration<Rep, Period>, duration>) {
    return d;
  } else if constexpr (std::signed_integral<Rep> && std::ratio_greater_equal_v<Period, duration::period>) {
    using units = std::chrono::duration<std::intmax_t, Period>; // avoids floating point in nearly all cases
    if (d > std::chrono::duration_cast<units>((duration::max)())) {
      return (duration::max)();
    }
    if (d < std::chrono::duration_cast<units>((duration::min)())) {
      return (duration::min)();
    }
    return std::chrono::duration_cast<duration>(d);
  }
  using seconds = std::chrono::duration<long double>;
  if (std::chrono::duration_cast<seconds>(d) >= std::chrono::duration_cast<seconds>((duration::max)())) {
    return (duration::max)();
  }
  if (std::chrono::duration_cast<seconds>(d) <= std::chrono::duration_cast<seconds>((duration::min)())) {
    return (duration::min)();
  }
  return std::chrono::duration_cast<duration>(d);
}

// A point in time: relative to now, or absolute on the steady clock, given as the duration since its epoch.
struct moment {
  constexpr moment() noexcept = default;
  constexpr moment(duration how_long, bool since_epoch) noexcept
      : count(how_long), is_absolute(since_epoch) {}
  template <timeout_like Duration>
  constexpr moment(Duration from_now) noexcept : count(saturate(from_now)) {}
  template <time_like Time>
  constexpr moment(Time at) noexcept : count(saturate(at.time_since_epoch())), is_absolute(true) {}

  friend constexpr bool operator==(const moment&, const moment&) noexcept = default;

  duration count{};
  bool is_absolute = false;
};

// now + d, for d >= 0, saturated at the maximum of the clock.
inline std::chrono::steady_clock::time_point deadline_after(
    duration d, std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now()) noexcept {
  if (d > (std::chrono::steady_clock::time_point::max)() - now) {
    return (std::chrono::steady_clock::time_point::max)();
  }
  return now + d;
}

// A time that has passed for longer than any clock has run is as good as another. What this returns can be
// subtracted from the time of a clock, and twice the difference can still be represented.
inline std::chrono::steady_clock::time_point not_too_early(
    std::chrono::steady_clock::time_point at) noexcept {
  constexpr std::chrono::steady_clock::time_point earliest((duration::min)() / 4);
  return at < earliest ? earliest : at;
}

} // namespace otpp::detail

#pragma GCC visibility pop
