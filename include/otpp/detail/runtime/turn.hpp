// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class process;

// One uninterrupted run on one thread: from the moment the executor calls us until we return to it.
//
// Most of the speed comes from here. A caller that is answered is resumed in the turn, after the server has
// been released, instead of being posted. A server that is woken in the turn runs next, instead of being
// posted. A call that is answered within the turn is never registered with the context. The length of a turn
// is bounded so that other handlers on the thread are not starved.
//
// A turn belongs to its thread, so nothing in it is locked.
class turn {
 public:
  // How many messages and resumptions one turn may run: more than this gains nothing.
  static constexpr int limit = 64;

  explicit turn(lane& here) noexcept;
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn(); // hands what is left to the executor

  // Returns the current turn of this thread, or null.
  OTPP_NOINLINE static turn* current() noexcept { return slot(); }

  lane& here() const noexcept { return *lane_; }
  bool is_in(const context_state& context) const noexcept { return &lane_->context() == &context; }

  // Runs a process, and then everything that follows from it.
  void run(intrusive_ptr<process> first);

  // Runs tasks, and then everything that follows from them.
  void run(task_list tasks);

  // Returns true if a process on this lane may be claimed to run next.
  bool has_place_for(const lane& other) const noexcept;
  void run_next(process& claimed) noexcept;

  // Runs a task of this lane after the process that is running now has been released.
  void run_later(task& item) noexcept;

  // Returns the process whose step is running, or null.
  process* running() const noexcept { return running_; }

  // Returns true if only this turn can run the process now, because it has claimed it or is running it.
  bool owns(const process& other) const noexcept { return next_ == &other || running_ == &other; }

  // Keeps the reference that the context held to the running process, which has ended, until its step
  // returns.
  void keep(process& ended) noexcept;

  void spend() noexcept { --budget_; }
  bool is_spent() const noexcept { return budget_ <= 0; }

  // Adds a turn-local wait for a server that this turn has claimed.
  void add_local(waiter& one) noexcept {
    one.membership_.store(waiter::membership::turn_local, std::memory_order_relaxed);
    one.is_turn_local_ = true;
    local_.push_front(one);
  }

  // Takes off a turn-local wait that the server is about to answer.
  void answer_local(waiter& one) noexcept {
    remove_local(one);
    one.membership_.store(waiter::membership::none, std::memory_order_relaxed);
  }

  // Takes a wait off the turn's list without changing its membership.
  void remove_local(waiter& one) noexcept {
    one.is_turn_local_ = false;
    local_.erase(one);
  }

  // Registers the remaining turn-local waits for `server`, which is about to be released.
  void register_local(const void* server) noexcept {
    if (!local_.empty()) {
      register_all(server);
    }
  }

  // Registers a turn-local wait with its context: from now on any thread may answer it.
  void register_one(waiter& one) noexcept;

 private:
  // Read only through current(), because compilers keep the address of a thread_local across a suspension.
  static turn*& slot() noexcept {
    static thread_local turn* instance = nullptr;
    return instance;
  }

  void register_all(const void* server) noexcept {
    local_.for_each([&](waiter& one) {
      if (one.waits_for == server) {
        register_one(one);
      }
    });
  }

  void run_all();
  void run_process();
  void post_tail() noexcept;

  lane* lane_;
  turn* outer_; // not null if a handler runs another context
  process* next_ = nullptr;
  process* running_ = nullptr;
  intrusive_ptr<process> kept_next_; // empty if its context holds it
  intrusive_ptr<process> ended_;
  task_list tail_;
  int tail_size_ = 0;
  int budget_ = limit;
  intrusive_list<waiter> local_;
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
