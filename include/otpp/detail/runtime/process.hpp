// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/memory/op_storage.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_guard.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/lane.hpp>
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

} // namespace otpp::detail

// What these classes need of each other.
#include <otpp/detail/runtime/impl/context_state.hpp>
#include <otpp/detail/runtime/impl/lane.hpp>
#include <otpp/detail/runtime/impl/turn.hpp>
