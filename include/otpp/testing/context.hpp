// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/virtual_time.hpp>
#include <otpp/testing/detail/lane_timers.hpp>
#include <otpp/timeout.hpp>

#include <asio/io_context.hpp>

#include <chrono>
#include <optional>
#include <string>

#pragma GCC visibility push(default)

namespace otpp::testing {

class world;

/// An execution context whose handlers are run by a world, in the order that the world chooses.
///
/// Use it wherever an `io_context` can be used, but do not call `run` and similar functions, which are the
/// world's. The world does not wait for real I/O, such as a socket, when nothing else is left to do. The
/// context may be destroyed before its world, also in `world::may`, like an `io_context` whose servers are
/// running.
class context final : public asio::io_context, private otpp::detail::virtual_time {
 public:
  class executor_type;

  /// Another context of a world.
  ///
  /// @param owner  The world, which runs its handlers; must outlive it.
  explicit context(world& owner);
  ~context();

  /// Returns the executor of the context.
  executor_type get_executor() noexcept;

 private:
  friend class world;

  using time_point = std::chrono::steady_clock::time_point;

  std::optional<time_point> next() const noexcept {
    std::optional<time_point> ours = timers_.earliest();
    return !ours || (wake_foreign_ && *wake_foreign_ < *ours) ? wake_foreign_ : ours;
  }

  time_point now() const noexcept override;
  void wake_at(otpp::detail::lane& here, time_point at) override { timers_.arm(here, at); }
  void do_not_wake(otpp::detail::lane& here) noexcept override { timers_.disarm(here); }
  duration timeout_of(duration given) const noexcept override;
  int turn_limit() const noexcept override;
  bool is_traced() const noexcept override;
  void trace(std::string what_happened) override;

  world* world_;
  detail::lane_timers timers_;
  std::optional<time_point> wake_foreign_;
};

/// The executor of a testing context. It never runs anything before `execute` returns.
class context::executor_type {
 public:
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  executor_type require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

  template <class Function>
  void execute(Function&& function) const;

  friend bool operator==(const executor_type& a, const executor_type& b) noexcept {
    return a.context_ == b.context_;
  }
  friend bool operator!=(const executor_type& a, const executor_type& b) noexcept { return !(a == b); }

 private:
  friend class context;
  executor_type(world& owner, context& where) noexcept : world_(&owner), context_(&where) {}

  world* world_;
  context* context_;
};

} // namespace otpp::testing

#pragma GCC visibility pop
