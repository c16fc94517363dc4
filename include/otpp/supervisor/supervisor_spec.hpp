// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/moment.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace otpp {

namespace detail {
class supervised;
} // namespace detail

/// Which children a supervisor restarts when one of them has failed.
enum class strategy : std::uint8_t {
  one_for_one,  ///< That one.
  one_for_all,  ///< All: the others are shut down first.
  rest_for_one, ///< That one, and those that were started after it.
};

inline constexpr strategy one_for_one = strategy::one_for_one;
inline constexpr strategy one_for_all = strategy::one_for_all;
inline constexpr strategy rest_for_one = strategy::rest_for_one;

/// When a supervisor ends because its significant children have, by themselves and without being restarted.
enum class auto_shutdown : std::uint8_t {
  never,
  any_significant, ///< With the first of them.
  all_significant, ///< With the last.
};

/// What a supervisor is to do: its children, in start order, and what happens when they fail. OTP's
/// supervisor flags and child specifications.
///
/// What is not said is as in OTP: one_for_one, at most 1 restart in 5 s, no automatic shutdown.
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
  explicit supervisor_spec(strategy which = one_for_one) noexcept : strategy_(which) {}

  /// Gives up when there are more than so many restarts within `period`: ends, and its children with it,
  /// with the reason `shutdown`. A failure counts once, however many children are restarted for it.
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

  supervisor_spec& ends(auto_shutdown when) & {
    auto_shutdown_ = when;
    return *this;
  }
  supervisor_spec ends(auto_shutdown when) && { return std::move(ends(when)); }

  /// Adds a child, to be started after those that were added before.
  supervisor_spec& add(child_spec one) & {
    children_.push_back(std::move(one));
    return *this;
  }
  supervisor_spec add(child_spec one) && { return std::move(add(std::move(one))); }

 private:
  friend class detail::supervised;
  friend int run(supervisor_spec spec);

  std::vector<child_spec> children_;
  std::size_t intensity_ = 1;
  duration period_ = std::chrono::seconds(5);
  strategy strategy_;
  auto_shutdown auto_shutdown_ = auto_shutdown::never;
  std::shared_ptr<bool> gave_up_; // for run()
};

} // namespace otpp
