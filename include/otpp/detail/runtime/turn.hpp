// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/runtime/watchdog.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class carried_context;
class process;

// One uninterrupted run on one thread: from the moment the executor calls us until we return to it.
//
// Most of the speed comes from here. A caller that is answered is resumed in the turn, after the server has
// been released, instead of being posted. A server that is woken in the turn runs next, instead of being
// posted. A call that is answered within the turn is never registered with the context. The length of a turn
// is bounded so that other handlers on the thread are not starved.
//
// A turn belongs to its thread, so nothing in it is locked. Where several threads run the context, another thread
// may take what is ready from a turn whose thread is in user code for long (watchdog.hpp). Therefore the thread
// that has the turn takes its biased lock, which costs next to nothing, around each change of what may be taken.
class turn {
 public:
  // How many messages and resumptions one turn may run: more than this gains nothing.
  static constexpr int limit = 64;

  // How many callers that a busy server has answered are posted together.
  static constexpr int chunk = 8;

  explicit turn(lane& here) noexcept;
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn(); // hands what is left to the executor

  // While this lives, nobody takes anything from the turn. May be nested, and the turn may be null.
  class access {
   public:
    explicit access(turn* here) noexcept : turn_(here && here->watched_ ? here : nullptr) {
      if (turn_) [[unlikely]] {
        turn_->begin_access();
      }
    }
    explicit access(turn& here) noexcept : access(&here) {}
    access(const access&) = delete;
    access& operator=(const access&) = delete;
    ~access() {
      if (turn_) [[unlikely]] {
        turn_->end_access();
      }
    }

   private:
    turn* turn_;
  };

  // Returns the turn as the watchdog knows it, or null if nobody else may take anything. What is called most asks,
  // and has a way of its own for each case: there, access as it is above costs 5 percent of a call.
  watched_turn* watched() const noexcept { return watched_; }

  // Returns the current turn of this thread, or null.
  OTPP_NOINLINE static turn* current() noexcept { return slot(); }

  lane& here() const noexcept { return *lane_; }
  bool is_in(const context_state& context) const noexcept { return &lane_->context() == &context; }

  // Runs a process, and then everything that follows from it.
  void run(intrusive_ptr<process> first);

  // Runs tasks, and then everything that follows from them.
  void run(task_list tasks);

  // Returns true if a process on this lane may be claimed to run next. Precondition of this, owns() and
  // run_next(): the thread has access, until it has used what it has claimed.
  bool has_place_for(const lane& other) const noexcept;
  void run_next(process& claimed) noexcept;

  // Runs a task of this lane after the process that is running now has been released.
  void run_later(task& item) noexcept;

  // The same where the thread has access.
  OTPP_INLINE void put_into_tail(task& item) noexcept;

  // Returns the process whose step is running, or null.
  process* running() const noexcept { return running_; }

  // The trace context that the running step has from its coroutine, or null (carried_context.hpp).
  const carried_context* carried() const noexcept { return carried_; }
  const carried_context* carry(const carried_context* one) noexcept { return std::exchange(carried_, one); }

  // Returns true if only this turn can run the process now, because it has claimed it or is running it.
  bool owns(const process& other) const noexcept { return next_ == &other || running_ == &other; }

  // Keeps the reference that the context held to the running process, which has ended, until its step
  // returns.
  void keep(process& ended) noexcept;

  void spend() noexcept { --budget_; }
  bool is_spent() const noexcept { return budget_ <= 0; }

  // Adds a turn-local wait for a server that this turn has claimed, with the access with which it was claimed.
  void add_local(waiter& one) noexcept {
    one.membership_.store(waiter::membership::turn_local, std::memory_order_relaxed);
    one.is_turn_local_.store(true, std::memory_order_relaxed);
    local_.push_front(one);
    if (watched_) [[unlikely]] {
      ++watched_locals_;
    }
  }
  // A wait that was counted has been answered.
  void forget_local() noexcept { watched_locals_ -= watched_locals_ > 0 ? 1 : 0; }

  // Takes off a turn-local wait that the server is about to answer. Precondition of this and the next: the
  // thread has had access since it found the wait to be turn-local.
  void answer_local(waiter& one) noexcept {
    remove_local(one);
    one.membership_.store(waiter::membership::none, std::memory_order_relaxed);
  }

  // Takes a wait off the turn's list without changing its membership.
  void remove_local(waiter& one) noexcept {
    one.is_turn_local_.store(false, std::memory_order_relaxed);
    local_.erase(one);
  }

  // Registers the remaining turn-local waits for `server`, which is about to be released.
  void register_local(const void* server) noexcept {
    if (watched_ ? watched_locals_ != 0 : !local_.empty()) {
      register_all(server);
    }
  }

  // Registers a turn-local wait with its context: from now on any thread may answer it.
  void register_one(waiter& one) noexcept;

  // Called before a handler of `owner` that may block: hands what is ready to the executor, registers the calls that
  // wait for it, and ends the turn with it, so that what it wakes or answers is posted at once.
  void hand_out(const process& owner) noexcept;

 private:
  friend class watchdog;
  friend class watched_turn;

  // Read only through current(), because compilers keep the address of a thread_local across a suspension.
  static turn*& slot() noexcept {
    static thread_local turn* instance = nullptr;
    return instance;
  }

  void register_all(const void* server) noexcept {
    access mine(*this);
    local_.for_each([&](waiter& one) {
      if (one.waits_for == server) {
        register_one(one);
      }
    });
  }

  OTPP_NOINLINE void begin_access() noexcept { watched_->lock(); }
  OTPP_NOINLINE void end_access() noexcept { watched_->unlock(); }

  void run_later_watched(task& item) noexcept;

  void run_all();
  void run_all_watched();
  void run_process();
  void post_tail() noexcept;

  lane* lane_;
  turn* outer_; // not null if a handler runs another context
  process* next_ = nullptr;
  process* running_ = nullptr;
  const carried_context* carried_ = nullptr;
  intrusive_ptr<process> kept_next_; // empty if its context holds it
  intrusive_ptr<process> ended_;
  task_list tail_;
  int tail_room_ = chunk; // how many more callers may be answered until they are posted
  int budget_ = limit;
  intrusive_list<waiter> local_;
  watched_turn* watched_ = nullptr; // set while other threads may take what is ready
  int watched_locals_ = 0; // at least as many as local_ has, which cannot be looked at without access
};

// Tasks that have been posted to the executor.
struct posted_tasks {
  intrusive_ptr<lane> here;
  task_list tasks;

  void operator()() {
    turn on_this_thread(*here);
    on_this_thread.run(std::move(tasks));
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
