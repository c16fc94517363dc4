// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/detail/report.hpp>
#include <otpp/supervisor/detail/restart_budget.hpp>
#include <otpp/supervisor/report.hpp>
#include <otpp/supervisor/supervision.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The supervisor's record of a child.
struct child_record {
  explicit child_record(child_spec what) : spec(std::move(what)) {}

  bool is_active() const noexcept { return who || is_restarting; }

  child_spec spec;
  pid who;                        // nobody if it is not running
  bool is_restarting = false;     // a restart_retry has been sent
  std::uint64_t retry_number = 0; // of that restart_retry
  deadline::time_point started;
  duration delay{};           // before its last restart
  std::uint64_t position = 0; // zero until it has been started
  std::uint64_t restarts = 0;
};

// A supervisor's message to itself: a child must be restarted.
struct restart_retry {
  std::uint64_t number;
  bool counts; // after a failed start, rather than a delayed one
};

// The time in the context of the running process; a test may simulate it.
inline deadline::time_point time_here() { return running_process("a supervisor")->context().now(); }

// Marks the process whose `init` is running as a supervisor.
inline void become_supervisor(supervision how) {
  trap_exit();
  auto mine = running_process("a supervisor");
  relations::of(*mine).supervise(std::make_unique<const supervision>(how));
}

inline failure refuse(errc code, const char* operation, const std::string& child) {
  return fail(make_error(code, operation, {}, '"' + child + '"'));
}

// How a supervisor's specification says that all children end.
struct ending_of_all {
  bool is_ahead = false;
  duration drain{}; // zero: not
};

// The base of both kinds of child lists: implements what happens to a single child. The derived class decides
// where its record is stored. All functions run in the supervisor's handlers, one at a time, so nothing
// changes while one of them waits for a child to start or end.
class child_table {
 protected:
  using later = void (*)(duration, restart_retry);

  // `send_later` sends the supervisor a message, so that it can serve other requests in the meantime.
  child_table(restart_budget budget, ending_of_all how, later send_later)
      : budget_(std::move(budget)), send_later_(send_later), how_(how) {}

  // What the supervisor's specification says of all its children.
  void inherit(child_spec& spec) const noexcept {
    if (how_.is_ahead) {
      spec.shutdown(ahead);
    }
    if (spec.drain() == duration::zero()) {
      spec.drain(how_.drain);
    }
  }

  // Starts a child. If its `init` returned `ignore`, the child is nobody.
  asio::awaitable<void> start(child_record& one) {
    try {
      pid who = co_await one.spec.start();
      one.who = std::move(who);
      note_place(one);
    } catch (const error& e) {
      if (e.code() != errc::ignored) {
        throw;
      }
    }
    one.is_restarting = false;
    one.started = time_here();
    if (one.spec.restart() == restart_type::temporary) {
      one.spec.forget_arguments();
    }
  }

  // Like start(), but reports an error and returns it instead of throwing; returns null on success. Does not
  // start the child if `against` is an error.
  asio::awaitable<std::exception_ptr> try_start(child_record& one, std::exception_ptr against = nullptr) {
    std::exception_ptr why = std::move(against);
    if (!why) {
      try {
        co_await start(one);
      } catch (...) {
        why = std::current_exception();
      }
    }
    if (why) {
      report(supervisor_report::kind::start_error, one.spec.id(), {}, exit_reason(why));
    }
    co_return why;
  }

  // Called when a child has ended by itself. Returns true if it must be restarted.
  static bool note_end(child_record& one, const exit_signal& signal) {
    one.who = {};
    bool has_failed = !signal.reason.is_clean();
    bool is_permanent = one.spec.restart() == restart_type::permanent;
    if (has_failed || is_permanent) {
      report(supervisor_report::kind::child_terminated, one.spec.id(), signal.from, signal.reason);
    }
    return is_permanent || (has_failed && one.spec.restart() == restart_type::transient);
  }

  // Counts one restart. Returns false if there were too many; the supervisor must then end.
  bool count_restart(child_record& one) {
    if (budget_.take(time_here())) {
      return true;
    }
    one.is_restarting = false;
    report(supervisor_report::kind::gave_up, one.spec.id(), {}, exit_reason::shutdown());
    return false;
  }

  // Schedules a restart. With `has_failed` the previous start failed, which counts as a restart.
  void put_off(child_record& one, std::uint64_t number, bool has_failed) {
    duration has_run = has_failed ? duration::zero() : time_here() - one.started;
    one.delay = next_delay(one.spec, one.delay, has_run);
    one.is_restarting = true;
    one.retry_number = number;
    send_later_(one.delay, restart_retry{number, has_failed});
  }

  static bool is_awaited(const child_record& one, const restart_retry& what) noexcept {
    return one.is_restarting && one.retry_number == what.number;
  }

  template <class Children>
  static std::vector<child_info> list(const Children& children) {
    std::vector<child_info> result;
    result.reserve(children.size());
    for (const auto& each : children) {
      const child_record& one = record_of(each);
      result.push_back(
          {one.spec.id(), one.who, one.is_restarting, one.spec.is_supervisor(),
           std::string(one.spec.type_name())});
    }
    return result;
  }

  template <class Children>
  static child_counts count(const Children& children) noexcept {
    child_counts result;
    for (const auto& each : children) {
      const child_record& one = record_of(each);
      ++result.specs;
      result.active += one.who ? 1u : 0u;
      ++(one.spec.is_supervisor() ? result.supervisors : result.workers);
    }
    return result;
  }

 private:
  // Says of the child that was started which one it is: for processes().
  void note_place(child_record& one) noexcept {
    if (one.position == 0) {
      one.position = ++last_position_;
    } else {
      ++one.restarts;
    }
    try {
      relations::of(*access::core(one.who))
          .take_place(std::make_unique<const child_place>(
              child_place{one.spec.id(), one.position, one.spec.restart(), one.restarts}));
    } catch (const std::bad_alloc&) {
      // It is supervised all the same.
    }
  }

  static const child_record& record_of(const child_record& one) noexcept { return one; }
  static const child_record& record_of(const std::pair<const std::uint64_t, child_record>& item) noexcept {
    return item.second;
  }

  restart_budget budget_;
  later send_later_;
  ending_of_all how_;
  std::uint64_t last_position_ = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
