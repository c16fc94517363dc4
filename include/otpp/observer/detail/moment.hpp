// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <chrono>
#include <ctime>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The same moment by both clocks: the steady one, by which the observer computes, and the calendar's, which it only shows.
struct observer_moment {
  std::chrono::steady_clock::time_point steady;
  double unix_time = 0;

  static observer_moment now() noexcept {
    std::timespec calendar{};
    (void)std::timespec_get(&calendar, TIME_UTC);
    return {
        std::chrono::steady_clock::now(),
        static_cast<double>(calendar.tv_sec) + static_cast<double>(calendar.tv_nsec) / 1e9};
  }

  // Returns the calendar's time of another moment.
  double unix_time_of(std::chrono::steady_clock::time_point other) const noexcept;
};

inline double in_seconds(std::chrono::steady_clock::duration time) noexcept {
  return std::chrono::duration<double>(time).count();
}

inline double observer_moment::unix_time_of(std::chrono::steady_clock::time_point other) const noexcept {
  return unix_time + in_seconds(other - steady);
}

} // namespace otpp::detail

#pragma GCC visibility pop
