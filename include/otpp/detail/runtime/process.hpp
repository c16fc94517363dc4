// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/memory/op_storage.hpp>
#include <otpp/detail/queue/admission.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_guard.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/wait_edge.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>

#include <asio/cancellation_signal.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {
class exit_reason;
} // namespace otpp

namespace otpp::detail {

// A strand with a mailbox: it runs one step at a time. It lives on a context until it ends or the context is destroyed.
//
// The mailbox's state word says whether a thread is responsible for running the process. "Parked" means that none is. The thread
// that changes it from parked must make the process run, either by claiming it for its own turn or by posting an activation to the
// lane. So at most one activation is posted at any time, and its memory is preallocated here.
class process : public counted<process> {
 public:
  virtual ~process() = default;

  // Called when the context is destroyed. Ends the process without running user callbacks.
  virtual void on_context_destroyed() noexcept = 0;

  // Called when the executor has refused to run the process, or has dropped it. Ends the process likewise.
  virtual void on_executor_refused() noexcept { on_context_destroyed(); }

  const intrusive_ptr<lane>& get_lane() const noexcept { return lane_; }
  context_state& context() const noexcept { return lane_->context(); }

  // Any thread: runs the task between two steps of this process, or discards it if the context has been
  // destroyed.
  void submit(task& item) noexcept {
    bool is_taken = false;
    {
      context_guard inside(context());
      is_taken = inside && submit_inside(item, inside.here());
    } // the process may have been destroyed
    if (!is_taken) {
      item.discard(); // outside the gate, because it may destroy the user's objects
    }
  }

  // Like submit(). Precondition: the thread is inside the context or its gate. Returns false if the process
  // has ended; the caller then still owns the task, and discards it outside the gate.
  bool submit_inside(task& item, turn* here) noexcept {
    turn::access mine(here);
    switch (mailbox_.submit(item, place_of(here))) {
      case mailbox::result::woke: schedule(here); return true;
      case mailbox::result::closed: return false;
      default: return true;
    }
  }

  // Returns true if the turn on this thread is the only one that can run this process: it runs it already, or
  // has claimed it. The turn is then the mailbox's receiver. Claims the process if it is parked. Precondition of
  // this, and of what claims: the thread has access to the turn until it has used the claim.
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

  // Runs steps until none is left or the turn's budget is used up. Called by the turn only.
  void run_steps(turn& here);

  // Returns true if called within a step of this process, on its executor.
  bool is_running_here() const noexcept {
    turn* here = turn::current();
    return here && here->running() == this;
  }

  // Lets the next function dispatched from within the current step run at once instead of being queued.
  void let_dispatch(bool once) noexcept { may_dispatch_ = once; }
  bool take_dispatch() noexcept { return is_running_here() && std::exchange(may_dispatch_, false); }

  // Returns the id, which is unique within the program and never reused.
  std::uint64_t id() const noexcept { return id_; }

  // Returns the name of the process, for use in messages: `"counter"` or `counter#7`.
  virtual std::string describe() const = 0;

  // Returns the type of its callbacks.
  virtual std::string_view type_name() const noexcept { return {}; }

  // Returns when it was made, to some milliseconds.
  std::chrono::steady_clock::time_point started() const noexcept { return started_; }

  // Posts an activation. Called by the thread that is responsible for running the process.
  void post_activation() noexcept;

  // Returns true while the context holds a reference. Called by the receiver of the mailbox only.
  bool is_active() const noexcept { return is_active_; }

  // Any thread: returns true if the mailbox accepts no more messages.
  bool has_ended() const noexcept { return mailbox_.is_closed(); }

  // Any thread: returns true if the slot belongs to the coroutine chain that runs the handlers. `is_in_step` says
  // whether this is called in a step of this process.
  virtual bool is_handlers_own(const asio::cancellation_slot&, bool /*is_in_step*/) const noexcept {
    return false;
  }

  // Any thread: returns true if it opens messages to the library while its handler waits.
  bool opens_at_once() const noexcept { return opens_at_once_.load(std::memory_order_relaxed); }
  void open_at_once() noexcept { opens_at_once_.store(true, std::memory_order_relaxed); }

  // Any thread: of a process that stands for one elsewhere, what has been done here is to be told there. May throw.
  enum class deed : std::uint8_t { monitor, link, unlink, stop };
  virtual bool stands_for_another() const noexcept { return false; }
  virtual void tell_elsewhere(deed, process* /*by*/, const exit_reason* /*of a stop*/) {}

  // The running handler waits for one of our operations, in a step of this process; false again when the
  // operation resumes it.
  void set_in_operation(bool is) noexcept { is_in_operation_ = is; }
  bool is_in_operation() const noexcept { return is_in_operation_; }

  // The running handler counts as outstanding work. Read here, as the handler coroutine may be far away in memory.
  void set_counted(bool is) noexcept { is_counted_ = is; }
  bool is_counted() const noexcept { return is_counted_; }

  // The edge of the wait-for graph that the running handler has set.
  wait_edge& edge() noexcept { return edge_; }

 protected:
  // The creating thread is the mailbox's receiver until activate().
  process(intrusive_ptr<lane> home, std::size_t mailbox_limit)
      : mailbox_(mailbox_limit), lane_(std::move(home)), started_(lane_->context().coarse_now()) {}

  // Runs the process for the first time. Messages that were sent earlier are handled after this.
  // Precondition: the thread is inside the context or its gate.
  void activate(turn* here) noexcept {
    turn::access mine(here);
    is_active_ = true;
    context().add(*this);
    schedule(here);
  }

  // Does what must be done before the next task. Returns true if there was anything to do.
  virtual bool advance(turn& here) = 0;

  // Takes the message at the front of the queue, which advance() has not asked for.
  virtual void accept(envelope& item) noexcept = 0;

  // Puts an envelope into the mailbox. Precondition: the thread is inside the context or its gate.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  OTPP_INLINE mailbox::result send_inside(envelope& item, turn* here) noexcept {
    return wake_if_due(push_inside<Push>(item, here), here);
  }

  // Like send_inside(), in the turn of this thread.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  OTPP_INLINE mailbox::result send_in_turn(envelope& item, turn& here) noexcept {
    if (here.watched()) [[unlikely]] {
      return send_in_turn_watched<Push>(item, here);
    }
    return send_inside<Push>(item, &here);
  }
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  OTPP_NOINLINE mailbox::result send_in_turn_watched(envelope& item, turn& here) noexcept {
    std::lock_guard mine(*here.watched());
    return send_inside<Push>(item, &here);
  }

  // Sends a call of this turn to this process if only this turn can run it; else returns false.
  template <class Call>
  OTPP_INLINE bool send_local(Call& request, turn& here) noexcept {
    if (here.watched()) [[unlikely]] {
      return send_local_watched(request, here);
    }
    return claim(here) && push_local(request, here);
  }
  template <class Call>
  OTPP_NOINLINE bool send_local_watched(Call& request, turn& here) noexcept {
    std::lock_guard mine(*here.watched());
    return claim(here) && push_local(request, here);
  }
  template <class Call>
  OTPP_INLINE bool push_local(Call& request, turn& here) noexcept {
    auto& sent = request.release();
    here.add_local(sent);
    mailbox::result result = mailbox_.push_local(sent);
    if (result < mailbox::result::full) [[likely]] {
      return true;
    }
    if (admission::is_refusal(result)) {
      result = push_own_if_draining(sent, &here, result, true);
      if (admission::is_refusal(result)) {
        sent.fail(admission::error_of(result));
        return true;
      }
    }
    if (result < mailbox::result::full) {
      return true;
    }
    here.answer_local(sent); // nobody else knows of it: it begins anew, and is registered
    if (here.watched()) {
      here.forget_local();
    }
    request.take_back(sent);
    return false;
  }

  // Like push_inside(), in two steps, the first of which may be taken under a lock.
  template <mailbox::result (mailbox::*Push)(envelope&, mailbox::by) noexcept>
  mailbox::result push_inside(envelope& item, turn* here) noexcept {
    if (mailbox_.is_closed()) {
      return mailbox::result::closed; // it is not activated for this message
    }
    mailbox::result result = (mailbox_.*Push)(item, place_of(here));
    return push_own_if_draining(item, here, result, Push != &mailbox::try_push);
  }

  // While it drains, it takes what it sends to itself in its own steps.
  OTPP_INLINE mailbox::result push_own_if_draining(
      envelope& item, turn* here, mailbox::result result, bool may_wait) noexcept {
    bool is_own = result == mailbox::result::draining && here && here->running() == this;
    return is_own ? mailbox_.push_own(item, may_wait) : result;
  }

  mailbox::result wake_if_due(mailbox::result result, turn* here) noexcept {
    if (result == mailbox::result::woke) {
      schedule(here);
      return mailbox::result::taken;
    }
    return result;
  }

  // Ends the process: the context's reference passes to the turn that runs the process, or is released.
  void deactivate(turn* here) noexcept;

  // Called when the context is destroyed: discards what is queued, without running it.
  void discard_work() noexcept;
  void discard(queued& it) noexcept {
    it.what() == queued::kind::message ? accept(static_cast<envelope&>(it))
                                       : static_cast<task&>(it).discard();
  }

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
  friend intrusive_list<process>;

  intrusive_ptr<lane> lane_;
  wait_edge edge_;
  bool is_active_ = false;
  bool is_in_operation_ = false;
  bool is_counted_ = false;
  std::atomic<bool> opens_at_once_{false};
  bool may_dispatch_ = false; // set only during one call of the handler coroutine
  list_hook<process> hook_;   // in its context's list, under the context's lock
  const std::uint64_t id_ = next_id();
  const std::chrono::steady_clock::time_point started_;
};

// ---- implementation ----

struct process::activation {
  explicit activation(process& owner) noexcept : who(&owner) {}
  activation(activation&&) noexcept = default;
  activation& operator=(activation&&) = delete;
  ~activation() {
    if (who && !std::uncaught_exceptions()) { // else post_at_last() catches what was thrown
      drop(*who);
    }
  }

  // Nobody will run the process: its context is being destroyed, together with this function, or its executor
  // has refused the function or dropped it, as a pool that has stopped may do.
  static void drop(process& owner) noexcept {
    if (owner.context().enter()) {
      owner.on_executor_refused();
      owner.context().leave();
    } else {
      owner.discard_work();
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
  intrusive_ptr<process> keep(this);
  if (!lane_->post_at_last([this] { return activation(*this); }, mailbox_.wake_storage())) {
    activation::drop(*this);
  }
}

inline void process::run_steps(turn& here) {
  try {
    while (true) {
      if (here.is_spent()) {
        here.register_local(this);
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
      here.register_local(this);
      if (mailbox_.park()) {
        return; // from here on another thread may run the process, or end it
      }
    }
  } catch (...) {
    // A completion handler threw. As in Asio, the exception leaves run(); the server continues.
    here.register_local(this);
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
  for (queued* item = mailbox_.bar(); item;) {
    discard(*std::exchange(item, item->next));
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop

// The bodies that the classes above need from one another.
#include <otpp/detail/runtime/impl/context_state.hpp>
#include <otpp/detail/runtime/impl/lane.hpp>
#include <otpp/detail/runtime/impl/turn.hpp>
#include <otpp/detail/runtime/impl/watchdog.hpp>
