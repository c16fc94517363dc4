// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <utility>

namespace otpp::detail {

class process;

// One stretch of work on one thread: it lasts from when the executor calls us until we return.
//
// It is where most of the speed is. A caller that is answered is resumed here, after the server has
// been released, rather than through the executor; a server that is woken from here runs next, rather
// than through the executor; and a call that is answered here is never written down anywhere else. A
// turn is bounded, so that others on the thread get theirs.
//
// Everything in it belongs to its thread; nothing is locked.
class turn {
 public:
  // How many messages and resumptions a turn may hold (performance.md, 4.14: the plateau).
  static constexpr int limit = 64;

  explicit turn(lane& here) noexcept;
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn(); // hands what is left to the executor

  // Returns the turn that is on this thread, or null.
  OTPP_NOINLINE static turn* current() noexcept { return slot(); }

  lane& here() const noexcept { return *lane_; }
  bool is_in(const context_state& room) const noexcept { return &lane_->context() == &room; }

  // Runs a process, and then what comes of it.
  void run(intrusive_ptr<process> first);

  // Runs tasks, and then what comes of them.
  void run(task_list tasks);

  // True if a process may be claimed to run next.
  bool has_place_for(const lane& other) const noexcept;
  void run_next(process& claimed) noexcept;

  // Runs a task of this lane when the process that is running now has been released.
  void run_later(task& item) noexcept;

  // Returns the process whose step is running, or null.
  process* running() const noexcept { return running_; }

  // True if nobody but this turn can run the process now: it has claimed it, or is running it.
  bool owns(const process& other) const noexcept { return next_ == &other || running_ == &other; }

  // The process that is running has ended, and here is the reference that its room had.
  void keep(process& ended) noexcept;

  void spend() noexcept { --budget_; }
  bool is_spent() const noexcept { return budget_ <= 0; }

  // Writes down one who waits for a server that this turn has claimed.
  void add_fresh(waiter& one) noexcept {
    one.membership_.store(waiter::membership::fresh, std::memory_order_relaxed);
    one.is_listed_fresh_ = true;
    one.before_ = nullptr;
    one.next_ = fresh_;
    if (fresh_) {
      fresh_->before_ = &one;
    }
    fresh_ = &one;
  }

  // The server has it in hand and is going to answer it.
  void answer_fresh(waiter& one) noexcept {
    remove_fresh(one);
    one.membership_.store(waiter::membership::none, std::memory_order_relaxed);
  }

  // Takes it out of the list, without saying what becomes of it.
  void remove_fresh(waiter& one) noexcept {
    one.is_listed_fresh_ = false;
    (one.before_ ? one.before_->next_ : fresh_) = one.next_;
    if (one.next_) {
      one.next_->before_ = one.before_;
    }
  }

  // Enrolls those who wait for `server`, which is about to be released unfinished.
  void settle(const void* server) noexcept {
    if (fresh_) {
      settle_all(server);
    }
  }

  // Enrolls one that is fresh: its answer may come from anywhere from now on.
  void settle_one(waiter& one) noexcept;

 private:
  // Read only through current(): compilers keep a thread_local's address across a suspension.
  static turn*& slot() noexcept {
    static thread_local turn* instance = nullptr;
    return instance;
  }

  void settle_all(const void* server) noexcept {
    for (waiter* one = fresh_; one;) {
      waiter* next = one->next_;
      if (one->waits_for == server) {
        settle_one(*one);
      }
      one = next;
    }
  }

  void run_all();
  void run_process();
  void post_tail() noexcept;

  lane* lane_;
  turn* outer_; // a handler may run another context
  process* next_ = nullptr;
  process* running_ = nullptr;
  intrusive_ptr<process> kept_next_; // unless its room holds it
  intrusive_ptr<process> ended_;
  task_list tail_;
  int tail_size_ = 0;
  int budget_ = limit;
  waiter* fresh_ = nullptr;
};

// Tasks on their way through the executor.
struct posted_tasks {
  intrusive_ptr<lane> here;
  task_list tasks;

  void operator()() {
    turn on_this_thread(*here);
    on_this_thread.run(std::move(tasks));
  }
};

} // namespace otpp::detail
