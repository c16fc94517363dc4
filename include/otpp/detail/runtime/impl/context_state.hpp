// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/deadlines.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/util/coarse_clock.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

struct context_state::sweep_function {
  explicit sweep_function(lane& where) noexcept : here(&where) {}
  sweep_function(sweep_function&&) noexcept = default;
  sweep_function& operator=(sweep_function&&) = delete;
  ~sweep_function() {
    if (here && !std::uncaught_exceptions()) { // else post_at_last() catches what was thrown
      note_gone(*here);                        // dropped by the executor: the next deadline posts another
    }
  }

  void operator()() {
    intrusive_ptr<lane> taken = std::move(here);
    note_gone(*taken);
    taken->context().sweep(*taken);
  }

  // Called only for what was posted, not by the timer, which sweeps as well: the storage is free from now on.
  static void note_gone(lane& where) noexcept {
    std::lock_guard lock(where.context().mutex_);
    where.deadlines_.sweep_posted = false;
  }

  intrusive_ptr<lane> here;
};

// Without a sweep no deadline expires. An executor that refuses it could resume nobody who waits there.
inline void context_state::post_sweep(lane& here) noexcept {
  if (!here.post_at_last([&] { return sweep_function(here); }, here.deadlines_.sweep_storage)) {
    sweep_function::note_gone(here);
  }
}

inline intrusive_ptr<lane> context_state::lane_for(const asio::any_io_executor& executor) {
  using lane_ptr = intrusive_ptr<lane>;
  if (lane* found = find_lane(executor)) {
    return lane_ptr(found);
  }
  bool is_kept = virtual_time_ || is_asios_own(executor);
  if (!is_kept) {
    std::lock_guard lock(mutex_);
    for (lane* used : used_lanes_) {
      if (used && used->serves(executor) && used->try_add_ref()) {
        return lane_ptr::adopt(used);
      }
    }
  }
  lane_ptr made(new lane(intrusive_ptr<context_state>(this), executor));
  std::lock_guard lock(mutex_);
  if (closed_) {
    return made; // after shutdown nobody would take it off the list
  }
  lanes_.push_front(*made);
  if (!is_kept) {
    if (lane* first = kept_lanes_[0].load(std::memory_order_relaxed)) {
      made->timekeeper_ = first;
    }
    for (lane*& used : used_lanes_) {
      if (!used) {
        used = made.get(); // until it is destroyed
        break;
      }
    }
    return made;
  }
  for (std::atomic<lane*>& kept : kept_lanes_) {
    if (!kept.load(std::memory_order_relaxed)) {
      made->add_ref(); // released by shutdown()
      kept.store(made.get(), std::memory_order_release);
      break;
    }
  }
  return made;
}

inline void context_state::forget(lane& unused) noexcept {
  lanes_.erase_if_linked(unused);
  std::replace(used_lanes_.begin(), used_lanes_.end(), &unused, static_cast<lane*>(nullptr));
}

inline void context_state::add(process& one) noexcept {
  std::lock_guard lock(mutex_);
  processes_.push_front(one);
  one.add_ref();
}

inline bool context_state::remove(process& one) noexcept {
  std::lock_guard lock(mutex_);
  return processes_.erase_if_linked(one);
}

template <class Wanted>
intrusive_ptr<process> context_state::newest(Wanted wanted) noexcept {
  std::lock_guard lock(mutex_);
  return intrusive_ptr<process>(processes_.find(std::move(wanted)));
}

template <class Keep>
bool context_state::slice(const process* after, std::size_t most, Keep keep) noexcept {
  std::lock_guard lock(mutex_);
  if (after && !after->hook_.is_linked()) {
    return false;
  }
  process* one = after ? processes_.before(*after) : processes_.back();
  for (; one && most != 0; --most, one = processes_.before(*one)) {
    keep(*one);
  }
  return true;
}

inline deadline::time_point context_state::coarse_now() const noexcept {
  return virtual_time_ ? virtual_time_->now() : detail::coarse_now();
}

inline duration context_state::timeout_of(duration given) const noexcept {
  if (virtual_time_) {
    return virtual_time_->timeout_of(given);
  }
  return given == unsaid_timeout ? default_timeout : given;
}

inline void context_state::sweep(lane& here) {
  deadlines& its = here.deadlines_;
  expired_list expired;
  asio::any_io_executor work;
  bool has_failed = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      return;
    }
    auto until = now();
    while (deadline* item = its.heap.pop_due(until)) {
      if (item->claim_expired()) {
        expired.push_back(*item);
      }
    }
    if (waiting_ == 0) {
      std::swap(work, work_);
    } else {
      has_failed = !hold_work(here);
    }
    if (its.heap.empty()) {
      if (std::exchange(its.is_armed, false)) {
        virtual_time_ ? virtual_time_->do_not_wake(here) : void(its.timer->cancel());
      }
    } else if (its.is_first(its.heap.earliest())) {
      try {
        arm_timer(here, its.heap.earliest());
      } catch (...) {
        its.is_armed = false; // no memory
        has_failed = true;
      }
    }
    has_failed = has_failed && !std::exchange(its.sweep_posted, true);
  }
  if (has_failed) {
    std::this_thread::yield();
    post_sweep(here); // retried until it succeeds, because nothing else may trigger a sweep
  }
  turn on_this_thread(here);
  expired.expire_all();
  on_this_thread.run(task_list());
}

// Shuts our state down before the timers' service, which is younger than context_service and shut down first: until
// our gate is closed, a thread in it may destroy a lane, and with it a timer. Made after the first timer.
class ends_before_timers final : public asio::execution_context::service {
 public:
  using key_type = ends_before_timers;
  static inline asio::execution_context::id id;

  explicit ends_before_timers(asio::execution_context& context)
      : asio::execution_context::service(context),
        context_(asio::use_service<context_service>(context).context()) {}

 private:
  void shutdown() noexcept override { context_->shutdown(); }

  intrusive_ptr<context_state> context_;
};

inline void context_state::arm_timer(lane& here, deadline::time_point at) {
  deadlines& its = here.deadlines_;
  its.armed_for = at;
  its.is_armed = true;
  if (virtual_time_) {
    virtual_time_->wake_at(here, at);
    return;
  }
  if (!its.timer) {
    asio::steady_timer made(here.executor_);
    asio::use_service<ends_before_timers>(*context_);
    its.timer.emplace(std::move(made));
  }
  its.timer->expires_at(at);
  its.timer->async_wait([kept = intrusive_ptr<lane>(&here), at](std::error_code error) {
    kept->context().timer_fired(*kept, error, at);
  });
}

inline void context_state::timer_fired(lane& here, std::error_code error, deadline::time_point at) {
  deadlines& its = here.deadlines_;
  {
    std::lock_guard lock(mutex_);
    if (error || closed_ || !its.is_armed || its.armed_for != at) {
      return; // superseded by another deadline, or no longer needed
    }
    its.is_armed = false;
  }
  sweep(here);
}

inline void context_state::shutdown() noexcept {
  if (gate_.fetch_or(1, std::memory_order_acq_rel) & 1) {
    return; // Asio 1.38 calls it twice
  }
  leave_all();
  watchdog_.stop();
  // Threads inside the gate only post, which is brief; none of them waits for this thread.
  const std::uint64_t nobody_else =
      whose_lane_ends() == this ? 3u : 1u; // closed, and this thread may be inside
  while (gate_.load(std::memory_order_acquire) != nobody_else) {
    std::this_thread::yield();
  }
  asio::any_io_executor work;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    std::swap(work, work_);
  }
  work = {};

  // Processes end first. Callers on other contexts are answered; callers on this one are destroyed below.
  while (intrusive_ptr<process> one = newest([](const process&) { return true; })) {
    one->on_context_destroyed();
  }
  while (true) {
    waiter* one = nullptr;
    {
      std::lock_guard lock(mutex_);
      one = waiters_.back();
      if (!one) {
        break;
      }
      erase(*one);
    }
    one->on_context_destroyed();
  }
  // The remaining deadlines belong to no process and no waiter. Completions that were posted but have not run
  // are in a lane's inbox or in the context's own queue. A listed lane is not deleted while the lock is held;
  // no reference is held.
  while (true) {
    expired_list deadlines_left;
    queued* left = nullptr;
    lane::executors executors;
    lane* unused = nullptr;
    {
      std::lock_guard lock(mutex_);
      lane* here = lanes_.pop_front();
      if (!here) {
        break;
      }
      while (deadline* one = here->deadlines_.heap.pop_due((deadline::time_point::max)())) {
        deadlines_left.push_back(*one);
      }
      left = here->inbox_.bar();
      executors = here->take_executors();
      unused = here->is_unused_ ? here : nullptr;
      forget(*here);
    }
    deadlines_left.destroy_all();
    task_list(static_cast<task*>(left)).discard();
    delete unused;
  }
  for (std::atomic<lane*>& kept : kept_lanes_) {
    if (lane* here = kept.exchange(nullptr)) {
      here->release();
    }
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
