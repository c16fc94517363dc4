// SPDX-License-Identifier: BSL-1.0

#pragma once

// Lets asio::steady_timer use a world's virtual time, for tests of servers that use it. Include it before any
// header of Asio or otpp, and in every file of the test program: Asio has no hook for the time, so this
// specializes the templates that read the clock. Outside of a world, timers use the real clock.

#include <version> // first: why, is said in <otpp/detail/asio.hpp>

#include <asio/detail/chrono_time_traits.hpp>
#include <asio/wait_traits.hpp>

#include <chrono>

#pragma GCC visibility push(default)

namespace otpp::testing::detail {

// The virtual time of Asio's timers on this thread, and what is known of their expiry.
struct timer_time {
  using time_point = std::chrono::steady_clock::time_point;

  const time_point* now = nullptr; // that of a world; null for the real clock
  bool is_asked = false;           // since the world began
  time_point earliest{};           // of the timer that was examined last

  static timer_time& here() noexcept {
    static thread_local timer_time one;
    return one;
  }
};

} // namespace otpp::testing::detail

namespace asio::detail {

using otpp_steady_traits =
    chrono_time_traits<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>>;

template <>
inline otpp_steady_traits::time_type otpp_steady_traits::now() {
  auto& here = otpp::testing::detail::timer_time::here();
  here.is_asked = here.now != nullptr;
  return here.now ? *here.now : std::chrono::steady_clock::now();
}

// A timer queue calls this to learn how long its first timer has to wait, which is the only way to observe
// its expiry.
template <>
inline otpp_steady_traits::duration_type otpp_steady_traits::subtract(
    const time_type& later, const time_type& sooner) {
  otpp::testing::detail::timer_time::here().earliest = later;
  auto wide = std::chrono::duration<long double, period_type>(later.time_since_epoch()) -
              std::chrono::duration<long double, period_type>(sooner.time_since_epoch());
  using limits = std::chrono::duration<long double, period_type>;
  if (wide >= limits((duration_type::max)())) {
    return (duration_type::max)();
  }
  return wide <= limits((duration_type::min)()) ? (duration_type::min)() : later - sooner;
}

} // namespace asio::detail

#pragma GCC visibility pop

#include <otpp/testing/world.hpp>

#include <asio/steady_timer.hpp>

#include <optional>

#pragma GCC visibility push(default)

namespace otpp::testing::detail {

class steady_timers final : public foreign_timers {
 public:
  void use(const world::time_point* now) noexcept override {
    timer_time::here() = {};
    timer_time::here().now = now;
  }

  std::optional<world::time_point> earliest(asio::io_context& where) override {
    timer_time& here = timer_time::here();
    if (!here.is_asked) {
      return std::nullopt;
    }
    // A timer that has expired makes the queue examine its first timer after that one is removed.
    constexpr auto over = (world::time_point::min)();
    asio::steady_timer first(where, over);
    first.async_wait([](std::error_code) {});
    here.earliest = over;
    where.restart();
    while (where.poll() != 0) {
    }
    return here.earliest == over ? std::nullopt : std::optional(here.earliest);
  }
};

inline const bool steady_timers_are_known = [] {
  static steady_timers one;
  foreign_timers::known() = &one;
  return true;
}();

} // namespace otpp::testing::detail

#pragma GCC visibility pop
