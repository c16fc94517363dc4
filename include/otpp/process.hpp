// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/context_room.hpp>
#include <otpp/detail/intrusive_ptr.hpp>
#include <otpp/detail/mpsc_queue.hpp>
#include <otpp/detail/op_storage.hpp>
#include <otpp/resident.hpp>
#include <otpp/task.hpp>
#include <otpp/turn.hpp>

#include <chrono>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace otpp {

/// What runs one step at a time: the work queue behind a server's serial executor.
///
/// The work queue's one word says who may run it: parked means nobody does; whoever moves it from
/// parked must see to it that it runs, by claiming it for the turn on its own thread or by posting an
/// activation to its lane. So at most one activation is ever posted, and its memory is kept here.
class process : public detail::counted<process>, public resident {
 public:
  virtual ~process() = default;

  const detail::intrusive_ptr<lane>& home() const noexcept { return lane_; }
  context_room& room() const noexcept { return lane_->room(); }

  /// Any thread: runs the task between the steps of this process; discards it if its context is gone.
  void submit(task& item) noexcept {
    turn* here = turn::current();
    if (here && here->is_in(room())) {
      submit_inside(item, here);
    } else if (room().enter()) {
      submit_inside(item, nullptr);
      room().leave();
    } else {
      item.discard();
    }
  }

  /// As submit, by who is inside the context or its gate.
  void submit_inside(task& item, turn* here) noexcept {
    switch (work_.push(&item)) {
      case detail::push_result::queued: break;
      case detail::push_result::woke: schedule(here); break;
      case detail::push_result::refused: item.discard(); break;
    }
  }

  /// Takes over a sleeping process for a turn, which then runs it next.
  bool claim(turn& here) noexcept {
    if (here.has_place_for(*lane_) && work_.claim()) {
      here.run_next(*this);
      return true;
    }
    return false;
  }

  /// Runs steps until there is none, or the turn is spent. By the turn only.
  void run_steps(turn& here);

  /// Returns the name of the process, for people: `"counter"` or `counter#7`.
  virtual std::string describe() const = 0;

  /// Posts an activation. By whoever is responsible for running it.
  void post_activation() noexcept;

  void retain() const noexcept final { add_ref(); }
  void let_go() const noexcept final { release(); }

 protected:
  explicit process(detail::intrusive_ptr<lane> home) noexcept : lane_(std::move(home)) {}

  /// Does what is to be done before the next task. True if it did something.
  virtual bool advance(turn& here) = 0;

  /// The context is going: nothing is run any more.
  void discard_work() noexcept { task_list(work_.bar()).discard(); }

 private:
  struct activation;

  void schedule(turn* here) noexcept {
    if (here && here->has_place_for(*lane_)) {
      here->run_next(*this);
    } else {
      post_activation();
    }
  }

  detail::intrusive_ptr<lane> lane_;
  detail::mpsc_queue<task> work_{true};
  detail::op_storage activation_storage_;
};

// ---- implementation ----

struct process::activation {
  explicit activation(process& owner) noexcept : who(&owner) {}
  activation(activation&&) noexcept = default;
  activation& operator=(activation&&) = delete;
  ~activation() {
    if (who) {
      who->discard_work(); // not run: the context is being destroyed, and what was submitted with it
    }
  }

  void operator()() {
    detail::intrusive_ptr<lane> here = who->lane_;
    turn on_this_thread(*here);
    on_this_thread.run(std::move(who));
  }

  detail::intrusive_ptr<process> who;
};

inline void process::post_activation() noexcept {
  activation one(*this);
  while (true) {
    try {
      lane_->post(std::move(one), &activation_storage_);
      return;
    } catch (const std::bad_alloc&) {
      // Only an executor that is not Asio's own allocates here. The message is published already, so
      // that there is nobody to tell: wait for memory.
      std::this_thread::yield();
    }
  }
}

inline void process::run_steps(turn& here) {
  try {
    while (true) {
      if (here.is_spent()) {
        here.settle(this);
        post_activation();
        return;
      }
      if (advance(here)) {
        continue;
      }
      if (task* next = work_.pop()) {
        here.spend();
        next->run();
        continue;
      }
      here.settle(this);
      if (work_.park()) {
        return; // from here on another thread may run it
      }
    }
  } catch (...) {
    // A completion handler threw. As with any handler of Asio's, that is for run() to throw; the
    // server goes on.
    here.settle(this);
    post_activation();
    throw;
  }
}

inline turn::turn(lane& here) noexcept : lane_(&here), outer_(std::exchange(slot(), this)) {}

inline void turn::run_next(process& claimed) noexcept {
  next_ = detail::intrusive_ptr<process>(&claimed);
}

inline bool turn::has_place_for(const lane& other) const noexcept {
  return !next_ && budget_ > 0 && lane_ == &other;
}

inline void turn::run(detail::intrusive_ptr<process> first) {
  next_ = std::move(first);
  run_all();
}

inline void turn::run(task_list tasks) {
  tail_.push_front(std::move(tasks));
  run_all();
}

inline void turn::run_all() {
  while (!is_spent()) {
    if (!tail_.empty()) {
      spend();
      tail_.pop_front().run();
    } else if (next_) {
      detail::intrusive_ptr<process> who = std::move(next_);
      running_ = who.get();
      tail_size_ = 0;
      who->run_steps(*this);
      running_ = nullptr;
    } else {
      return;
    }
  }
}

namespace detail {

// Tasks on their way through the executor.
struct posted_tasks {
  intrusive_ptr<lane> here;
  task_list tasks;

  void operator()() {
    turn on_this_thread(*here);
    on_this_thread.run(std::move(tasks));
  }
};

} // namespace detail

inline void turn::run_later(task& item) noexcept {
  tail_.push_back(item);
  // While a server is at work, other threads of the context may resume those whom it has answered:
  // in chunks, because a post each costs three times as much (performance.md, 4.7).
  if (running_ && ++tail_size_ == 8) {
    tail_size_ = 0;
    try {
      detail::posted_tasks chunk{detail::intrusive_ptr<lane>(lane_), std::move(tail_)};
      try {
        lane_->post(std::move(chunk));
      } catch (...) {
        tail_.push_front(std::move(chunk.tasks));
      }
    } catch (...) {
    }
  }
}

inline void turn::settle_one(waiter& one) noexcept {
  remove_fresh(one);
  context_room& room = lane_->room();
  auto at = one.timeout == infinite ? (detail::deadline::time_point::max)()
                                    : detail::deadline_after(one.timeout);
  bool sweep_due = false;
  {
    std::lock_guard lock(room.mutex_);
    // Not if it has been answered meanwhile, by its timeout or its cancellation.
    if (!room.closed_ && one.written_down() == waiter::membership::fresh) {
      sweep_due = room.enroll_locked(one, at);
    }
  }
  if (sweep_due) {
    room.post_sweep();
  }
}

inline turn::~turn() {
  slot() = outer_;
  if (running_) {
    settle(running_); // it threw
  }
  if (next_) {
    settle(next_.get());
    next_->post_activation();
  }
  while (!tail_.empty()) {
    lane_->deliver(tail_.pop_front());
  }
}

inline void lane::deliver(task& item) noexcept {
  struct inbox_function {
    detail::intrusive_ptr<lane> here;
    void operator()() {
      turn on_this_thread(*here);
      task_list tasks = here->take_inbox();
      on_this_thread.run(std::move(tasks));
    }
  };
  if (inbox_.push(&item) != detail::push_result::woke) {
    return;
  }
  while (true) {
    try {
      post(inbox_function{detail::intrusive_ptr<lane>(this)}, &inbox_storage_);
      return;
    } catch (const std::bad_alloc&) {
      std::this_thread::yield(); // as in process::post_activation
    }
  }
}

inline void context_room::sweep() {
  detail::intrusive_ptr<lane> here;
  detail::expired_list expired;
  asio::any_io_executor work;
  {
    std::lock_guard lock(mutex_);
    if (closed_) {
      return;
    }
    here = sweep_lane_;
    auto now = std::chrono::steady_clock::now();
    while (detail::deadline* item = deadlines_.pop_due(now)) {
      if (item->claim_expired()) {
        expired.push_back(*item);
      }
    }
    if (waiting_ == 0) {
      std::swap(work, work_);
    }
    if (deadlines_.empty()) {
      if (timer_armed_) {
        timer_armed_ = false;
        timer_->cancel();
      }
    } else if (!timer_armed_ || deadlines_.earliest() < timer_at_) {
      try {
        if (!timer_) {
          timer_.emplace(here->executor_);
        }
        timer_at_ = deadlines_.earliest();
        timer_armed_ = true;
        timer_->expires_at(timer_at_);
        timer_->async_wait(
            [room = detail::intrusive_ptr<context_room>(this), at = timer_at_](std::error_code error) {
              room->timer_fired(error, at);
            });
      } catch (...) {
        timer_armed_ = false; // no memory: the next sweep tries again
      }
    }
  }
  turn on_this_thread(*here);
  expired.expire_all();
  on_this_thread.run(task_list());
}

inline void context_room::timer_fired(std::error_code error, detail::deadline::time_point at) {
  {
    std::lock_guard lock(mutex_);
    if (error || closed_ || !timer_armed_ || timer_at_ != at) {
      return; // replaced by an earlier one, or not needed any more
    }
    timer_armed_ = false;
  }
  sweep();
}

inline void context_room::shutdown() noexcept {
  if (gate_.fetch_or(1, std::memory_order_acq_rel) & 1) {
    return; // Asio 1.38 calls it twice
  }
  // Those inside are posting, which takes no time; none of them waits for us.
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

  // Servers first: callers on other contexts are answered; those on this one are past answering.
  while (resident* server = newest([](const resident&) { return true; })) {
    server->evict();
    remove(*server);
    server->let_go();
  }
  while (true) {
    waiter* one = nullptr;
    {
      std::lock_guard lock(mutex_);
      one = first_waiter_;
      if (!one) {
        break;
      }
      unlist(*one);
    }
    one->abandon_waiting();
  }
  // What was answered and not yet resumed lies in an inbox, or in the context's own queue. A lane that is
  // listed is not destroyed while the lock is held, and that is all that is known of it.
  while (true) {
    task* left = nullptr;
    lane::executors executors;
    {
      std::lock_guard lock(mutex_);
      lane* here = lanes_;
      if (!here) {
        break;
      }
      unlist(*here);
      left = here->inbox_.bar();
      executors = here->take_executors();
    }
    task_list(left).discard();
  }
  for (std::atomic<lane*>& shared : shared_) {
    if (lane* here = shared.exchange(nullptr)) {
      here->release();
    }
  }
  sweep_lane_ = {};
}

} // namespace otpp
