// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/watchers.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// While any object of this type lives, every process counts its messages and the time in its handlers, for `processes` and
/// `top_processes`. OTP's `erlang:system_flag(scheduler_wall_time, true)`, which likewise counts its users.
///
/// The counters begin at zero and keep their values while nobody counts. A call costs about a fifth more meanwhile. Times
/// are read from the kernel's coarse clock where there is one: they are right on average, and a single handler's is exact to some
/// milliseconds. Of a process that is a coroutine (`spawn`), which has no handlers, nothing is counted.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe. Counting begins with the next message of each process.
///
/// @par Example
/// @code
/// otpp::counting on;
/// // later
/// for (const otpp::process_info& one : otpp::top_processes(10, [](const auto& each) { return each.messages(); })) {
///   std::cout << one.who << ' ' << one.messages << '\n';
/// }
/// @endcode
class [[nodiscard]] counting {
 public:
  /// Begins to count.
  counting() noexcept { detail::watchers.change(detail::watchers.counting, 1); }
  counting(counting&& other) noexcept : counts_(std::exchange(other.counts_, false)) {}
  counting& operator=(counting&& other) noexcept {
    std::swap(counts_, other.counts_);
    return *this;
  }
  ~counting() {
    if (counts_) {
      detail::watchers.change(detail::watchers.counting, -1);
    }
  }

 private:
  bool counts_ = true;
};

} // namespace otpp

#pragma GCC visibility pop
