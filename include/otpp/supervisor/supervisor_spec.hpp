// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/moment.hpp>
#include <otpp/outcome.hpp>
#include <otpp/run/options.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/supervision.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

struct supervisor;

namespace detail {
class supervised;
} // namespace detail

/// When a supervisor ends because its significant children have ended by themselves without being restarted.
enum class auto_shutdown : std::uint8_t {
  never,
  any_significant, ///< When the first of them has ended.
  all_significant, ///< When the last of them has ended.
};

/// The specification of a supervisor: its children, in start order, and what happens when they fail. OTP's
/// supervisor flags and child specifications.
///
/// The defaults are those of OTP: one_for_one, at most 1 restart in 5 s, no automatic shutdown.
///
/// @par Example
/// @code
/// otpp::supervisor_spec(otpp::rest_for_one)
///     .intensity(3, 10s)
///     .add(otpp::child<store>("store").named("store"))
///     .add(otpp::child<front>("front", 8080))
/// @endcode
class supervisor_spec {
 public:
  /// A specification without children.
  ///
  /// @param which  Which children are restarted when one of them fails.
  explicit supervisor_spec(strategy which = one_for_one) noexcept : strategy_(which) {}

  /// Says that the supervisor should not run: `start` fails with `errc::ignored`, and starts no child. Under another
  /// supervisor it is a child that has no process. OTP's `ignore`, from `init/1`.
  supervisor_spec(ignore_t) noexcept : strategy_(one_for_one), is_ignored_(true) {}

  /// Sets how many restarts are allowed. With more, the supervisor and its children end, with the reason
  /// `shutdown`. A failure counts once, however many children are restarted because of it.
  ///
  /// @param restarts  How many within the period, 1 by default; zero allows none.
  /// @param period    5 s by default. If it is not longer than zero, `start` throws std::invalid_argument.
  template <detail::timeout_like Duration>
  supervisor_spec& intensity(std::size_t restarts, Duration period) & {
    intensity_ = restarts;
    period_ = detail::saturate(period);
    return *this;
  }
  template <detail::timeout_like Duration>
  supervisor_spec intensity(std::size_t restarts, Duration period) && {
    return std::move(intensity(restarts, period));
  }

  /// Shuts all children down as with `child_spec::shutdown(otpp::ahead)`, also those that `start_child` adds. `run` then
  /// ends the supervisor likewise, before the requests in its mailbox.
  supervisor_spec& shutdown(ahead_t) & {
    shuts_down_ahead_ = true;
    return *this;
  }
  supervisor_spec shutdown(ahead_t) && { return std::move(shutdown(ahead)); }

  /// Drains all children, as with `child_spec::drain`, unless their own specification says so: in reverse
  /// start order.
  ///
  /// @param within  How long each may take; zero or less, the default, does not drain them.
  template <detail::timeout_like Duration>
  supervisor_spec& drain(Duration within) & {
    drain_ = (std::max)(detail::saturate(within), duration::zero());
    return *this;
  }
  template <detail::timeout_like Duration>
  supervisor_spec drain(Duration within) && {
    return std::move(drain(within));
  }

  /// Sets when the supervisor ends because of its significant children (`child_spec::significant`). OTP's
  /// `auto_shutdown`.
  ///
  /// @param when  `auto_shutdown::never` by default.
  supervisor_spec& ends(auto_shutdown when) & {
    auto_shutdown_ = when;
    return *this;
  }
  supervisor_spec ends(auto_shutdown when) && { return std::move(ends(when)); }

  /// Adds a child.
  ///
  /// @param one  What `otpp::child` or `otpp::temporary_child` returns; started after those that were added
  ///             before.
  supervisor_spec& add(child_spec one) & {
    children_.push_back(std::move(one));
    return *this;
  }
  supervisor_spec add(child_spec one) && { return std::move(add(std::move(one))); }

 private:
  friend class detail::supervised;
  friend struct supervisor;
  friend int run(supervisor_spec spec, const run_options& how);

  std::vector<child_spec> children_;
  std::size_t intensity_ = 1;
  duration period_ = std::chrono::seconds(5);
  strategy strategy_;
  auto_shutdown auto_shutdown_ = auto_shutdown::never;
  bool shuts_down_ahead_ = false;
  duration drain_{};
  bool is_ignored_ = false;
  std::shared_ptr<bool> gave_up_; // for run()
};

} // namespace otpp

#pragma GCC visibility pop
