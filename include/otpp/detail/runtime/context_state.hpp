// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/runtime/deadlines.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/virtual_time.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/runtime/watchdog.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/detail/util/spin_mutex.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <asio/prefer.hpp>
#include <asio/query.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class context_guard;
class context_service;
class process;

// What the library keeps for one execution context: its processes, in the order in which they started, its
// lanes, and the callers that wait on it.
//
// It is reference-counted and outlives the context; once the context is destroyed it is closed. A thread that
// is not running inside the context enters the gate before it touches anything that belongs to the context.
// The context's destruction closes the gate, and waits until every thread has left it.
class context_state : public counted<context_state> {
 public:
  // Returns the state of the context behind an executor, and creates it at its first use.
  static intrusive_ptr<context_state> of(const asio::any_io_executor& executor);
  static intrusive_ptr<context_state> of(asio::execution_context& context);

  // ---- the gate ----

  // Any thread: returns true if the context is alive; it then stays alive until leave().
  bool enter() noexcept {
    if (gate_.fetch_add(2, std::memory_order_acquire) & 1) {
      leave();
      return false;
    }
    return true;
  }

  void leave() noexcept { gate_.fetch_sub(2, std::memory_order_release); }

  // Returns the context, which may have been destroyed.
  asio::execution_context& context() const noexcept { return *context_; }
  std::uint32_t number() const noexcept { return number_; } // 1 for the first; no other has the same

  // Marks it as the context of otpp::run. Called before anything runs there.
  void become_program() noexcept { is_program_ = true; }
  bool is_program() const noexcept { return is_program_; }

  // ---- lanes ----

  // Returns the lane of an executor if it is one of the few that are kept, else null.
  lane* find_lane(const asio::any_io_executor& executor) noexcept {
    for (std::atomic<lane*>& kept : kept_lanes_) {
      lane* found = kept.load(std::memory_order_acquire);
      if (!found || found->serves(executor)) {
        return found;
      }
    }
    return nullptr;
  }

  // Returns the lane of an executor, and creates it if necessary. May throw std::bad_alloc.
  intrusive_ptr<lane> lane_for(const asio::any_io_executor& executor);

  // ---- processes (process.hpp) ----

  void add(process& one) noexcept;

  // Returns true if the process was listed. The caller then owns the context's reference.
  bool remove(process& one) noexcept;

  // Returns the newest living process for which `wanted` returns true, or null. Calls that under the lock.
  template <class Wanted>
  intrusive_ptr<process> newest(Wanted wanted) noexcept;

  // Calls `keep` under the lock with up to `most` living processes, oldest first, from the one that follows `after`, or
  // from the oldest if that is null. Returns false if it is not listed any more.
  template <class Keep>
  bool slice(const process* after, std::size_t most, Keep keep) noexcept;

  // Calls `visit` with the state of each context that has not been destroyed, under the lock of the list.
  template <class Visit>
  static void each(Visit visit) noexcept {
    std::lock_guard lock(all().mutex);
    all().contexts.for_each(std::move(visit));
  }

  // ---- waiters ----

  // Ends a wait: takes the waiter off the list, or marks it so that its turn does not register it.
  void deregister(waiter& one) noexcept {
    intrusive_ptr<lane> sweep_due;
    {
      std::lock_guard lock(mutex_);
      if (one.membership_.load(std::memory_order_relaxed) != waiter::membership::registered) {
        one.membership_.store(waiter::membership::gone, std::memory_order_relaxed);
        return;
      }
      erase(one);
      sweep_due = note_if_idle(*one.lane_);
    }
    post_sweep(sweep_due);
  }

  // Arms a deadline that belongs to a server, or rearms it. Like any timer, it counts as outstanding work.
  void arm(deadline& item, moment after, lane& here) noexcept {
    arm_if(item, when_over(after), here, [] { return true; });
  }

  // Like arm(), unless `wanted`, which is called under the lock, returns false.
  template <class Wanted>
  void arm_if(deadline& item, deadline::time_point at, lane& here, Wanted wanted) noexcept {
    intrusive_ptr<lane> sweep_due;
    {
      std::lock_guard lock(mutex_);
      if (closed_ || !wanted()) {
        return;
      }
      deadlines& its = here.timekeeper_->deadlines_;
      its.heap.remove(item);
      its.heap.add(item, at);
      sweep_due = note_sweep(here, its.is_first(at));
    }
    post_sweep(sweep_due);
  }

  // Takes back a deadline that was armed on this lane.
  void disarm(deadline& item, lane& here) noexcept {
    disarm_if(item, here, [] { return true; });
  }

  // Like disarm(), unless `wanted`, which is called under the lock, returns false.
  template <class Wanted>
  void disarm_if(deadline& item, lane& here, Wanted wanted) noexcept {
    intrusive_ptr<lane> sweep_due;
    {
      std::lock_guard lock(mutex_);
      if (!wanted()) {
        return;
      }
      here.timekeeper_->deadlines_.heap.remove(item);
      sweep_due = note_if_idle(here);
    }
    post_sweep(sweep_due);
  }

  // Returns the current time. Precondition of this and the next ones: the thread is inside the context or its gate.
  deadline::time_point now() const noexcept {
    return virtual_time_ ? virtual_time_->now() : std::chrono::steady_clock::now();
  }
  deadline::time_point coarse_now() const noexcept; // earlier by some milliseconds

  duration timeout_of(duration given) const noexcept; // how long a wait lasts that was given this timeout
  deadline::time_point when_over(moment after) const noexcept {
    if (after.is_absolute) {
      return not_too_early(deadline::time_point(after.count));
    }
    duration count = timeout_of(after.count);
    return count == infinite ? (deadline::time_point::max)() : not_too_early(deadline_after(count, now()));
  }

  bool is_over(moment after) const noexcept {
    return after.count <= (after.is_absolute ? now().time_since_epoch() : duration::zero());
  }

  // Guards the rarely used data of this context's servers: names, relations, watchers and open calls. Held
  // for pointer operations only.
  spin_mutex& mutex() noexcept { return mutex_; }

  // Returns true if turns have run on several threads, or will. Called by a turn of this context, with the address
  // of something that its thread has.
  bool may_be_shared(const void* thread) noexcept {
    return thread_.load(std::memory_order_relaxed) != thread && note_thread(thread);
  }
  void expect_several_threads() noexcept { thread_.store(&thread_, std::memory_order_relaxed); }

  watchdog& get_watchdog() noexcept { return watchdog_; }

  // Called when the context is destroyed; once or twice, depending on the version of Asio.
  void shutdown() noexcept;

  // Called when the time for which the lane's timer was armed is reached: by the timer, or by the simulation.
  void timer_fired(lane& here, std::error_code error, deadline::time_point at);

 private:
  friend class context_guard;
  friend class context_service;
  friend class lane;
  friend class turn;
  friend class watchdog;

  // Registers a waiter on this context and arms its deadline. Returns false if the context is being
  // destroyed, or if the membership of `one` is no longer `was`: a turn-local wait may have been ended by a
  // cancellation. Calls `action` under the lock, before the deadline can expire. The waiter may be destroyed
  // when this returns. Precondition: the thread runs in the context or is inside its gate.
  template <class Action>
  bool register_and(waiter& one, waiter::membership was, Action action) noexcept {
    auto at = when_over(one.timeout);
    intrusive_ptr<lane> sweep_due;
    {
      std::lock_guard lock(mutex_);
      if (closed_ || one.get_membership() != was) {
        return false;
      }
      sweep_due = register_locked(one, at);
      action();
    }
    post_sweep(sweep_due);
    return true;
  }

  intrusive_ptr<lane> register_locked(waiter& one, deadline::time_point at) noexcept {
    lane& here = *one.lane_;
    if (!std::exchange(one.holds_lane_, true)) {
      here.add_ref();
    }
    one.membership_.store(waiter::membership::registered, std::memory_order_relaxed);
    waiters_.push_front(one);
    bool needs_sweep = one.is_work && waiting_++ == 0 && !hold_work(here);
    if (at != (deadline::time_point::max)()) {
      deadlines& its = here.timekeeper_->deadlines_;
      its.heap.add(one, at);
      needs_sweep |= its.is_first(at);
    }
    return note_sweep(here, needs_sweep);
  }

  // Takes a work guard. Returns false if that failed for lack of memory, which an executor other than Asio's
  // own may need, including a strand. A sweep, which is outstanding work itself, then tries again.
  bool hold_work(lane& here) noexcept {
    try {
      if (!work_) {
        work_ = asio::prefer(here.executor_, asio::execution::outstanding_work.tracked);
      }
      return true;
    } catch (...) {
      return false;
    }
  }

  // Returns the lane's timekeeper if a sweep is needed there and has not been posted, else null.
  static intrusive_ptr<lane> note_sweep(lane& here, bool is_needed) noexcept {
    lane& keeper = *here.timekeeper_;
    bool is_due = is_needed && !keeper.deadlines_.sweep_posted;
    keeper.deadlines_.sweep_posted |= is_due;
    return intrusive_ptr<lane>(is_due ? &keeper : nullptr);
  }

  // Returns the lane's timekeeper if a sweep must be posted there to release the work guard or the timer, else null.
  intrusive_ptr<lane> note_if_idle(lane& here) noexcept {
    const deadlines& its = here.timekeeper_->deadlines_;
    return note_sweep(here, !closed_ && ((waiting_ == 0 && work_) || (its.is_armed && its.heap.empty())));
  }

  void erase(waiter& one) noexcept {
    one.membership_.store(waiter::membership::gone, std::memory_order_relaxed);
    waiters_.erase(one);
    one.lane_->timekeeper_->deadlines_.heap.remove(one);
    waiting_ -= one.is_work ? 1 : 0;
  }

  // Takes a lane off the lists, under the lock.
  void forget(lane& unused) noexcept;

  // A sweep of a lane decides what is over, arms the timer, and releases the work guard. Null needs none.
  struct sweep_function;
  void post_sweep(const intrusive_ptr<lane>& here) noexcept {
    if (here) {
      post_sweep(*here);
    }
  }
  void post_sweep(lane& here) noexcept;
  void sweep(lane& here);
  void arm_timer(lane& here, deadline::time_point at);

  bool note_thread(const void* thread) noexcept {
    if (thread_.load(std::memory_order_relaxed) == &thread_) {
      return true; // known already
    }
    const void* none = nullptr;
    if (thread_.compare_exchange_strong(none, thread, std::memory_order_relaxed, std::memory_order_relaxed)) {
      return false; // the first
    }
    expect_several_threads();
    return true;
  }

  explicit context_state(asio::execution_context& context)
      : context_(&context), virtual_time_(virtual_time_service::of(context)), watchdog_(*this) {}

  static inline constinit std::atomic<std::uint32_t> how_many_{0};
  asio::execution_context* context_;
  const std::uint32_t number_ = how_many_.fetch_add(1, std::memory_order_relaxed) + 1;
  virtual_time* virtual_time_;
  bool is_program_ = false;
  std::atomic<const void*> thread_{nullptr}; // that has run all turns so far; its own address: several have
  watchdog watchdog_;
  std::atomic<std::uint64_t> gate_{0}; // twice the number inside, plus one when closed

  spin_mutex mutex_;
  bool closed_ = false;
  intrusive_list<process> processes_; // newest first, like waiters_
  intrusive_list<waiter> waiters_;
  std::size_t waiting_ = 0;
  asio::any_io_executor work_; // work guard while any call waits, so that run() does not return

  // The global list of contexts, so that sys::processes() can visit all of them.
  struct list {
    spin_mutex mutex;
    intrusive_list<context_state> contexts;
  };
  static list& all() noexcept {
    static list* instance = new list; // never destroyed: contexts may be static
    return *instance;
  }
  void join_all() noexcept {
    std::lock_guard lock(all().mutex);
    all().contexts.push_front(*this);
  }
  void leave_all() noexcept {
    std::lock_guard lock(all().mutex);
    all().contexts.erase_if_linked(*this);
  }

  friend intrusive_list<context_state>;
  list_hook<context_state> hook_;
  intrusive_list<lane> lanes_;

  // Lanes that are found again, so that servers and callers with equal executors share them. Those of Asio's
  // own executors are kept until shutdown, and found without the lock. Another executor may own its context,
  // which would then never be destroyed: its lane lasts as long as somebody uses it.
  static constexpr std::size_t most_found = 4;
  std::array<std::atomic<lane*>, most_found> kept_lanes_{};
  std::array<lane*, most_found> used_lanes_{}; // under the lock

  // The context whose lane this thread destroys, or null. An executor that is the last owner of its context
  // destroys the context there, inside the gate.
  OTPP_NOINLINE static const context_state*& whose_lane_ends() noexcept {
    static thread_local const context_state* instance = nullptr;
    return instance;
  }
};

class context_service : public asio::execution_context::service {
 public:
  using key_type = context_service;
  static inline asio::execution_context::id id;

  // A thread in the gate may post to a strand, so the gate is closed before the strands are shut down.
  explicit context_service(asio::execution_context& context)
      : asio::execution_context::service(with_strands(context)), context_(new context_state(context)) {
    context_->join_all();
  }
  // Asio does not call shutdown() on a service that was created while the services were being shut down.
  ~context_service() override { context_->shutdown(); }

  const intrusive_ptr<context_state>& context() const noexcept { return context_; }

 private:
  void shutdown() noexcept override { context_->shutdown(); }

  intrusive_ptr<context_state> context_;
};

inline intrusive_ptr<context_state> context_state::of(const asio::any_io_executor& executor) {
  // Asio shuts services down newest first. The timer service may be newer than ours, and so may that of any
  // socket. In that case the operation that a handler awaits is destroyed, with the handler's frame, before
  // our shutdown() ends the server. We nevertheless create no timer here to prevent that: it would make an
  // io_context wait in epoll, from which waking a thread is more expensive, even in programs that use neither
  // timers nor sockets.
  return of(asio::query(executor, asio::execution::context));
}

inline intrusive_ptr<context_state> context_state::of(asio::execution_context& context) {
  return asio::use_service<context_service>(context).context();
}

} // namespace otpp::detail

#pragma GCC visibility pop
