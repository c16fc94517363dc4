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
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/timeout.hpp>
#include <otpp/timer.hpp>

#include <asio/awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace otpp {

/// What a dynamic supervisor is to do. What is not said: any number of children, and at most 1 restart in 5
/// s.
class dynamic_spec {
 public:
  dynamic_spec() noexcept {}

  /// As `supervisor_spec::intensity`.
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

  /// `start_child` fails with `errc::max_children` when there are so many already.
  dynamic_spec& max_children(std::size_t most) & {
    most_ = most;
    return *this;
  }
  dynamic_spec max_children(std::size_t most) && { return std::move(max_children(most)); }

 private:
  friend class dynamic_children;

  std::size_t intensity_ = 1;
  duration period_ = std::chrono::seconds(5);
  std::size_t most_ = (std::numeric_limits<std::size_t>::max)();
};

/// The children of a dynamic supervisor: its state.
class dynamic_children {
 public:
  explicit dynamic_children(const dynamic_spec& spec) noexcept
      : budget_(spec.intensity_, spec.period_), most_(spec.most_) {}

  asio::awaitable<outcome<pid>> add(child_spec spec) {
    if (children_.size() >= most_) {
      co_return outcome<pid>(detail::refuse(errc::max_children, "start_child", spec.id()));
    }
    record made(std::move(spec));
    std::exception_ptr why;
    try {
      if (made.spec.is_significant()) {
        throw std::invalid_argument("otpp: a child of a dynamic supervisor cannot be significant");
      }
      co_await start(made);
    } catch (...) {
      why = std::current_exception();
    }
    if (why) {
      detail::report(supervisor_report::kind::start_error, made.spec.id(), {}, exit_reason(why));
      co_return outcome<pid>(fail(std::move(why)));
    }
    pid who = made.who;
    if (who) {
      children_.emplace(who.id(), std::move(made));
    }
    co_return outcome<pid>(std::move(who));
  }

  asio::awaitable<outcome<void>> terminate(pid who) {
    auto found = children_.find(who.id());
    if (found == children_.end()) {
      co_return outcome<void>(detail::refuse(errc::not_found, "terminate_child", who.describe()));
    }
    record one = std::move(found->second);
    children_.erase(found);
    if (one.who) {
      co_await detail::end_child(one.spec, one.who);
    }
    co_return outcome<void>();
  }

  /// A process that was linked with the supervisor has ended.
  asio::awaitable<outcome<>> ended(exit_signal signal) {
    auto found = children_.find(signal.from.id());
    if (found == children_.end() || !found->second.who) {
      co_return outcome<>();
    }
    record& one = found->second;
    bool has_failed = !signal.reason.is_clean();
    bool is_permanent = one.spec.restart() == restart_type::permanent;
    if (has_failed || is_permanent) {
      detail::report(supervisor_report::kind::child_terminated, one.spec.id(), signal.from, signal.reason);
    }
    if (!is_permanent && !(has_failed && one.spec.restart() == restart_type::transient)) {
      children_.erase(found);
      co_return outcome<>();
    }
    one.who = {};
    outcome<> result = co_await restart(signal.from.id(), true, true);
    co_return std::move(result);
  }

  /// A child is known by the number of the incarnation that was last.
  struct retry {
    std::uint64_t number;
    bool counts;
  };

  asio::awaitable<outcome<>> try_again(retry what) {
    auto found = children_.find(what.number);
    if (found == children_.end() || found->second.who) {
      co_return outcome<>();
    }
    outcome<> result = co_await restart(what.number, what.counts, false);
    co_return std::move(result);
  }

  /// Tells all children to end, and then waits for all of them, each for as long as it may take.
  asio::awaitable<void> stop_all() {
    std::vector<record*> left;
    for (auto& [number, one] : children_) {
      if (one.who) {
        left.push_back(&one);
      }
    }
    // The first whose time is over is the first that is waited for: so the others lose none of theirs.
    std::sort(left.begin(), left.end(), [](const record* a, const record* b) {
      return a->spec.shutdown() < b->spec.shutdown();
    });
    for (record* one : left) {
      detail::signal_shutdown(one->spec, one->who);
    }
    auto begin = detail::time_here();
    for (record* one : left) {
      duration patience = infinite;
      if (!detail::is_killed_at_once(one->spec) && one->spec.shutdown() != infinite) {
        patience = (std::max)(one->spec.shutdown() - (detail::time_here() - begin), duration::zero());
      }
      co_await detail::await_end(one->spec, one->who, patience);
    }
    children_.clear();
  }

  std::vector<child_info> list() const {
    std::vector<child_info> result;
    result.reserve(children_.size());
    for (const auto& [number, one] : children_) {
      result.push_back(
          {one.spec.id(), one.who, !one.who, one.spec.is_supervisor(), std::string(one.spec.type_name())});
    }
    return result;
  }

  child_counts count() const noexcept {
    child_counts result;
    for (const auto& [number, one] : children_) {
      ++result.specs;
      result.active += one.who ? 1u : 0u;
      ++(one.spec.is_supervisor() ? result.supervisors : result.workers);
    }
    return result;
  }

 private:
  struct record {
    explicit record(child_spec what) : spec(std::move(what)) {}

    child_spec spec;
    pid who; // nobody: it is to be restarted
    detail::deadline::time_point started{};
    duration delay{};
  };

  static asio::awaitable<void> start(record& one) {
    try {
      pid who = co_await one.spec.start();
      one.who = std::move(who);
    } catch (const error& e) {
      if (e.code() != errc::ignored) {
        throw;
      }
    }
    one.started = detail::time_here();
    if (one.spec.restart() == restart_type::temporary) {
      one.spec.forget_arguments();
    }
  }

  asio::awaitable<outcome<>> restart(std::uint64_t number, bool counts, bool waits) {
    auto found = children_.find(number);
    record& one = found->second;
    if (counts && !budget_.take(detail::time_here())) {
      detail::report(supervisor_report::kind::gave_up, one.spec.id(), {}, exit_reason::shutdown());
      children_.erase(found);
      co_return outcome<>(stop(exit_reason::shutdown()));
    }
    if (waits && one.spec.first_delay() != duration::zero()) {
      put_off(number, one, false);
      co_return outcome<>();
    }
    std::exception_ptr why;
    try {
      co_await start(one);
    } catch (...) {
      why = std::current_exception();
    }
    if (why) {
      detail::report(supervisor_report::kind::start_error, one.spec.id(), {}, exit_reason(std::move(why)));
      put_off(number, one, true);
      co_return outcome<>();
    }
    auto node = children_.extract(number);
    if (node.mapped().who) { // else its init has returned `ignore`
      node.key() = node.mapped().who.id();
      children_.insert(std::move(node));
    }
    co_return outcome<>();
  }

  void put_off(std::uint64_t number, record& one, bool counts); // below

  std::unordered_map<std::uint64_t, record> children_;
  detail::restart_budget budget_;
  std::size_t most_;
};

/// A supervisor for any number of children that come and go: sessions, jobs. It begins without any;
/// `start_child` takes any `child_spec`, whose id need not be unique. Elixir's `DynamicSupervisor`, OTP's
/// `simple_one_for_one`.
///
/// A child that ends, and is not to be restarted, is forgotten. When the supervisor ends it tells all
/// children at once, and then waits for all of them together, so that its end takes no longer than the
/// longest of theirs. All else as `supervisor`, with one_for_one.
///
/// @par Example
/// @code
/// auto sessions = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().max_children(1000));
/// co_await otpp::start_child(sessions, otpp::temporary_child<session>("session", std::move(socket)));
/// @endcode
struct dynamic_supervisor {
  using state_type = dynamic_children;
  using supervises = void;
  using messages = message_list<
      detail::start_child_request, detail::terminate_process_request, detail::which_children_request,
      detail::count_children_request>;

  dynamic_children init(const dynamic_spec& spec) {
    trap_exit();
    auto mine = detail::running_process("a supervisor");
    mine->expect_relations();
    mine->supervise();
    return dynamic_children(spec);
  }
  dynamic_children init() { return init(dynamic_spec()); }

  asio::awaitable<outcome<>> handle_info(exit_signal signal, dynamic_children& children) {
    return children.ended(std::move(signal));
  }
  asio::awaitable<outcome<>> handle_info(dynamic_children::retry what, dynamic_children& children) {
    return children.try_again(what);
  }

  asio::awaitable<outcome<pid>> handle_call(detail::start_child_request request, dynamic_children& children) {
    return children.add(std::move(request.spec));
  }
  asio::awaitable<outcome<void>> handle_call(
      detail::terminate_process_request request, dynamic_children& children) {
    return children.terminate(std::move(request.who));
  }
  std::vector<child_info> handle_call(detail::which_children_request, dynamic_children& children) {
    return children.list();
  }
  child_counts handle_call(detail::count_children_request, dynamic_children& children) {
    return children.count();
  }

  asio::awaitable<void> terminate(const exit_reason&, dynamic_children& children) {
    return children.stop_all();
  }
};

inline void dynamic_children::put_off(std::uint64_t number, record& one, bool counts) {
  duration has_run = counts ? duration::zero() : detail::time_here() - one.started;
  one.delay = detail::next_delay(one.spec, one.delay, has_run);
  retry again{number, counts};
  send_after(one.delay, self<dynamic_supervisor>(), again);
}

} // namespace otpp
