// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/moment.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

template <class Callbacks>
class pool;

/// Which worker of a `pool` gets a message, unless it is sent to `pool.at(key)`.
enum class routing : std::uint8_t {
  round_robin, ///< One after the other.
  least_busy,  ///< The one with the fewest calls that are not answered; of several such, one after the other.
};

/// `routing::round_robin`.
inline constexpr routing round_robin = routing::round_robin;
/// `routing::least_busy`.
inline constexpr routing least_busy = routing::least_busy;

/// How many workers a `pool` has, how they are chosen, and how they are started, restarted and ended.
///
/// @par Example
/// @code
/// otpp::pool_options(8, otpp::least_busy).in_flight(2).start_options(otpp::options().on(threads.get_executor()))
/// @endcode
class pool_options {
 public:
  /// Says how many workers the pool begins with, and how they are chosen.
  ///
  /// @param workers  How many. Throws std::invalid_argument for zero.
  /// @param how      Which worker gets a message, unless it is sent to `pool.at(key)`; each in turn by
  ///                 default.
  explicit pool_options(std::size_t workers, routing how = round_robin) : size_(workers), routing_(how) {
    if (workers == 0) {
      throw std::invalid_argument("otpp: a pool has one worker at least");
    }
  }

  /// Limits how many calls a worker may have that are not answered, those of `send_request` included; to
  /// casts and plain messages only its mailbox limit applies. A call for which no worker has room fails at
  /// once with `errc::mailbox_full`. One whose caller has given up counts until the worker has dealt with it.
  ///
  /// @param calls  How many of each worker; any number by default. Zero counts as one.
  pool_options& in_flight(std::size_t calls) & {
    in_flight_ = (std::max)(calls, std::size_t{1});
    return *this;
  }
  pool_options in_flight(std::size_t calls) && { return std::move(in_flight(calls)); }

  /// Sets how each worker is started, as for `start`.
  ///
  /// @param how  Executor, mailbox limit and the like; no name, which only one worker could have.
  pool_options& start_options(options how) & {
    options_ = std::move(how);
    return *this;
  }
  pool_options start_options(options how) && { return std::move(start_options(std::move(how))); }

  /// Sets how many restarts the pool survives, of all workers together, as `supervisor_spec::intensity`.
  ///
  /// @param restarts  1 by default; zero allows none.
  /// @param period    Within which time, 5 s by default; longer than zero.
  template <detail::timeout_like Duration>
  pool_options& intensity(std::size_t restarts, Duration period) & {
    intensity_ = restarts;
    period_ = detail::saturate(period);
    return *this;
  }
  template <detail::timeout_like Duration>
  pool_options intensity(std::size_t restarts, Duration period) && {
    return std::move(intensity(restarts, period));
  }

  /// Lets a worker finish what it has when the pool ends or becomes smaller (`child_spec::drain`).
  ///
  /// @param within  How long it may take; 5 s by default, and zero or less not at all.
  template <detail::timeout_like Duration>
  pool_options& drain(Duration within) & {
    drain_ = (std::max)(detail::saturate(within), duration::zero());
    return *this;
  }
  template <detail::timeout_like Duration>
  pool_options drain(Duration within) && {
    return std::move(drain(within));
  }

 private:
  template <class Callbacks>
  friend class pool;

  std::size_t size_;
  std::size_t in_flight_ = (std::numeric_limits<std::size_t>::max)();
  std::size_t intensity_ = 1;
  duration period_ = std::chrono::seconds(5);
  duration drain_ = std::chrono::seconds(5);
  options options_;
  routing routing_;
};

} // namespace otpp

#pragma GCC visibility pop
