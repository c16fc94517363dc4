// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/detail/child_table.hpp>
#include <otpp/supervisor/detail/end_child.hpp>
#include <otpp/supervisor/detail/restart_budget.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The children of a dynamic supervisor, which are its state. The key is the id of a child's last incarnation.
class dynamic_children : private child_table {
 public:
  dynamic_children(restart_budget budget, std::size_t most, ending_of_all how, later send_later)
      : child_table(std::move(budget), how, send_later), most_(most) {}

  asio::awaitable<outcome<pid>> add(child_spec spec) {
    if (children_.size() >= most_) {
      co_return outcome<pid>(refuse(errc::max_children, "start_child", spec.id()));
    }
    inherit(spec);
    child_record made(std::move(spec));
    std::exception_ptr against;
    if (made.spec.is_significant()) {
      against = std::make_exception_ptr(
          std::invalid_argument("otpp: a child of a dynamic supervisor cannot be significant"));
    }
    std::exception_ptr why = co_await try_start(made, against);
    if (why) {
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
      if (who && who.has_ended()) {
        co_return outcome<void>(); // what was asked for; whose child it was is not known any more
      }
      co_return outcome<void>(refuse(errc::not_found, "terminate_child", who.describe()));
    }
    child_record one = std::move(found->second);
    children_.erase(found);
    if (one.who) {
      co_await end_child(one.spec, one.who);
    }
    co_return outcome<void>();
  }

  // Called when a process that was linked with the supervisor has ended.
  asio::awaitable<outcome<>> ended(exit_signal signal) {
    auto found = children_.find(signal.from.id());
    if (found == children_.end() || !found->second.who) {
      co_return outcome<>();
    }
    if (!note_end(found->second, signal)) {
      children_.erase(found);
      co_return outcome<>();
    }
    outcome<> result = co_await restart(signal.from.id(), true, true);
    co_return std::move(result);
  }

  asio::awaitable<outcome<>> try_again(restart_retry what) {
    auto found = children_.find(what.number);
    if (found == children_.end() || !is_awaited(found->second, what)) {
      co_return outcome<>();
    }
    outcome<> result = co_await restart(what.number, what.counts, false);
    co_return std::move(result);
  }

  // Sends the exit signal to all children, and then waits for all of them, each for as long as its
  // specification allows.
  asio::awaitable<void> stop_all() {
    struct ending_child {
      child_record* one;
      duration patience;
    };
    std::vector<ending_child> left;
    for (auto& [number, one] : children_) {
      if (one.who) {
        left.push_back({&one, time_to_end(one.spec, drain_time(one.spec, one.who))});
      }
    }
    // Waits in the order of the children's deadlines, so that no child loses time while another is awaited.
    std::sort(left.begin(), left.end(), [](const ending_child& a, const ending_child& b) {
      return a.patience < b.patience;
    });
    for (const ending_child& each : left) {
      begin_end(each.one->spec, each.one->who, drain_time(each.one->spec, each.one->who));
    }
    auto begin = time_here();
    for (const ending_child& each : left) {
      duration patience = each.patience;
      if (patience != infinite) {
        patience = (std::max)(patience - (time_here() - begin), duration::zero());
      }
      co_await await_end(each.one->spec, each.one->who, patience);
    }
    children_.clear();
  }

  std::vector<child_info> list() const { return child_table::list(children_); }
  child_counts count() const noexcept { return child_table::count(children_); }

 private:
  // With `counts` it is a failure, and counts toward the limit. With `waits` the restart may be delayed.
  asio::awaitable<outcome<>> restart(std::uint64_t number, bool counts, bool waits) {
    auto found = children_.find(number);
    child_record& one = found->second;
    if (counts && !count_restart(one)) {
      children_.erase(found);
      co_return outcome<>(stop(exit_reason::shutdown()));
    }
    if (waits && one.spec.first_delay() != duration::zero()) {
      put_off(one, number, false);
      co_return outcome<>();
    }
    std::exception_ptr why = co_await try_start(one);
    if (why) {
      put_off(one, number, true);
      co_return outcome<>();
    }
    auto node = children_.extract(number);
    if (node.mapped().who) { // otherwise its init has returned `ignore`
      node.key() = node.mapped().who.id();
      children_.insert(std::move(node));
    }
    co_return outcome<>();
  }

  std::unordered_map<std::uint64_t, child_record> children_;
  std::size_t most_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
