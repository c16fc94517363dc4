// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/memory/op_storage.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/wait_edge.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/cancellation_signal.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace otpp::detail {

// What runs one step at a time: a mailbox, and who may run what is in it. It lives on a context until it ends or the
// context is destroyed.
//
// The mailbox's one word says who runs the process: parked means nobody does; whoever moves it from
// parked must see to it that it runs, by claiming it for the turn on its own thread or by posting an
// activation to its lane. So at most one activation is ever posted, and its memory is kept here.
class process : public counted<process> {
 public:
  virtual ~process() = default;

  // The context is being destroyed. Ends without running user callbacks.
  virtual void on_context_destroyed() noexcept = 0;

  const intrusive_ptr<lane>& get_lane() const noexcept { return lane_; }
  context_state& context() const noexcept { return lane_->context(); }

  // Any thread: runs the task between the steps of this process; discards it if its context is gone.
  void submit(task& item) noexcept {
    bool is_taken = false;
    {
      context_guard inside(context());
      is_taken = inside && submit_inside(item, inside.here());
    } // the process may be gone
    if (!is_taken) {
      item.discard(); // in no gate: it may destroy what is the user's
    }
  }

  // As submit, by who is inside the context or its gate. False if the process has ended: the task is still the
  // caller's, to be discarded in no gate.
  bool submit_inside(task& item, turn* here) noexcept {
    switch (mailbox_.submit(item, place_of(here))) {
      case mailbox::result::woke: schedule(here); return true;
      case mailbox::result::closed: return false;
      default: return true;
    }
  }

  // True if the turn on this thread runs this process, or will before anybody else can: then its receiver's
  // place is the turn's. Takes over a process that sleeps.
  bool claim(turn& here) noexcept {
    if (here.owns(*this)) {
      return true;
    }
    if (here.has_place_for(*lane_) && mailbox_.claim()) {
      here.run_next(*this);
      return true;
    }
    return false;
  }

  // Runs steps until there is none, or the turn is spent. By the turn only.
  void run_steps(turn& here);

  // True in a step of this process, on its executor.
  bool is_running_here() const noexcept {
    turn* here = turn::current();
    return here && here->running() == this;
  }

  // What is dispatched to this process next, from inside the step that runs now, need not be queued.
  void let_dispatch(bool once) noexcept { may_dispatch_ = once; }
  bool take_dispatch() noexcept { return is_running_here() && std::exchange(may_dispatch_, false); }

  // Returns its number, which no other process of the program has or had.
  std::uint64_t id() const noexcept { return id_; }

  // Returns the name of the process, for people: `"counter"` or `counter#7`.
  virtual std::string describe() const = 0;

  // Posts an activation. By whoever is responsible for running it.
  void post_activation() noexcept;

  // True while its context holds a reference. For who has the receiver's place.
  bool is_active() const noexcept { return is_active_; }

  // Any thread: true if no message is taken any more.
  bool has_ended() const noexcept { return mailbox_.is_closed(); }

  // True if the slot is that of the coroutines that run the handlers. In a step of this process.
  virtual bool is_handlers_own(const asio::cancellation_slot&) const noexcept { return false; }

  // What the handler that runs now waits for.
  wait_edge& edge() noexcept { return edge_; }

 protected:
  // Whoever makes it has the receiver's place, until activate().
  process(intrusive_ptr<lane> home, std::size_t mailbox_limit)
      : mailbox_(mailbox_limit), lane_(std::move(home)) {}

  // Runs it for the first time. By who is inside the context or its gate; what was sent to it before waits
  // for this.
  void activate(turn* here) noexcept {
    is_active_ = true;
    context().add(*this);
    schedule(here);
  }

  // Does what is to be done before the next task. True if it did something.
  virtual bool advance(turn& here) = 0;

  // Takes a message that has come to the front, and which advance() does not want now.
  virtual void accept(envelope& item) noexcept = 0;

  // Puts an envelope in the mailbox, by who is inside the context or its gate.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  mailbox::result send_inside(envelope& item, turn* here) noexcept {
    return wake_if_due(push_inside<Push>(item, here), here);
  }

  // As above, in two steps: the first may be taken under a lock.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  mailbox::result push_inside(envelope& item, turn* here) noexcept {
    if (mailbox_.is_closed()) {
      return mailbox::result::closed; // it is not run for this
    }
    return (mailbox_.*Push)(item, place_of(here));
  }
  mailbox::result wake_if_due(mailbox::result result, turn* here) noexcept {
    if (result == mailbox::result::woke) {
      schedule(here);
      return mailbox::result::taken;
    }
    return result;
  }

  // It ends: the room's reference passes to the turn that runs it, or goes.
  void deactivate(turn* here) noexcept;

  // The context is going: nothing is run any more.
  void discard_work() noexcept;

  mailbox mailbox_;

 private:
  struct activation;

  mailbox::by place_of(turn* here) noexcept {
    return here && claim(*here) ? mailbox::by::receiver : mailbox::by::anyone;
  }

  void schedule(turn* here) noexcept {
    if (here && here->has_place_for(*lane_)) {
      here->run_next(*this);
    } else {
      post_activation();
    }
  }

  static std::uint64_t next_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  friend class context_state;

  intrusive_ptr<lane> lane_;
  wait_edge edge_;
  bool is_active_ = false;
  bool may_dispatch_ = false; // within one call of the handler coroutine's
  // In the list of its context, under the lock of that.
  bool listed_ = false;
  process* older_ = nullptr;
  process* newer_ = nullptr;
  const std::uint64_t id_ = next_id();
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
    intrusive_ptr<lane> here = who->lane_;
    turn on_this_thread(*here);
    on_this_thread.run(std::move(who));
  }

  intrusive_ptr<process> who;
};

inline void process::post_activation() noexcept {
  activation one(*this);
  while (true) {
    try {
      lane_->post(std::move(one), &mailbox_.wake_storage());
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
      if (queued* next = mailbox_.pop_any()) {
        here.spend();
        if (next->what() == queued::kind::message) {
          accept(static_cast<envelope&>(*next));
        } else {
          static_cast<task*>(next)->run();
        }
        continue;
      }
      here.settle(this);
      if (mailbox_.park()) {
        return; // from here on another thread may run it, or end it
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

inline void process::deactivate(turn* here) noexcept {
  if (std::exchange(is_active_, false) && context().remove(*this)) {
    if (here) {
      here->keep(*this);
    } else {
      release();
    }
  }
}

inline void process::discard_work() noexcept {
  mailbox::leftovers left = mailbox_.bar();
  while (left.messages) {
    accept(*std::exchange(left.messages, left.messages->next_envelope()));
  }
}

inline turn::turn(lane& here) noexcept : lane_(&here), outer_(std::exchange(slot(), this)) {
  if (here.simulated()) {
    budget_ = here.simulated()->turn_limit();
  }
}

inline bool turn::has_place_for(const lane& other) const noexcept {
  return !next_ && budget_ > 0 && lane_ == &other;
}

inline void turn::run_next(process& claimed) noexcept {
  next_ = &claimed;
  // While a server lives its room holds it, and only the turn that runs it takes it from there.
  if (!claimed.is_active()) {
    kept_next_ = intrusive_ptr<process>(next_);
  }
}

inline void turn::run(intrusive_ptr<process> first) {
  next_ = first.get();
  kept_next_ = std::move(first);
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
      run_process();
    } else {
      return;
    }
  }
}

inline void turn::run_process() {
  struct running {
    turn& here;
    intrusive_ptr<process> kept;
    ~running() {
      here.running_ = nullptr;
      here.ended_ = {};
    }
  } scope{*this, std::move(kept_next_)};
  running_ = std::exchange(next_, nullptr);
  tail_size_ = 0;
  running_->run_steps(*this);
}

inline void turn::keep(process& ended) noexcept { ended_ = intrusive_ptr<process>::adopt(&ended); }

// Tasks on their way through the executor.
struct posted_tasks {
  intrusive_ptr<lane> here;
  task_list tasks;

  void operator()() {
    turn on_this_thread(*here);
    on_this_thread.run(std::move(tasks));
  }
};

inline void turn::run_later(task& item) noexcept {
  tail_.push_back(item);
  // While a server is at work, other threads of the context may resume those whom it has answered:
  // in chunks, because a post each costs three times as much (performance.md, 4.7).
  if (running_ && ++tail_size_ == 8) {
    tail_size_ = 0;
    post_tail();
  }
}

inline void turn::post_tail() noexcept {
  posted_tasks all{intrusive_ptr<lane>(lane_), std::move(tail_)};
  try {
    lane_->post(std::move(all));
  } catch (...) {
    tail_.push_front(std::move(all.tasks)); // no memory: they stay here
  }
}

inline void turn::settle_one(waiter& one) noexcept {
  remove_fresh(one);
  lane_->context().enroll_and(one, waiter::membership::fresh, [] {});
}

inline turn::~turn() {
  slot() = outer_;
  if (next_) {
    settle(next_);
    next_->post_activation();
  }
  // One goes through the inbox, for which there is memory; of many the rest would be handed on from turn to
  // turn, each time one by one. In a virtual_time each goes by itself, so that their order can be another.
  if (tail_.has_many() && !lane_->simulated()) {
    post_tail();
  }
  while (!tail_.empty()) {
    lane_->deliver(tail_.pop_front());
  }
}

inline void lane::deliver(task& item) noexcept {
  struct inbox_function {
    intrusive_ptr<lane> here;
    void operator()() {
      turn on_this_thread(*here);
      task_list tasks = here->take_inbox();
      on_this_thread.run(std::move(tasks));
    }
  };
  if (virtual_time_) {
    task_list alone;
    alone.push_back(item);
    post(posted_tasks{intrusive_ptr<lane>(this), std::move(alone)});
    return;
  }
  if (inbox_.push(&item) != push_result::woke) {
    return;
  }
  while (true) {
    try {
      post(inbox_function{intrusive_ptr<lane>(this)}, &inbox_.wake_storage);
      return;
    } catch (const std::bad_alloc&) {
      std::this_thread::yield(); // as in process::post_activation
    }
  }
}

inline void context_state::add(process& one) noexcept {
  std::lock_guard lock(mutex_);
  one.listed_ = true;
  one.older_ = newest_;
  one.newer_ = nullptr;
  (newest_ ? newest_->newer_ : oldest_) = &one;
  newest_ = &one;
  one.add_ref();
}

inline bool context_state::remove(process& one) noexcept {
  std::lock_guard lock(mutex_);
  if (!std::exchange(one.listed_, false)) {
    return false;
  }
  (one.older_ ? one.older_->newer_ : oldest_) = one.newer_;
  (one.newer_ ? one.newer_->older_ : newest_) = one.older_;
  return true;
}

template <class Wanted>
intrusive_ptr<process> context_state::newest(Wanted wanted) noexcept {
  std::lock_guard lock(mutex_);
  for (process* one = newest_; one; one = one->older_) {
    if (wanted(*one)) {
      return intrusive_ptr<process>(one);
    }
  }
  return {};
}

template <class Visit>
void context_state::each_process(Visit visit) noexcept {
  std::lock_guard lock(mutex_);
  for (process* one = oldest_; one; one = one->newer_) {
    visit(*one);
  }
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
    post_sweep(); // again and again, because nobody else may come and ask for it
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
  timer_->async_wait([room = intrusive_ptr<context_state>(this), at](std::error_code error) {
    room->timer_fired(error, at);
  });
}

inline void context_state::timer_fired(std::error_code error, deadline::time_point at) {
  {
    std::lock_guard lock(mutex_);
    if (error || closed_ || !timer_armed_ || timer_at_ != at) {
      return; // replaced by an earlier one, or not needed any more
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
  while (intrusive_ptr<process> one = newest([](const process&) { return true; })) {
    one->on_context_destroyed();
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
  // What still has a time now belongs to nobody else.
  while (true) {
    deadline* left = nullptr;
    {
      std::lock_guard lock(mutex_);
      left = deadlines_.pop_due((deadline::time_point::max)());
    }
    if (!left) {
      break;
    }
    left->context_gone();
  }
  // What was answered and not yet resumed lies in an inbox, or in the context's own queue. A lane that is
  // listed is not destroyed while the lock is held, and that is all that is known of it.
  while (true) {
    queued* left = nullptr;
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
