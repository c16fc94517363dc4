// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/run.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/timeout.hpp>
#include <otpp/timer.hpp>

#include <asio/awaitable.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace otpp {

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
  friend class supervised;
  friend int run(supervisor_spec spec);

  std::vector<child_spec> children_;
  std::size_t intensity_ = 1;
  duration period_ = std::chrono::seconds(5);
  strategy strategy_;
  auto_shutdown auto_shutdown_ = auto_shutdown::never;
  std::shared_ptr<bool> gave_up_; // for run()
};

/// The children of a supervisor, as it has them: its state. All of it runs in the supervisor's handlers,
/// one at a time, so that nothing changes while one of them waits for a child to start or to end.
class supervised {
 public:
  /// Throws std::invalid_argument for a specification that cannot be.
  explicit supervised(supervisor_spec spec)
      : budget_(spec.intensity_, spec.period_),
        strategy_(spec.strategy_),
        auto_shutdown_(spec.auto_shutdown_),
        gave_up_(std::move(spec.gave_up_)) {
    std::set<std::string_view> ids;
    for (const child_spec& one : spec.children_) {
      check(one);
      if (!ids.insert(one.id()).second) {
        throw std::invalid_argument("otpp: a supervisor has two children with the id \"" + one.id() + '"');
      }
    }
    for (child_spec& one : spec.children_) {
      children_.emplace_back(std::move(one));
    }
  }

  /// Starts all children, in order. If one fails, ends those that run, and throws.
  asio::awaitable<void> start_all() {
    std::exception_ptr why;
    std::string failed;
    for (std::size_t i = 0; i < children_.size() && !why;) {
      try {
        co_await start(children_[i]);
      } catch (...) {
        why = std::current_exception();
      }
      if (why) {
        failed = children_[i].spec.id();
      } else if (children_[i].is_forgotten()) {
        children_.erase(at(i)); // it was ignored
      } else {
        ++i;
      }
    }
    if (!why) {
      co_return;
    }
    // Also where it was a cancellation: what has been started must end in order.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    detail::report(supervisor_report::kind::start_error, failed, {}, exit_reason(why));
    co_await stop_from(0);
    if (is_cancellation(why)) {
      std::rethrow_exception(why);
    }
    std::rethrow_exception(detail::make_error(
        errc::exited, "starting child \"" + failed + '"', {}, self().describe(), exit_reason(why)));
  }

  /// Shuts the children down, the last first, from one of them on.
  asio::awaitable<void> stop_from(std::size_t first) {
    for (std::size_t i = children_.size(); i-- > first;) {
      record& one = children_[i];
      one.is_restarting = false;
      if (one.who) {
        co_await detail::end_child(one.spec, one.who);
        one.who = {};
        if (one.spec.restart() == restart_type::temporary) {
          children_.erase(at(i));
        }
      }
    }
  }

  /// A process that was linked with the supervisor has ended.
  asio::awaitable<outcome<>> ended(exit_signal signal) {
    auto found = std::find_if(children_.begin(), children_.end(), [&](const record& one) {
      return one.who && one.who == signal.from;
    });
    if (found == children_.end()) {
      co_return outcome<>(); // one that was shut down, or no child at all
    }
    record& one = *found;
    one.who = {};
    bool has_failed = !signal.reason.is_clean();
    bool is_permanent = one.spec.restart() == restart_type::permanent;
    if (has_failed || is_permanent) {
      detail::report(supervisor_report::kind::child_terminated, one.spec.id(), signal.from, signal.reason);
    }
    if (is_permanent || (has_failed && one.spec.restart() == restart_type::transient)) {
      outcome<> result = co_await restart(static_cast<std::size_t>(found - children_.begin()), true, true);
      co_return std::move(result);
    }
    bool is_significant = one.spec.is_significant();
    if (one.spec.restart() == restart_type::temporary) {
      children_.erase(found);
    }
    if (is_significant && is_to_end()) {
      co_return outcome<>(stop(exit_reason::shutdown()));
    }
    co_return outcome<>();
  }

  struct retry {
    std::string id;
    std::uint64_t ticket;
    bool counts; ///< It is a start that has failed, rather than one that was put off.
  };

  asio::awaitable<outcome<>> try_again(retry what) {
    std::size_t i = find(what.id);
    if (i == children_.size() || !children_[i].is_restarting || children_[i].ticket != what.ticket) {
      co_return outcome<>();
    }
    outcome<> result = co_await restart(i, what.counts, false);
    co_return std::move(result);
  }

  asio::awaitable<outcome<pid>> add(child_spec spec) {
    std::size_t i = find(spec.id());
    if (i != children_.size()) {
      errc why = children_[i].is_active() ? errc::already_started : errc::already_present;
      co_return outcome<pid>(detail::refuse(why, "start_child", spec.id()));
    }
    record made(std::move(spec));
    std::exception_ptr why;
    try {
      check(made.spec);
      co_await start(made);
    } catch (...) {
      why = std::current_exception();
    }
    if (why) {
      detail::report(supervisor_report::kind::start_error, made.spec.id(), {}, exit_reason(why));
      co_return outcome<pid>(fail(std::move(why)));
    }
    pid who = made.who;
    if (!made.is_forgotten()) {
      children_.push_back(std::move(made));
    }
    co_return outcome<pid>(std::move(who));
  }

  asio::awaitable<outcome<pid>> start_again(std::string id) {
    std::size_t i = find(id);
    if (i == children_.size()) {
      co_return outcome<pid>(detail::refuse(errc::not_found, "restart_child", id));
    }
    if (children_[i].is_active()) {
      co_return outcome<pid>(detail::refuse(errc::running, "restart_child", id));
    }
    std::exception_ptr why;
    try {
      co_await start(children_[i]);
    } catch (...) {
      why = std::current_exception();
    }
    if (why) {
      detail::report(supervisor_report::kind::start_error, id, {}, exit_reason(why));
      co_return outcome<pid>(fail(std::move(why)));
    }
    co_return outcome<pid>(children_[i].who);
  }

  asio::awaitable<outcome<void>> terminate(std::string id) {
    std::size_t i = find(id);
    if (i == children_.size()) {
      co_return outcome<void>(detail::refuse(errc::not_found, "terminate_child", id));
    }
    record& one = children_[i];
    one.is_restarting = false;
    if (one.who) {
      co_await detail::end_child(one.spec, one.who);
      one.who = {};
    }
    if (one.spec.restart() == restart_type::temporary) {
      children_.erase(at(i));
    }
    co_return outcome<void>();
  }

  outcome<void> forget(const std::string& id) {
    std::size_t i = find(id);
    if (i == children_.size()) {
      return detail::refuse(errc::not_found, "delete_child", id);
    }
    if (children_[i].is_active()) {
      return detail::refuse(errc::running, "delete_child", id);
    }
    children_.erase(at(i));
    return {};
  }

  std::vector<child_info> list() const {
    std::vector<child_info> result;
    result.reserve(children_.size());
    for (const record& one : children_) {
      result.push_back(
          {one.spec.id(), one.who, one.is_restarting, one.spec.is_supervisor(),
           std::string(one.spec.type_name())});
    }
    return result;
  }

  child_counts count() const noexcept {
    child_counts result;
    for (const record& one : children_) {
      ++result.specs;
      result.active += one.who ? 1u : 0u;
      ++(one.spec.is_supervisor() ? result.supervisors : result.workers);
    }
    return result;
  }

 private:
  struct record {
    explicit record(child_spec what) : spec(std::move(what)) {}

    bool is_active() const noexcept { return who || is_restarting; }
    bool is_forgotten() const noexcept { return !who && spec.restart() == restart_type::temporary; }

    child_spec spec;
    pid who;
    bool is_restarting = false;
    std::uint64_t ticket = 0; // of the retry that is on its way
    detail::deadline::time_point started{};
    duration delay{}; // the last
  };

  using place = std::vector<record>::iterator;
  place at(std::size_t i) noexcept { return children_.begin() + static_cast<std::ptrdiff_t>(i); }

  static bool is_cancellation(const std::exception_ptr& why) {
    try {
      std::rethrow_exception(why);
    } catch (const std::system_error& e) {
      return e.code() == asio::error::operation_aborted;
    } catch (...) {
      return false;
    }
  }

  void check(const child_spec& spec) const {
    if (!spec.is_significant()) {
      return;
    }
    if (spec.restart() == restart_type::permanent) {
      throw std::invalid_argument("otpp: a permanent child cannot be significant: \"" + spec.id() + '"');
    }
    if (auto_shutdown_ == auto_shutdown::never) {
      throw std::invalid_argument(
          "otpp: a significant child, in a supervisor that never ends by itself: \"" + spec.id() + '"');
    }
  }

  std::size_t find(const std::string& id) const noexcept {
    auto found = std::find_if(
        children_.begin(), children_.end(), [&](const record& one) { return one.spec.id() == id; });
    return static_cast<std::size_t>(found - children_.begin());
  }

  // A significant child has ended by itself.
  bool is_to_end() const noexcept {
    if (auto_shutdown_ != auto_shutdown::all_significant) {
      return auto_shutdown_ == auto_shutdown::any_significant;
    }
    return std::none_of(children_.begin(), children_.end(), [](const record& one) {
      return one.spec.is_significant() && one.is_active();
    });
  }

  static asio::awaitable<void> start(record& one) {
    try {
      pid who = co_await one.spec.start();
      one.who = std::move(who);
    } catch (const error& e) {
      if (e.code() != errc::ignored) {
        throw;
      }
    }
    one.is_restarting = false;
    one.started = detail::time_here();
    if (one.spec.restart() == restart_type::temporary) {
      one.spec.forget_arguments();
    }
  }

  // `counts`: it is a failure, of which there may be too many. `waits`: it may be put off.
  asio::awaitable<outcome<>> restart(std::size_t i, bool counts, bool waits) {
    if (counts && !budget_.take(detail::time_here())) {
      children_[i].is_restarting = false;
      detail::report(supervisor_report::kind::gave_up, children_[i].spec.id(), {}, exit_reason::shutdown());
      if (gave_up_) {
        *gave_up_ = true;
      }
      co_return outcome<>(stop(exit_reason::shutdown()));
    }
    std::size_t first = i;
    std::size_t last = i + 1;
    if (strategy_ != strategy::one_for_one) {
      std::string id = children_[i].spec.id(); // its place changes: temporary ones are dropped
      co_await stop_from(strategy_ == strategy::one_for_all ? 0 : i);
      i = find(id);
      first = strategy_ == strategy::one_for_all ? 0 : i;
      last = children_.size();
    }
    if (waits && children_[i].spec.first_delay() != duration::zero()) {
      put_off(i, false);
      co_return outcome<>();
    }
    while (first < last) {
      std::exception_ptr why;
      try {
        co_await start(children_[first]);
      } catch (...) {
        why = std::current_exception();
      }
      if (why) {
        detail::report(
            supervisor_report::kind::start_error, children_[first].spec.id(), {},
            exit_reason(std::move(why)));
        put_off(first, true);
        co_return outcome<>();
      }
      ++first;
    }
    co_return outcome<>();
  }

  // By a message to itself, so that the supervisor serves others meanwhile.
  void put_off(std::size_t i, bool counts); // below

  std::vector<record> children_;
  detail::restart_budget budget_;
  strategy strategy_;
  auto_shutdown auto_shutdown_;
  std::uint64_t last_ticket_ = 0;
  std::shared_ptr<bool> gave_up_;
};

/// A server that starts others, and restarts them when they fail: a callbacks class, started with
/// `otpp::start<otpp::supervisor>(otpp::named("top"), spec)`, or as a child of another supervisor:
/// `otpp::child<otpp::supervisor>("workers", spec)`. OTP's `supervisor`.
///
/// `start` completes when all children have started, one after the other. If one cannot, those that have
/// are shut down and it throws `errc::exited`, which names the child and has its exception as `reason()`.
///
/// A restart whose start fails is tried again, by a message to itself, so that the supervisor serves others
/// meanwhile; every attempt counts. A child's name, like all it holds, is free before it is started again:
/// two incarnations never overlap, and a call by name while there is none fails at once with
/// `errc::no_process`.
///
/// When it ends, by `stop()`, with its parent, or because it has given up, it shuts its children down, the
/// last first, as their specifications say. When it is killed its children end by their links.
///
/// While it starts a child, or waits for one to end, it serves nobody, as in OTP: an `init` that takes long
/// belongs into a `handle_continue`.
struct supervisor {
  using state_type = supervised;
  using supervises = void;
  using messages = message_list<
      detail::start_child_request, detail::restart_child_request, detail::terminate_child_request,
      detail::delete_child_request, detail::which_children_request, detail::count_children_request>;

  asio::awaitable<supervised> init(supervisor_spec spec) {
    trap_exit();
    auto mine = detail::running_process("a supervisor");
    mine->expect_relations();
    mine->supervise();
    supervised children(std::move(spec));
    co_await children.start_all();
    co_return children;
  }

  asio::awaitable<outcome<>> handle_info(exit_signal signal, supervised& children) {
    return children.ended(std::move(signal));
  }
  asio::awaitable<outcome<>> handle_info(supervised::retry what, supervised& children) {
    return children.try_again(std::move(what));
  }

  asio::awaitable<outcome<pid>> handle_call(detail::start_child_request request, supervised& children) {
    return children.add(std::move(request.spec));
  }
  asio::awaitable<outcome<pid>> handle_call(detail::restart_child_request request, supervised& children) {
    return children.start_again(std::move(request.id));
  }
  asio::awaitable<outcome<void>> handle_call(detail::terminate_child_request request, supervised& children) {
    return children.terminate(std::move(request.id));
  }
  outcome<void> handle_call(detail::delete_child_request request, supervised& children) {
    return children.forget(request.id);
  }
  std::vector<child_info> handle_call(detail::which_children_request, supervised& children) {
    return children.list();
  }
  child_counts handle_call(detail::count_children_request, supervised& children) { return children.count(); }

  asio::awaitable<void> terminate(const exit_reason&, supervised& children) { return children.stop_from(0); }
};

inline void supervised::put_off(std::size_t i, bool counts) {
  record& one = children_[i];
  duration has_run = counts ? duration::zero() : detail::time_here() - one.started;
  one.delay = detail::next_delay(one.spec, one.delay, has_run);
  one.is_restarting = true;
  one.ticket = ++last_ticket_;
  retry again{one.spec.id(), one.ticket, counts};
  send_after(one.delay, self<supervisor>(), std::move(again));
}

/// Starts a supervisor. `otpp::start<otpp::supervisor>` says the same. OTP's `supervisor:start_link`,
/// without the link.
inline asio::awaitable<server_ref<supervisor>> start_supervisor(supervisor_spec spec) {
  return otpp::start<supervisor>(std::move(spec));
}
inline asio::awaitable<server_ref<supervisor>> start_supervisor(options how, supervisor_spec spec) {
  return otpp::start<supervisor>(std::move(how), std::move(spec));
}

namespace detail {

inline asio::awaitable<int> run_tree(supervisor_spec spec, std::shared_ptr<bool> gave_up) {
  server_ref<supervisor> top = co_await otpp::start<supervisor>(std::move(spec));
  bool is_interrupted = false;
  try {
    co_await top.join();
  } catch (const std::system_error&) {
    is_interrupted = true; // SIGINT or SIGTERM cancels what we wait for
  }
  if (is_interrupted) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    try {
      co_await top.stop(exit_reason::shutdown());
    } catch (const error&) {
      // It has just ended for a reason of its own.
    }
  }
  co_return *gave_up ? EXIT_FAILURE : EXIT_SUCCESS;
}

} // namespace detail

/// Runs a tree of supervisors as a whole program, and returns its exit status.
///
/// SIGINT and SIGTERM shut the tree down, the last child first; of any that exceeds its time a report is
/// printed, and it is killed. The program also ends when the supervisor does: with 0 if its significant
/// children have ended, with 1 if it gives up or cannot start, of which stderr tells. All else as `run` of
/// a coroutine.
///
/// @par Example
/// @code
/// int main() { return otpp::run(otpp::supervisor_spec().add(otpp::child<front>("front", 8080))); }
/// @endcode
inline int run(supervisor_spec spec) {
  auto gave_up = std::make_shared<bool>(false);
  spec.gave_up_ = gave_up;
  return run(detail::run_tree(std::move(spec), std::move(gave_up)));
}

} // namespace otpp
