// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/detail/child_requests.hpp>
#include <otpp/supervisor/detail/child_table.hpp>
#include <otpp/supervisor/detail/dynamic_children.hpp>
#include <otpp/supervisor/detail/restart_budget.hpp>
#include <otpp/timeout.hpp>
#include <otpp/timer.hpp>

#include <asio/awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

/// The options of a dynamic supervisor. The defaults are any number of children, and at most 1 restart in 5
/// s.
class dynamic_spec {
 public:
  dynamic_spec() noexcept {}

  /// As for `supervisor_spec`: the supervisor should not run.
  dynamic_spec(ignore_t) noexcept : is_ignored_(true) {}

  /// Sets how many restarts are allowed, of all children together, as `supervisor_spec::intensity`.
  ///
  /// @param restarts  1 by default; zero allows none.
  /// @param period    Within which time, 5 s by default; longer than zero.
  template <detail::timeout_like Duration>
  dynamic_spec& intensity(std::size_t restarts, Duration period) & {
    intensity_ = restarts;
    period_ = detail::saturate(period);
    return *this;
  }
  template <detail::timeout_like Duration>
  dynamic_spec intensity(std::size_t restarts, Duration period) && {
    return std::move(intensity(restarts, period));
  }

  /// As `supervisor_spec::shutdown`.
  dynamic_spec& shutdown(ahead_t) & {
    shuts_down_ahead_ = true;
    return *this;
  }
  dynamic_spec shutdown(ahead_t) && { return shutdown(ahead); }

  /// Drains all children, as with `child_spec::drain`, unless their own specification says so: all of them at
  /// once.
  ///
  /// @param within  How long each may take; zero or less, the default, does not drain them.
  template <detail::timeout_like Duration>
  dynamic_spec& drain(Duration within) & {
    drain_ = (std::max)(detail::saturate(within), duration::zero());
    return *this;
  }
  template <detail::timeout_like Duration>
  dynamic_spec drain(Duration within) && {
    return drain(within);
  }

  /// Limits the number of children; with more, `start_child` fails with `errc::max_children`.
  ///
  /// @param most  How many at most; any number by default, and zero lets none in.
  dynamic_spec& max_children(std::size_t most) & {
    most_ = most;
    return *this;
  }
  dynamic_spec max_children(std::size_t most) && { return max_children(most); }

 private:
  friend struct dynamic_supervisor;

  bool is_ignored_ = false;
  std::size_t intensity_ = 1;
  duration period_ = std::chrono::seconds(5);
  bool shuts_down_ahead_ = false;
  duration drain_{};
  std::size_t most_ = (std::numeric_limits<std::size_t>::max)();
};

/// A supervisor for any number of short-lived children, such as sessions and jobs. It starts without any;
/// `start_child` takes any `child_spec`, whose id need not be unique. Elixir's `DynamicSupervisor`, OTP's
/// `simple_one_for_one`.
///
/// A child that ends and is not restarted is dropped. When the supervisor ends it sends the exit signal to
/// all children at once, and then waits for all of them together, so that it takes no longer than its slowest
/// child. All else as `supervisor`, with one_for_one.
///
/// @par Example
/// @code
/// auto sessions = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().max_children(1000));
/// co_await otpp::start_child(sessions, otpp::temporary_child<session>("session", std::move(socket)));
/// @endcode
struct dynamic_supervisor {
  using state_type = detail::dynamic_children;
  using supervises = void;
  using messages = message_list<
      detail::start_child_request, detail::terminate_process_request, detail::which_children_request,
      detail::count_children_request>;

  init_result<state_type> init(const dynamic_spec& spec) {
    if (spec.is_ignored_) {
      return ignore;
    }
    detail::become_supervisor({one_for_one, spec.intensity_, spec.period_, true});
    return state_type(
        detail::restart_budget(spec.intensity_, spec.period_), spec.most_,
        detail::ending_of_all{spec.shuts_down_ahead_, spec.drain_},
        [](duration delay, detail::restart_retry what) {
          send_after(delay, self<dynamic_supervisor>(), what);
        });
  }
  init_result<state_type> init() { return init(dynamic_spec()); }

  asio::awaitable<outcome<>> handle_info(exit_signal signal, state_type& children) {
    return children.ended(std::move(signal));
  }
  asio::awaitable<outcome<>> handle_info(detail::restart_retry what, state_type& children) {
    return children.try_again(what);
  }

  asio::awaitable<outcome<pid>> handle_call(detail::start_child_request request, state_type& children) {
    return children.add(std::move(request.spec));
  }
  asio::awaitable<outcome<void>> handle_call(
      detail::terminate_process_request request, state_type& children) {
    return children.terminate(std::move(request.who));
  }
  std::vector<child_info> handle_call(detail::which_children_request, state_type& children) {
    return children.list();
  }
  child_counts handle_call(detail::count_children_request, state_type& children) { return children.count(); }

  asio::awaitable<void> terminate(const exit_reason&, state_type& children) { return children.stop_all(); }
};

} // namespace otpp

#pragma GCC visibility pop
