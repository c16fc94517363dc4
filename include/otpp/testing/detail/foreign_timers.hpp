// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <asio/io_context.hpp>

#include <chrono>
#include <optional>

#pragma GCC visibility push(default)

namespace otpp::testing::detail {

// Timers that do not belong to the library, in a world's virtual time (testing/steady_timer.hpp).
class foreign_timers {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  static foreign_timers*& known() noexcept {
    static foreign_timers* one = nullptr;
    return one;
  }

  static void use_if_known(const time_point* now) noexcept {
    if (foreign_timers* one = known()) {
      one->use(now);
    }
  }

  // Sets the virtual time of this thread; null at the end of its world.
  virtual void use(const time_point* now) noexcept = 0;

  // Completes the timers that have expired, and returns when the next one expires.
  virtual std::optional<time_point> earliest(asio::io_context& where) = 0;

 protected:
  ~foreign_timers() = default;
};

} // namespace otpp::testing::detail

#pragma GCC visibility pop
