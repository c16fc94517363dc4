// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/detail/child_table.hpp>
#include <otpp/supervisor/detail/end_child.hpp>
#include <otpp/supervisor/detail/report.hpp>
#include <otpp/supervisor/detail/restart_budget.hpp>
#include <otpp/supervisor/report.hpp>
#include <otpp/supervisor/supervisor_spec.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/error.hpp>
#include <asio/this_coro.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The children of a supervisor, in start order, which are its state.
class supervised : private child_table {
 public:
  // Throws std::invalid_argument for an invalid specification.
  supervised(supervisor_spec spec, later send_later)
      : child_table(
            restart_budget(spec.intensity_, spec.period_), {spec.shuts_down_ahead_, spec.drain_}, send_later),
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
      inherit(one);
      children_.emplace_back(std::move(one));
    }
  }

  // Starts all children, in order. If one fails, ends the running ones, and throws.
  asio::awaitable<void> start_all() {
    std::exception_ptr why;
    std::string failed;
    for (std::size_t i = 0; i < children_.size() && !why;) {
      try {
        co_await start(children_[i]);
      } catch (...) { // also catches the cancellation of this `init`
        why = std::current_exception();
      }
      if (why) {
        failed = children_[i].spec.id();
      } else if (is_forgotten(children_[i])) {
        children_.erase(at(i)); // its init returned `ignore`
      } else {
        ++i;
      }
    }
    if (!why) {
      co_return;
    }
    // The start may have been cancelled, but the children that are running must still be ended in order.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    report(supervisor_report::kind::start_error, failed, {}, exit_reason(why));
    co_await stop_from(0);
    if (is_cancellation(why)) {
      std::rethrow_exception(why);
    }
    std::rethrow_exception(make_error(
        errc::exited, "starting child \"" + failed + '"', {}, self().describe(), exit_reason(why)));
  }

  // Shuts down the children from one of them to the last, in reverse order.
  asio::awaitable<void> stop_from(std::size_t first) {
    for (std::size_t i = children_.size(); i-- > first;) {
      child_record& one = children_[i];
      one.is_restarting = false;
      if (one.who) {
        co_await end_child(one.spec, one.who);
        one.who = {};
        if (one.spec.restart() == restart_type::temporary) {
          children_.erase(at(i));
        }
      }
    }
  }

  // Called when a process that was linked with the supervisor has ended.
  asio::awaitable<outcome<>> ended(exit_signal signal) {
    auto found = std::find_if(children_.begin(), children_.end(), [&](const child_record& one) {
      return one.who && one.who == signal.from;
    });
    if (found == children_.end()) {
      co_return outcome<>(); // a child that was shut down, or not a child
    }
    if (note_end(*found, signal)) {
      outcome<> result = co_await restart(static_cast<std::size_t>(found - children_.begin()), true, true);
      co_return std::move(result);
    }
    bool is_significant = found->spec.is_significant();
    if (is_forgotten(*found)) {
      children_.erase(found);
    }
    if (is_significant && is_to_end()) {
      co_return outcome<>(stop(exit_reason::shutdown()));
    }
    co_return outcome<>();
  }

  asio::awaitable<outcome<>> try_again(restart_retry what) {
    auto found = std::find_if(
        children_.begin(), children_.end(), [&](const child_record& one) { return is_awaited(one, what); });
    if (found == children_.end()) {
      co_return outcome<>();
    }
    std::size_t i = static_cast<std::size_t>(found - children_.begin());
    outcome<> result = co_await restart(i, what.counts, false);
    co_return std::move(result);
  }

  asio::awaitable<outcome<pid>> add(child_spec spec) {
    std::size_t i = find(spec.id());
    if (i != children_.size()) {
      errc why = children_[i].who ? errc::already_started : errc::already_present;
      co_return outcome<pid>(refuse(why, "start_child", spec.id()));
    }
    inherit(spec);
    child_record made(std::move(spec));
    std::exception_ptr against;
    try {
      check(made.spec);
    } catch (...) {
      against = std::current_exception();
    }
    std::exception_ptr why = co_await try_start(made, against);
    if (why) {
      co_return outcome<pid>(fail(std::move(why)));
    }
    pid who = made.who;
    if (!is_forgotten(made)) {
      children_.push_back(std::move(made));
    }
    co_return outcome<pid>(std::move(who));
  }

  asio::awaitable<outcome<pid>> start_again(std::string id) {
    std::size_t i = find(id);
    if (i == children_.size()) {
      co_return outcome<pid>(refuse(errc::not_found, "restart_child", id));
    }
    if (children_[i].is_active()) {
      co_return outcome<pid>(refuse(errc::running, "restart_child", id));
    }
    std::exception_ptr why = co_await try_start(children_[i]);
    if (why) {
      co_return outcome<pid>(fail(std::move(why)));
    }
    co_return outcome<pid>(children_[i].who);
  }

  asio::awaitable<outcome<void>> terminate(std::string id) {
    std::size_t i = find(id);
    if (i == children_.size()) {
      co_return outcome<void>(refuse(errc::not_found, "terminate_child", id));
    }
    child_record& one = children_[i];
    one.is_restarting = false;
    if (one.who) {
      co_await end_child(one.spec, one.who);
      one.who = {};
    }
    if (is_forgotten(one)) {
      children_.erase(at(i));
    }
    co_return outcome<void>();
  }

  outcome<void> erase(const std::string& id) {
    std::size_t i = find(id);
    if (i == children_.size()) {
      return refuse(errc::not_found, "delete_child", id);
    }
    if (children_[i].is_active()) {
      return refuse(errc::running, "delete_child", id);
    }
    children_.erase(at(i));
    return {};
  }

  std::vector<child_info> list() const { return child_table::list(children_); }
  child_counts count() const noexcept { return child_table::count(children_); }

 private:
  using place = std::vector<child_record>::iterator;
  place at(std::size_t i) noexcept { return children_.begin() + static_cast<std::ptrdiff_t>(i); }

  // A temporary child that is not running is not kept.
  static bool is_forgotten(const child_record& one) noexcept {
    return !one.who && one.spec.restart() == restart_type::temporary;
  }

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
        children_.begin(), children_.end(), [&](const child_record& one) { return one.spec.id() == id; });
    return static_cast<std::size_t>(found - children_.begin());
  }

  // Returns true if the end of a significant child ends the supervisor.
  bool is_to_end() const noexcept {
    if (auto_shutdown_ != auto_shutdown::all_significant) {
      return auto_shutdown_ == auto_shutdown::any_significant;
    }
    return std::none_of(children_.begin(), children_.end(), [](const child_record& one) {
      return one.spec.is_significant() && one.is_active();
    });
  }

  // With `counts` it is a failure, and counts toward the limit. With `waits` the restart may be delayed.
  asio::awaitable<outcome<>> restart(std::size_t i, bool counts, bool waits) {
    if (counts && !count_restart(children_[i])) {
      if (gave_up_) {
        *gave_up_ = true;
      }
      co_return outcome<>(stop(exit_reason::shutdown()));
    }
    std::size_t first = i;
    std::size_t last = i + 1;
    if (strategy_ != strategy::one_for_one) {
      std::string id = children_[i].spec.id(); // the position may change: temporary children are dropped
      co_await stop_from(strategy_ == strategy::one_for_all ? 0 : i);
      i = find(id);
      first = strategy_ == strategy::one_for_all ? 0 : i;
      last = children_.size();
    }
    if (waits && children_[i].spec.first_delay() != duration::zero()) {
      put_off(children_[i], ++last_retry_, false);
      co_return outcome<>();
    }
    while (first < last) {
      std::exception_ptr why = co_await try_start(children_[first]);
      if (why) {
        put_off(children_[first], ++last_retry_, true);
        co_return outcome<>();
      }
      ++first;
    }
    co_return outcome<>();
  }

  std::vector<child_record> children_;
  strategy strategy_;
  auto_shutdown auto_shutdown_;
  std::uint64_t last_retry_ = 0;
  std::shared_ptr<bool> gave_up_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
