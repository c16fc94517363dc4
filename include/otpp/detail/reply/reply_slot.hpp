// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/reply/slot_state.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/outcome.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/error.hpp>

#include <atomic>
#include <exception>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace otpp::detail {

// Where one answer goes: decided once, delivered once, freed once (slot_state.hpp).
//
// The reply, the server's end and a dropped `otpp::caller` decide for the server half; a timeout, a cancellation and
// the end of the caller's context decide against it. Whoever decides writes the value or the error, and delivers.
// The others do nothing.
//
// Delivering puts the slot itself, which is a task, where the caller's executor runs it. Its value
// lives here, never in the caller's frame, and nothing is allocated.
//
// Nobody answers a slot before it is registered: until then it belongs to its initiation (initiate.hpp).
class reply_slot : public task, public waiter {
 public:
  // ---- the caller, before anything is sent ----

  // Finds out where a completion on `executor` is to run. May throw std::bad_alloc.
  void locate(const asio::any_io_executor& executor, turn* here) {
    if (here && here->here().serves(executor)) {
      lane_ = &here->here();
    } else if (auto* serial = executor_target<serial_executor>(executor)) {
      process_ = serial->owner();
      lane_ = process_->get_lane().get();
    } else {
      private_lane_ = context_state::of(executor)->lane_for(executor);
      lane_ = private_lane_.get();
    }
  }

  // ---- deadlock.hpp ----

  // The handler of `who`, where this is resumed, is about to wait here.
  void set_edge(process& who) noexcept {
    has_edge_ = true;
    who.edge().set(*this);
  }
  void forget_edge() noexcept { has_edge_ = false; }

  // Any thread, while it looks: true if only the server's loop can answer, and has not.
  bool is_sure() const noexcept { return !decided() && !is_handed_out_.load(std::memory_order_acquire); }

  // Somebody else may answer from now on.
  void hand_out() noexcept { is_handed_out_.store(true, std::memory_order_release); }

  lane& get_lane() const noexcept { return *lane_; }
  context_state& context() const noexcept { return lane_->context(); }

  // Takes part in the decision for the caller: per-operation cancellation. On the caller's executor.
  virtual void cancel() {
    if (decide(decision::cancellation)) {
      error_ = aborted();
      deliver();
    }
  }

  // ---- the server half ----

  // True if the answer would reach nobody any more.
  bool decided() const noexcept { return state_.is_decided(); }

  // Answers with what `fill` writes, unless it is too late, and ends this half.
  template <class Fill>
  bool answer_with(Fill&& fill) noexcept {
    if (is_listed_fresh() && !is_cancellable_ && !process_) {
      // The way of a call that is answered where it was made: its thread alone knows of it.
      turn& here = *turn::current();
      here.answer_fresh(*this);
      fill();
      state_.answer_alone();
      here.run_later(*this);
      return true;
    }
    claim won = try_claim();
    if (!won) {
      leave();
      return false;
    }
    fill();
    deliver_and_leave(won);
    return true;
  }

  // Answers with an error, unless it is too late, and ends this half.
  bool fail(std::exception_ptr error) noexcept {
    return answer_with([&]() noexcept { error_ = std::move(error); });
  }

  // Answers with one of the library's errors, unless it is too late, and ends this half.
  bool fail(errc code, const exit_reason& reason = exit_reason::normal()) noexcept {
    return answer_with([&]() noexcept { error_ = say(code, reason); });
  }

  // Returns the error of one that is not sent, because waiting for `whom` could never end.
  std::exception_ptr refusal(errc code, std::string_view whom) const noexcept {
    try {
      return make_error(code, operation(), message(), whom);
    } catch (...) {
      return std::current_exception();
    }
  }

  // Returns one of the library's errors, of this operation at this server.
  std::exception_ptr say(errc code, const exit_reason& reason = exit_reason::normal()) const noexcept {
    try {
      return make_error(code, operation(), message(), server ? server->describe() : std::string(), reason);
    } catch (...) {
      return std::current_exception();
    }
  }

  // Completes one that is not registered, inside the caller's context. False if it is to be discarded, in no gate.
  bool complete_unregistered(turn* here) noexcept {
    state_.decide(slot_state::decision::server_half);
    state_.leave_before_caller();
    return deliver(here);
  }

  // The server half ends without a claim: nobody waits, or nobody can be told.
  void give_up() noexcept {
    if (is_listed_fresh()) {
      turn::current()->remove_fresh(*this);
    }
    leave();
  }

  // The server half is done. The slot may be gone afterwards.
  void leave() noexcept { leave(half::server); }

  // The decision, taken for the server half, with the caller's context held until it is delivered.
  class claim {
   public:
    explicit operator bool() const noexcept { return won_; }

   private:
    friend class reply_slot;
    bool won_ = false;
    bool inside_ = false; // of the caller's context, so that it needs no gate
    turn* here_ = nullptr;
  };

  // Takes the decision if nobody has. Whoever gets it must write the answer and deliver. Touches
  // atomics only, so that it may be called under a lock.
  claim try_claim() noexcept {
    claim result;
    result.here_ = turn::current();
    result.inside_ = result.here_ && result.here_->is_in(context());
    if (!result.inside_ && !context().enter()) {
      return result; // the caller's context is gone, and the caller with it
    }
    result.won_ = decide(decision::server_half);
    if (is_listed_fresh()) {
      if (result.won_) {
        result.here_->answer_fresh(*this);
      } else {
        result.here_->remove_fresh(*this);
      }
    }
    if (!result.won_ && !result.inside_) {
      context().leave();
    }
    return result;
  }

  // Delivers what was claimed. Without the server half the slot may be gone afterwards.
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

  // Delivers what was claimed, and ends this half.
  void deliver_and_leave(const claim& won) noexcept {
    if (!process_ && won.here_ && &won.here_->here() == lane_) {
      // Nothing but the slot itself goes on from here, and the other half has not left: it has yet to be
      // resumed.
      state_.leave_before_caller();
      won.here_->run_later(*this);
    } else {
      deliver(won);
      leave();
    }
  }

  // Writes an error, once it is claimed.
  void write_error(std::exception_ptr error) noexcept { error_ = std::move(error); }

  // Writes what the one who waits is told when the server has ended.
  virtual void write_end(const exit_reason& reason) noexcept { error_ = say(errc::exited, reason); }

  // The server whose answer is awaited.
  intrusive_ptr<process> server;

  // ---- the server's list of those whom it has not answered, under its room's lock ----
  reply_slot* next_open = nullptr;
  reply_slot* before_open = nullptr;
  bool is_open = false;
  bool is_orphan = false; // the server's end has the server half, nobody else

 protected:
  ~reply_slot() = default;

  virtual void destroy() noexcept = 0;

  // "call", "stop": for error texts.
  virtual std::string_view operation() const noexcept = 0;
  virtual std::string_view message() const noexcept { return {}; }

  static std::exception_ptr aborted() noexcept {
    try {
      return std::make_exception_ptr(std::system_error(asio::error::operation_aborted));
    } catch (...) {
      return std::current_exception(); // no memory for its text
    }
  }

  // Hands the slot, decided, to where the caller is resumed.
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
      process_->edge().clear();
    }
    if (written_down() != membership::none) {
      context().dismiss(*this);
    }
  }

  using decision = slot_state::decision;
  using half = slot_state::half;

  bool decide(decision by) noexcept { return state_.decide(by); }

  // A half is done. The slot may be gone afterwards.
  void leave(half done) noexcept {
    if (state_.leave(done)) {
      destroy();
    }
  }

  bool is_cancellable_ = false;  // then another thread may, while it is fresh
  bool is_handlers_own_ = false; // the handler that runs now waits here, and nothing that it has started
  bool has_edge_ = false;        // the caller half's

 private:
  // False if the process in which the caller waits has ended: then the slot is to be discarded, in no gate.
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
  std::atomic<bool> is_handed_out_{false};
  intrusive_ptr<process> process_; // if the caller is inside a server's handler
  intrusive_ptr<lane> private_lane_;
};

// A slot for an answer of type R.
template <class R>
class answer_slot : public reply_slot {
 public:
  // Answers, unless it is too late, and ends the server half. What the value's constructor throws goes
  // to the caller.
  template <class... Args>
  bool answer(Args&&... args) noexcept {
    return answer_with([&]() noexcept { emplace(std::forward<Args>(args)...); });
  }

  // Puts the value where it will be, before anybody has decided: the caller looks at it only if
  // there is no error. May throw what the value's constructor throws.
  template <class... Args>
  void prepare(Args&&... args) {
    value_.emplace(std::forward<Args>(args)...);
  }

  // Writes the answer, once it is claimed.
  template <class... Args>
  void emplace(Args&&... args) noexcept {
    try {
      value_.emplace(std::forward<Args>(args)...);
    } catch (...) {
      error_ = std::current_exception();
    }
  }

 protected:
  ~answer_slot() = default;

  std::optional<stored_t<R>> value_;
};

} // namespace otpp::detail
