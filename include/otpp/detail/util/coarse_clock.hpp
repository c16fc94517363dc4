// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <chrono>
#include <ctime>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The time of std::chrono::steady_clock as it was at the kernel's last tick, 1 to 10 ms ago, for a quarter of the price.
//
// The difference of two readings is right on average, because a tick falls into a short interval as seldom as it is short: so a
// sum over many intervals can be trusted, and a single one that is not long cannot. Where there is no such clock this is
// the steady clock.
inline std::chrono::steady_clock::time_point coarse_now() noexcept {
#ifdef CLOCK_MONOTONIC_COARSE // Linux, where the steady clock is CLOCK_MONOTONIC
  timespec now{};
  if (::clock_gettime(CLOCK_MONOTONIC_COARSE, &now) == 0) {
    return std::chrono::steady_clock::time_point(
        std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
  }
#endif
  return std::chrono::steady_clock::now();
}

} // namespace otpp::detail

#pragma GCC visibility pop
