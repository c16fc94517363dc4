// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/run.hpp>
#include <otpp/run/options.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/detail/child_requests.hpp>
#include <otpp/supervisor/detail/child_table.hpp>
#include <otpp/supervisor/detail/supervised.hpp>
#include <otpp/supervisor/supervisor_spec.hpp>
#include <otpp/timeout.hpp>
#include <otpp/timer.hpp>

#include <asio/awaitable.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/this_coro.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

/// A server that starts others, and restarts them when they fail: a callbacks class, started with
/// `otpp::start<otpp::supervisor>(otpp::named("top"), spec)`, or as a child of another supervisor:
/// `otpp::child<otpp::supervisor>("workers", spec)`. OTP's `supervisor`.
///
/// `start` completes when all children have started, one after the other. If one cannot be started, those
/// that are running are shut down, and `start` throws `errc::exited`, which names the child and has its
/// exception as `reason()`.
///
/// If the start fails during a restart, the supervisor tries again by a message to itself, so that it serves
/// other requests in the meantime; every attempt counts. A child's name, like everything it has registered,
/// is free before it is restarted: two incarnations never overlap, and a call by name between the two fails
/// at once with `errc::no_process`.
///
/// When it ends, by `stop()`, with its parent, or because it has given up, it shuts its children down in
/// reverse start order, as their specifications say; if it is drained, it drains them. When it is killed its
/// children end through their links.
///
/// While it starts a child, or waits for one to end, it serves no requests, as in OTP: a slow `init` should
/// do its work in a `handle_continue`.
struct supervisor {
  using state_type = detail::supervised;
  using supervises = void;
  using messages = message_list<
      detail::start_child_request, detail::restart_child_request, detail::terminate_child_request,
      detail::delete_child_request, detail::which_children_request, detail::count_children_request>;

  asio::awaitable<init_result<state_type>> init(supervisor_spec spec) {
    if (spec.is_ignored_) {
      co_return init_result<state_type>(ignore);
    }
    detail::become_supervisor({spec.strategy_, spec.intensity_, spec.period_, false});
    state_type children(std::move(spec), [](duration delay, detail::restart_retry what) {
      send_after(delay, self<supervisor>(), what);
    });
    co_await children.start_all();
    co_return init_result<state_type>(std::move(children));
  }

  asio::awaitable<outcome<>> handle_info(exit_signal signal, state_type& children) {
    return children.ended(std::move(signal));
  }
  asio::awaitable<outcome<>> handle_info(detail::restart_retry what, state_type& children) {
    return children.try_again(what);
  }

  asio::awaitable<outcome<pid>> handle_call(detail::start_child_request request, state_type& children) {
    return children.add(std::move(request.spec));
  }
  asio::awaitable<outcome<pid>> handle_call(detail::restart_child_request request, state_type& children) {
    return children.start_again(std::move(request.id));
  }
  asio::awaitable<outcome<void>> handle_call(detail::terminate_child_request request, state_type& children) {
    return children.terminate(std::move(request.id));
  }
  outcome<void> handle_call(detail::delete_child_request request, state_type& children) {
    return children.erase(request.id);
  }
  std::vector<child_info> handle_call(detail::which_children_request, state_type& children) {
    return children.list();
  }
  child_counts handle_call(detail::count_children_request, state_type& children) { return children.count(); }

  asio::awaitable<void> terminate(const exit_reason&, state_type& children) { return children.stop_from(0); }
};

/// Starts a supervisor, like `otpp::start<otpp::supervisor>`. OTP's `supervisor:start_link`, without the
/// link.
///
/// @param spec  Its children, and what happens when they fail. One that is `otpp::ignore` is not started:
///              `errc::ignored`.
inline asio::awaitable<server_ref<supervisor>> start_supervisor(supervisor_spec spec) {
  return otpp::start<supervisor>(std::move(spec));
}

/// Starts a supervisor with a name, or on another executor than the starter's. All else as above.
///
/// @param how   Name, executor and the like, as for `start`.
/// @param spec  As above.
inline asio::awaitable<server_ref<supervisor>> start_supervisor(options how, supervisor_spec spec) {
  return otpp::start<supervisor>(std::move(how), std::move(spec));
}

namespace detail {

inline asio::awaitable<int> run_tree(
    supervisor_spec spec, std::shared_ptr<bool> gave_up, bool ends_ahead, std::optional<duration> drain) {
  server_ref<supervisor> top = co_await otpp::start<supervisor>(std::move(spec));
  bool is_interrupted = false;
  try {
    co_await top.join();
  } catch (const std::system_error&) {
    is_interrupted = true; // SIGINT or SIGTERM cancels the wait
  }
  if (is_interrupted) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
      if (drain) {
        co_await top.drain(*drain, exit_reason::shutdown());
      } else if (ends_ahead) {
        co_await top.stop(exit_reason::shutdown(), ahead);
      } else {
        co_await top.stop(exit_reason::shutdown());
      }
    } catch (const error&) {
      // It has just ended for another reason, or was not drained in time.
    }
  }
  co_return *gave_up ? EXIT_FAILURE : EXIT_SUCCESS;
}

} // namespace detail

/// Runs a tree of supervisors as a whole program, and returns its exit status.
///
/// SIGINT and SIGTERM shut the tree down, in reverse start order; a child that exceeds its time is reported
/// and killed. The program also ends when the supervisor does: with status 0 if its significant children have
/// ended, and with 1 if it gives up or cannot start, which is reported on stderr. All else as `run` of a
/// coroutine.
///
/// @param spec  The children of the top supervisor, which may be supervisors themselves.
/// @param how   Whether the signals drain the tree (`run_options::drain`), and what is printed if it does not
///              end.
///
/// @par Example
/// @code
/// int main() { return otpp::run(otpp::supervisor_spec().add(otpp::child<front>("front", 8080))); }
/// @endcode
inline int run(supervisor_spec spec, const run_options& how = {}) {
  auto gave_up = std::make_shared<bool>(false);
  spec.gave_up_ = gave_up;
  bool ends_ahead = spec.shuts_down_ahead_;
  return run(
      detail::run_tree(std::move(spec), std::move(gave_up), ends_ahead, detail::access::drain(how)), how);
}

} // namespace otpp

#pragma GCC visibility pop
