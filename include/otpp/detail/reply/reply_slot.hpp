// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/reply/slot_state.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/outcome.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/error.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class cancellation_handler;

// The destination of one answer: decided once, delivered once, freed once (slot_state.hpp).
//
// The reply, the server's end and a dropped `otpp::caller` decide for the server half; a timeout, a cancellation and the
// destruction of the caller's context decide for the caller half. The thread that decides writes the value or the error, and
// delivers the slot. Later attempts have no effect.
//
// To deliver means to post the slot itself, which is a task, to the caller's executor. The value is stored in the slot, never
// in the caller's frame, and nothing is allocated.
//
// A slot is never answered before it is registered; until then its initiation owns it (initiate.hpp).
class reply_slot : public task, public waiter {
 public:
  // ---- the caller, before anything is sent ----

  // Determines where a completion on `executor` runs. May throw std::bad_alloc.
  void locate(const asio::any_io_executor& executor, turn* here) {
    if (here && here->here().serves(executor)) {
      lane_ = &here->here();
    } else if (const auto* serial = executor_target<serial_executor>(executor)) {
      process_ = serial->owner();
      lane_ = process_->get_lane().get();
    } else {
      private_lane_ = context_state::of(executor)->lane_for(executor);
      lane_ = private_lane_.get();
    }
  }

  // ---- deadlock.hpp ----

  // The handler of `who`, in which this is resumed, is about to wait for this slot.
  void set_edge(process& who) noexcept {
    has_edge_ = true;
    waiting_handler_ = &who; // whose edge it is to clear
    who.edge().set(*this);
  }
  void forget_edge() noexcept { has_edge_ = false; }

  // Any thread that looks: returns true if only the server's loop can answer, and has not.
  bool is_sure() const noexcept { return !decided() && !is_handed_out_.load(std::memory_order_acquire); }
  virtual bool visit_awaited(awaited_visitor& visit) const noexcept { return visit.one(server, is_sure()); }

  // From now on a thread other than the server's may answer.
  void hand_out() noexcept { is_handed_out_.store(true, std::memory_order_release); }

  lane& get_lane() const noexcept { return *lane_; }
  context_state& context() const noexcept { return lane_->context(); }

  // Decides for the caller half: per-operation cancellation. Called on the caller's executor.
  virtual void cancel() {
    if (decide(decision::cancellation)) {
      error_ = aborted();
      deliver();
    }
  }

  // ---- the server half ----

  // Returns true if an answer would come too late.
  bool decided() const noexcept { return state_.is_decided(); }

  // Answers with what `fill` writes, unless the slot is decided, and releases the server half.
  template <class Fill>
  bool answer_with(Fill&& fill) noexcept {
    if (is_turn_local() && !is_cancellable_ && !process_) {
      turn& here = *turn::current();
      if (&here.here() == lane_) {
        // Fast path for a call that is answered in the turn in which it was made: no other thread knows of it.
        if (!here.watched()) [[likely]] {
          return answer_local(here, fill);
        }
        if (answer_local_watched(here, fill)) {
          return true;
        }
      }
    }
    claim won = try_claim();
    if (!won) {
      release_server_half();
      return false;
    }
    fill();
    deliver_and_release(won);
    return true;
  }

  template <class Fill>
  OTPP_INLINE bool answer_local(turn& here, Fill& fill) noexcept {
    here.answer_local(*this);
    fill();
    state_.answer_alone();
    here.put_into_tail(*this);
    return true;
  }
  template <class Fill>
  OTPP_NOINLINE bool answer_local_watched(turn& here, Fill& fill) noexcept {
    std::lock_guard mine(*here.watched());
    if (!is_turn_local()) {
      return false; // the watchdog has registered the call
    }
    here.forget_local();
    return answer_local(here, fill);
  }

  // Answer with an error, unless the slot is decided, and release the server half.
  bool fail(std::exception_ptr error) noexcept {
    return answer_with([&]() noexcept { error_ = std::move(error); });
  }
  bool fail(errc code, const exit_reason& reason = exit_reason::normal()) noexcept {
    return answer_with([&]() noexcept { error_ = say(code, reason); });
  }

  // Returns the error for an operation that is not sent, because waiting for `whom` would never end.
  std::exception_ptr refusal(errc code, std::string_view whom) const noexcept {
    return make_error(code, operation(), message(), whom);
  }

  // For a slot that was claimed, or is unregistered: returns one of the library's errors, with all names.
  std::exception_ptr say(errc code, const exit_reason& reason = exit_reason::normal()) noexcept {
    set_said(code);
    try {
      std::string whom = server ? server->describe() : std::string();
      duration waited = lane_ ? context().timeout_of(timeout) : timeout;
      return make_error(code, operation(), message(), whom, reason, waited);
    } catch (...) {
      return std::current_exception();
    }
  }

  void set_said(errc code) noexcept { said_ = static_cast<std::uint8_t>(code); } // for tell_failure()

  // Ends an unregistered operation without calling its handler.
  virtual void end_unregistered() noexcept {
    decide(slot_state::decision::context_destroyed);
    release_server_half();
    discard();
  }

  // Returns the process whose handler itself waits here; else null, as for a coroutine that the handler has spawned.
  process* waiting_handler() const noexcept { return waiting_handler_; }
  process* caller() const noexcept { return process_.get(); } // the process in which it is resumed, or null

  // Returns true if a handler of this very server would wait for itself.
  bool is_inside(const process& target) const noexcept { return waiting_handler_ == &target; }

  // Completes an unregistered operation, inside the caller's context. Returns false if it must be discarded, outside of it.
  bool complete_unregistered(turn* here) noexcept {
    state_.decide(slot_state::decision::server_half);
    state_.release_before_caller();
    return deliver(here);
  }

  // Releases the server half without an answer: the caller no longer waits, or cannot be told.
  void release_unanswered() noexcept {
    if (is_turn_local()) {
      turn& here = *turn::current();
      turn::access mine(here);
      if (is_turn_local()) {
        here.remove_local(*this);
      }
    }
    release_server_half();
  }

  // Releases the server half. The slot may be destroyed when this returns.
  void release_server_half() noexcept { release_half(half::server); }

  // The result of an attempt to decide for the server half. If it succeeded, the caller's context is kept
  // alive until the slot is delivered.
  class claim {
   public:
    explicit operator bool() const noexcept { return won_; }

   private:
    friend class reply_slot;
    bool won_ = false;
    bool inside_ = false; // the turn runs in the caller's context, so that no gate is held
    turn* here_ = nullptr;
  };

  // Decides for the server half if the slot is undecided. If that succeeds, the calling thread must write the
  // answer and deliver it. Uses only atomic operations, so it may be called under a lock.
  claim try_claim() noexcept {
    claim result;
    result.here_ = turn::current();
    result.inside_ = result.here_ && result.here_->is_in(context());
    if (!result.inside_ && !context().enter()) {
      return result; // the caller's context has been destroyed, and the caller with it
    }
    result.won_ = decide(decision::server_half);
    if (is_turn_local()) {
      turn::access mine(result.here_);
      if (is_turn_local()) {
        result.won_ ? result.here_->answer_local(*this) : result.here_->remove_local(*this);
      }
    }
    if (!result.won_ && !result.inside_) {
      context().leave();
    }
    return result;
  }

  // Delivers a slot that was claimed. Without the server half the slot may be destroyed when this returns.
  void deliver(const claim& won) noexcept {
    context_state& gate = context();
    bool is_taken = deliver(won.here_);
    if (!won.inside_) {
      gate.leave();
    }
    if (!is_taken) {
      discard();
    }
  }

  // Delivers a slot that was claimed, and releases the server half.
  void deliver_and_release(const claim& won) noexcept {
    if (!process_ && won.here_ && &won.here_->here() == lane_) {
      // The slot is decided, and the caller half cannot have been released, because the slot has yet to run.
      state_.release_before_caller();
      won.here_->run_later(*this);
    } else {
      deliver(won);
      release_server_half();
    }
  }

  // Writes an error. Precondition: the slot was claimed.
  void write_error(std::exception_ptr error) noexcept { error_ = std::move(error); }

  // Writes the caller's result for the case that the server has ended.
  virtual void write_end(const exit_reason& reason) noexcept { error_ = say(errc::exited, reason); }

  // The server whose answer is awaited.
  intrusive_ptr<process> server;

  // ---- the server's list of unanswered calls, under its context's lock ----
  bool is_open() const noexcept { return hook_.is_linked(); }
  bool is_owned_by_server = false; // the list owns the server half

 protected:
  ~reply_slot() override = default;

  virtual void destroy() noexcept = 0;
  virtual std::string_view operation() const noexcept = 0; // the verb for error texts: "call" or "stop"
  virtual std::string_view message() const noexcept { return {}; }

  static std::exception_ptr aborted() noexcept {
    try {
      return std::make_exception_ptr(std::system_error(asio::error::operation_aborted));
    } catch (...) {
      return std::current_exception(); // no memory for its text
    }
  }

  // Posts the decided slot to where the caller is resumed.
  void deliver() noexcept {
    if (!deliver(turn::current())) {
      discard();
    }
  }

  std::exception_ptr error_;

  // ---- the caller half, on its executor ----

  OTPP_INLINE void stop_waiting() noexcept {
    if (has_edge_) {
      has_edge_ = false;
      waiting_handler_->edge().clear();
    }
    if (get_membership() != membership::none) {
      context().deregister(*this);
    }
  }

  // The handler that waits is about to be resumed, on its process.
  void resume_handler() noexcept {
    if (waiting_handler_ && process_.get() == waiting_handler_) {
      waiting_handler_->set_in_operation(false);
    }
  }

  using decision = slot_state::decision;
  using half = slot_state::half;
  bool decide(decision by) noexcept { return state_.decide(by); }
  decision decided_by() const noexcept { return state_.decided_by(); }

  // Releases one half. The slot may be destroyed when this returns.
  void release_half(half done) noexcept {
    if (state_.release(done)) {
      destroy();
    }
  }

  bool is_cancellable_ = false; // then another thread may decide while it is turn-local
  bool has_edge_ = false;       // used by the caller half only
  std::uint8_t said_ = 0;       // an errc: that of the library's errors which is the result, if one is

 private:
  friend class cancellation_handler;
  friend intrusive_list<reply_slot>;

  // Returns false if the process in which the caller waits has ended; the slot must then be discarded outside
  // of the gate.
  bool deliver(turn* here) noexcept {
    if (process_) {
      process* owner = process_.get();
      return owner->submit_inside(*this, here && here->is_in(owner->context()) ? here : nullptr);
    }
    if (here && &here->here() == lane_) {
      here->run_later(*this);
    } else {
      lane_->deliver(*this);
    }
    return true;
  }

  bool claim_expired() noexcept final { return decide(decision::timeout); }
  void expire() noexcept final {
    error_ = say(errc::timeout);
    deliver();
  }

  slot_state state_;
  process* waiting_handler_ = nullptr;        // the frame of its handler keeps it
  cancellation_handler* on_cancel_ = nullptr; // in the cancellation slot, if one is connected
  std::atomic<bool> is_handed_out_{false};
  intrusive_ptr<process> process_; // set if the caller is inside a server's handler
  intrusive_ptr<lane> private_lane_;
  list_hook<reply_slot> hook_;
};

// A slot for an answer of type R.
template <class R>
class answer_slot : public reply_slot {
 public:
  // Answers, unless the slot is decided, and releases the server half. An exception from the value's
  // constructor goes to the caller.
  template <class... Args>
  bool answer(Args&&... args) noexcept {
    return answer_with([&]() noexcept { emplace(std::forward<Args>(args)...); });
  }

  // Constructs the value in place before the slot is decided; the caller reads it only if there is no error.
  // May throw what the value's constructor throws.
  template <class... Args>
  void prepare(Args&&... args) {
    value_.emplace(std::forward<Args>(args)...);
  }

  // Writes the answer. Precondition: the slot was claimed.
  template <class... Args>
  void emplace(Args&&... args) noexcept {
    try {
      value_.emplace(std::forward<Args>(args)...);
    } catch (...) {
      error_ = std::current_exception();
    }
  }

 protected:
  ~answer_slot() override = default;

  std::optional<stored_t<R>> value_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
