// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/memory/op_storage.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/virtual_time.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/detail/util/spin_mutex.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <asio/prefer.hpp>
#include <asio/query.hpp>
#include <asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

namespace otpp::detail {

class context_guard;
class context_service;
class process;

// What the library keeps for one execution context: the servers that run there, in the order in which
// they started, and the callers that wait there, with their deadlines.
//
// It outlives the context, as a closed shell, for as long as anybody refers to it. Whoever is not
// running inside the context passes its gate before touching anything that belongs to it; the gate
// closes when the context is destroyed, after the last one inside has left.
class context_state : public counted<context_state> {
 public:
  // Returns the room of the context behind an executor, which is made at its first use.
  static intrusive_ptr<context_state> of(const asio::any_io_executor& executor);

  // ---- the gate ----

  // Any thread: true if the context is there, and stays until leave().
  bool enter() noexcept {
    if (gate_.fetch_add(2, std::memory_order_acquire) & 1) {
      leave();
      return false;
    }
    return true;
  }

  void leave() noexcept { gate_.fetch_sub(2, std::memory_order_release); }

  // Returns the context, which may be gone already.
  asio::execution_context& context() const noexcept { return *context_; }

  // ---- lanes ----

  // Returns the lane of an executor, if it is one of the few that are shared; else null.
  lane* find_lane(const asio::any_io_executor& executor) noexcept {
    for (std::atomic<lane*>& shared : shared_) {
      lane* found = shared.load(std::memory_order_acquire);
      if (!found || found->serves(executor)) {
        return found;
      }
    }
    return nullptr;
  }

  // Returns the lane of an executor, and makes it if there is none. May throw std::bad_alloc.
  intrusive_ptr<lane> lane_for(const asio::any_io_executor& executor);

  // ---- processes (process.hpp) ----

  void add(process& one) noexcept;

  // True if it was here: then the context's reference is the caller's.
  bool remove(process& one) noexcept;

  // Returns the process that started last and still lives, of those that `wanted` lets pass, or null. `wanted` is
  // called in the lock.
  template <class Wanted>
  intrusive_ptr<process> newest(Wanted wanted) noexcept;

  // Calls `visit` with each process that lives, oldest first, in the lock.
  template <class Visit>
  void each_process(Visit visit) noexcept;

  // Calls `visit` with each room whose context has not been destroyed, in the lock of all rooms.
  template <class Visit>
  static void each_room(Visit visit) noexcept {
    std::lock_guard lock(all().mutex);
    for (context_state* room = all().first; room; room = room->next_room_) {
      visit(*room);
    }
  }

  // ---- waiters ----

  // It waits no more.
  void dismiss(waiter& one) noexcept {
    bool sweep_due = false;
    {
      std::lock_guard lock(mutex_);
      if (one.membership_.load(std::memory_order_relaxed) != waiter::membership::enrolled) {
        one.membership_.store(waiter::membership::gone, std::memory_order_relaxed);
        return;
      }
      unlist(one);
      sweep_due = note_if_idle();
    }
    if (sweep_due) {
      post_sweep();
    }
  }

  // Arms a time of a server's own, again if it was armed. As any timer, it counts as work.
  void arm(deadline& item, moment after, lane& here) noexcept {
    arm_if(item, when_over(after), here, [] { return true; });
  }

  // As above, unless `wanted`, which is asked in the lock, says no.
  template <class Wanted>
  void arm_if(deadline& item, deadline::time_point at, lane& here, Wanted wanted) noexcept {
    bool sweep_due = false;
    {
      std::lock_guard lock(mutex_);
      if (closed_ || !wanted()) {
        return;
      }
      remember_lane(here);
      deadlines_.remove(item);
      deadlines_.add(item, at);
      sweep_due = (!timer_armed_ || at < timer_at_) && !sweep_posted_;
      sweep_posted_ |= sweep_due;
    }
    if (sweep_due) {
      post_sweep();
    }
  }

  void disarm(deadline& item) noexcept {
    disarm_if(item, [] { return true; });
  }

  // As above, unless `wanted`, which is asked in the lock, says no.
  template <class Wanted>
  void disarm_if(deadline& item, Wanted wanted) noexcept {
    bool sweep_due = false;
    {
      std::lock_guard lock(mutex_);
      if (!wanted()) {
        return;
      }
      deadlines_.remove(item);
      sweep_due = note_if_idle();
    }
    if (sweep_due) {
      post_sweep();
    }
  }

  // Returns the time. For those who are inside the context, as what follows is.
  deadline::time_point now() const noexcept {
    return virtual_time_ ? virtual_time_->now() : std::chrono::steady_clock::now();
  }

  deadline::time_point when_over(moment after) const noexcept {
    if (after.is_absolute) {
      return deadline::time_point(after.count);
    }
    return after.count == infinite ? (deadline::time_point::max)() : deadline_after(after.count, now());
  }

  bool is_over(moment after) const noexcept {
    return after.count <= (after.is_absolute ? now().time_since_epoch() : duration::zero());
  }

  // Guards what belongs to the servers of this context and is touched rarely: their names, watchers
  // and open calls. Held for pointer work only.
  spin_mutex& mutex() noexcept { return mutex_; }

  // The context is being destroyed. Asio calls it once or twice, depending on its version.
  void shutdown() noexcept;

  // The time has come for which the timer was armed. By the timer, or by what simulates the context.
  void timer_fired(std::error_code error, deadline::time_point at);

 private:
  friend class context_guard;
  friend class lane;
  friend class turn;

  // Registers one who waits on this context, and arms its deadline. False if the context is going, or
  // if `one` is not what it was: one that is turn-local may have been answered meanwhile, by its cancellation.
  // `action` is called under the lock, before the deadline can expire. Then `one` may be destroyed when this returns.
  // Precondition: the thread runs in the context or is inside its gate.
  template <class Action>
  bool enroll_and(waiter& one, waiter::membership was, Action action) noexcept {
    auto at = when_over(one.timeout);
    bool sweep_due = false;
    {
      std::lock_guard lock(mutex_);
      if (closed_ || one.written_down() != was) {
        return false;
      }
      sweep_due = enroll_locked(one, at);
      action();
    }
    if (sweep_due) {
      post_sweep();
    }
    return true;
  }

  bool enroll_locked(waiter& one, deadline::time_point at) noexcept {
    lane& here = *one.lane_;
    if (!std::exchange(one.holds_lane_, true)) {
      here.add_ref();
    }
    one.membership_.store(waiter::membership::enrolled, std::memory_order_relaxed);
    one.next_ = nullptr;
    one.before_ = last_waiter_;
    (last_waiter_ ? last_waiter_->next_ : first_waiter_) = &one;
    last_waiter_ = &one;
    bool needs_sweep = one.is_work && waiting_++ == 0 && !hold_work(here);
    remember_lane(here);
    if (at != (deadline::time_point::max)()) {
      deadlines_.add(one, at);
      needs_sweep |= !timer_armed_ || at < timer_at_;
    }
    bool sweep_due = needs_sweep && !sweep_posted_;
    sweep_posted_ |= sweep_due;
    return sweep_due;
  }

  // False if there was no memory for it, which an executor that is not Asio's own may want, a strand's too:
  // then a sweep, which is work itself, tries again.
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

  // True if a sweep has to let go of the work or of the timer.
  bool note_if_idle() noexcept {
    bool due =
        !closed_ && !sweep_posted_ && ((waiting_ == 0 && work_) || (timer_armed_ && deadlines_.empty()));
    sweep_posted_ |= due;
    return due;
  }

  void unlist(waiter& one) noexcept {
    one.membership_.store(waiter::membership::gone, std::memory_order_relaxed);
    (one.before_ ? one.before_->next_ : first_waiter_) = one.next_;
    (one.next_ ? one.next_->before_ : last_waiter_) = one.before_;
    deadlines_.remove(one);
    waiting_ -= one.is_work ? 1 : 0;
  }

  void unlist(lane& here) noexcept {
    (here.before_in_room_ ? here.before_in_room_->next_in_room_ : lanes_) = here.next_in_room_;
    if (here.next_in_room_) {
      here.next_in_room_->before_in_room_ = here.before_in_room_;
    }
    here.listed_ = false;
  }

  void remember_lane(lane& here) noexcept {
    if (!sweep_lane_) {
      sweep_lane_ = intrusive_ptr<lane>(&here);
    }
  }

  struct sweep_function;
  void post_sweep() noexcept;
  void sweep();
  void arm_timer(lane& here, deadline::time_point at);

  friend class context_service;

  explicit context_state(asio::execution_context& context)
      : context_(&context), virtual_time_(virtual_time_service::of(context)) {}

  asio::execution_context* context_;
  virtual_time* virtual_time_;
  std::atomic<std::uint64_t> gate_{0}; // twice the number inside, plus one when closed

  spin_mutex mutex_;
  bool closed_ = false;
  process* oldest_ = nullptr;
  process* newest_ = nullptr;
  waiter* first_waiter_ = nullptr;
  waiter* last_waiter_ = nullptr;
  std::size_t waiting_ = 0;
  asio::any_io_executor work_; // held while somebody waits, so that run() does not return
  deadline_heap deadlines_;

  // The one timer. It is looked after by a sweep that is posted, not at each call: a call that is
  // answered before its context comes round again never touches the timer (performance.md, 9).
  std::optional<asio::steady_timer> timer_;
  deadline::time_point timer_at_{};
  bool timer_armed_ = false;
  bool sweep_posted_ = false;
  intrusive_ptr<lane> sweep_lane_;
  op_storage sweep_storage_;

  // All rooms, so that somebody may see what lives.
  struct list {
    spin_mutex mutex;
    context_state* first = nullptr;
  };
  static list& all() noexcept {
    static list* instance = new list; // never destroyed: contexts may be static
    return *instance;
  }
  void join_all() noexcept {
    std::lock_guard lock(all().mutex);
    is_joined_ = true;
    next_room_ = all().first;
    if (next_room_) {
      next_room_->before_room_ = this;
    }
    all().first = this;
  }
  void leave_all() noexcept {
    std::lock_guard lock(all().mutex);
    if (!std::exchange(is_joined_, false)) {
      return;
    }
    (before_room_ ? before_room_->next_room_ : all().first) = next_room_;
    if (next_room_) {
      next_room_->before_room_ = before_room_;
    }
  }

  context_state* next_room_ = nullptr;
  context_state* before_room_ = nullptr;
  bool is_joined_ = false;
  lane* lanes_ = nullptr;
  std::array<std::atomic<lane*>, 4> shared_{};
};

class context_service : public asio::execution_context::service {
 public:
  using key_type = context_service;
  static inline asio::execution_context::id id;

  explicit context_service(asio::execution_context& context)
      : asio::execution_context::service(context), context_(new context_state(context)) {
    context_->join_all();
  }
  // One that was made while the services were shut down is not shut down itself.
  ~context_service() override { context_->shutdown(); }

  const intrusive_ptr<context_state>& context() const noexcept { return context_; }

 private:
  void shutdown() noexcept override { context_->shutdown(); }

  intrusive_ptr<context_state> context_;
};

inline intrusive_ptr<context_state> context_state::of(const asio::any_io_executor& executor) {
  // Services are shut down newest first. That of the timers may be newer than ours, as may that of any
  // socket: then what a handler waits for is destroyed, with the handler's frame, before its server is
  // evicted. No timer is made here all the same: it would make an io_context sleep in epoll, from which a
  // thread is harder to wake, in programs that have neither timers nor sockets.
  auto& context = asio::query(executor, asio::execution::context);
  return asio::use_service<context_service>(context).context();
}

} // namespace otpp::detail
