// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>

#include <atomic>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

struct context_state::sweep_function {
  intrusive_ptr<context_state> context;
  void operator()() const {
    {
      // Cleared only here, not in sweep(), which the timer calls as well: the posted sweep's storage is free
      // from now on.
      std::lock_guard lock(context->mutex_);
      context->sweep_posted_ = false;
    }
    context->sweep();
  }
};

inline void context_state::post_sweep() noexcept {
  while (true) {
    try {
      sweep_lane_->post(sweep_function{intrusive_ptr<context_state>(this)}, &sweep_storage_);
      return;
    } catch (const std::bad_alloc&) {
      std::this_thread::yield(); // as in process::post_activation; without a sweep no deadline expires
    }
  }
}

inline intrusive_ptr<lane> context_state::lane_for(const asio::any_io_executor& executor) {
  using lane_ptr = intrusive_ptr<lane>;
  if (lane* found = find_lane(executor)) {
    return lane_ptr(found);
  }
  lane_ptr made(new lane(intrusive_ptr<context_state>(this), executor));
  std::lock_guard lock(mutex_);
  if (closed_) {
    return made; // after shutdown nobody would take it off the list
  }
  lanes_.push_front(*made);
  for (std::atomic<lane*>& shared : shared_) {
    if (!shared.load(std::memory_order_relaxed)) {
      made->add_ref(); // released by shutdown()
      shared.store(made.get(), std::memory_order_release);
      break;
    }
  }
  return made;
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

template <class Visit>
void context_state::each_process(Visit visit) noexcept {
  std::lock_guard lock(mutex_);
  processes_.for_each_backward(std::move(visit));
}

inline void context_state::sweep() {
  intrusive_ptr<lane> here;
  expired_list expired;
  asio::any_io_executor work;
  bool has_failed = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      return;
    }
    here = sweep_lane_;
    auto until = now();
    while (deadline* item = deadlines_.pop_due(until)) {
      if (item->claim_expired()) {
        expired.push_back(*item);
      }
    }
    if (waiting_ == 0) {
      std::swap(work, work_);
    } else {
      has_failed = !hold_work(*here);
    }
    if (deadlines_.empty()) {
      if (timer_armed_) {
        timer_armed_ = false;
        virtual_time_ ? virtual_time_->do_not_wake() : void(timer_->cancel());
      }
    } else if (!timer_armed_ || deadlines_.earliest() < timer_at_) {
      try {
        arm_timer(*here, deadlines_.earliest());
      } catch (...) {
        timer_armed_ = false; // no memory
        has_failed = true;
      }
    }
    has_failed = has_failed && !std::exchange(sweep_posted_, true);
  }
  if (has_failed) {
    std::this_thread::yield();
    post_sweep(); // retried until it succeeds, because nothing else may trigger a sweep
  }
  turn on_this_thread(*here);
  expired.expire_all();
  on_this_thread.run(task_list());
}

inline void context_state::arm_timer(lane& here, deadline::time_point at) {
  timer_at_ = at;
  timer_armed_ = true;
  if (virtual_time_) {
    virtual_time_->wake_at(*this, at);
    return;
  }
  if (!timer_) {
    timer_.emplace(here.executor_);
  }
  timer_->expires_at(at);
  timer_->async_wait([context = intrusive_ptr<context_state>(this), at](std::error_code error) {
    context->timer_fired(error, at);
  });
}

inline void context_state::timer_fired(std::error_code error, deadline::time_point at) {
  {
    std::lock_guard lock(mutex_);
    if (error || closed_ || !timer_armed_ || timer_at_ != at) {
      return; // superseded by another deadline, or no longer needed
    }
    timer_armed_ = false;
  }
  sweep();
}

inline void context_state::shutdown() noexcept {
  if (gate_.fetch_or(1, std::memory_order_acq_rel) & 1) {
    return; // Asio 1.38 calls it twice
  }
  leave_all();
  // Threads inside the gate only post, which is brief; none of them waits for this thread.
  while (gate_.load(std::memory_order_acquire) != 1) {
    std::this_thread::yield();
  }
  std::optional<asio::steady_timer> timer;
  asio::any_io_executor work;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    std::swap(timer, timer_);
    std::swap(work, work_);
  }
  timer.reset();
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
  // The remaining deadlines belong to no process and no waiter.
  while (true) {
    deadline* left = nullptr;
    {
      std::lock_guard lock(mutex_);
      left = deadlines_.pop_due((deadline::time_point::max)());
    }
    if (!left) {
      break;
    }
    left->on_deadlines_destroyed();
  }
  // Completions that were posted but have not run are in a lane's inbox or in the context's own queue. A
  // listed lane cannot be destroyed while the lock is held, because its destructor takes the lock; no
  // reference is held.
  while (true) {
    queued* left = nullptr;
    lane::executors executors;
    {
      std::lock_guard lock(mutex_);
      lane* here = lanes_.pop_front();
      if (!here) {
        break;
      }
      left = here->inbox_.bar();
      executors = here->take_executors();
    }
    task_list(static_cast<task*>(left)).discard();
  }
  for (std::atomic<lane*>& shared : shared_) {
    if (lane* here = shared.exchange(nullptr)) {
      here->release();
    }
  }
  sweep_lane_ = {};
}

} // namespace otpp::detail

#pragma GCC visibility pop
