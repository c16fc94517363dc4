// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/crash_report.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/server/exit_signals.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/idle_timer.hpp>
#include <otpp/detail/server/lifecycle.hpp>
#include <otpp/detail/server/name_registrations.hpp>
#include <otpp/detail/server/open_calls.hpp>
#include <otpp/detail/server/owned_coroutine.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/exit_reason.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The end of a server, which has one of three causes: the server is stopped, by its own handler or by a stop
// (request_end()); an exit signal ends it (apply_exit_signal()); or its context is destroyed
// (end_at_once()). Only a server that is stopped runs `terminate`.

// Ends the process by an exit signal: discards what the last handler asked for, and cancels a handler that
// waits. A `kill` cancels a handler again that has withstood an earlier signal, and the coroutines of the process; it
// is then the reason. Another signal that comes while a crashed server waits for its coroutines does not hide the crash.
inline void server_core::apply_exit_signal(const pending_exit& signal) noexcept {
  bool is_due = follows_exit_signals() || (killed_by_signal() && signal.is_kill);
  if (!is_due || signal.is_void() || mailbox_.is_closed()) {
    return;
  }
  bool has_crashed = cause_ == end_cause::stopped && !reason_.is_clean();
  if (signal.is_kill || !has_crashed || waits_for_ != waits_for::coroutines) {
    cause_ = end_cause::exit_signal;
    reason_ = signal.reason;
    last_message_ = {};
    last_where_ = {};
  }
  if (waits_for_ == waits_for::coroutines) {
    related()->coroutines.for_each([&](owned_coroutine& one) { one.cancel(signal.is_kill); });
  } else {
    wake_to_end();
  }
}

// Called when the process is to end, and need not be in a step of its loop.
inline void server_core::wake_to_end() noexcept {
  if (coroutine_ && coroutine_->is_busy()) {
    try {
      coroutine_->cancel();
    } catch (...) {
      // There was no memory to cancel its handler; the process ends when the handler has completed.
    }
  } else if (waits_for_ == waits_for::message || waits_for_ == waits_for::system_message) {
    waits_for_ = waits_for::turn;
  }
}

inline void server_core::begin_end() noexcept {
  bool had_started = life_ == life::running || life_ == life::cancelling;
  observation_.handles_nothing();
  {
    std::lock_guard lock(context().mutex());
    life_ = life::ending;
  }
  if (had_started && cause_ == end_cause::stopped) {
    refuses_coroutines_ = false;
    hand_out_if_it_blocks();
    keep_shown_state();
    run_terminate(reason_);
  }
}

// An exit signal that cuts `terminate` short is the reason, whatever `terminate` throws then.
inline void server_core::terminate_failed(std::exception_ptr error) noexcept {
  if (cause_ == end_cause::stopped) {
    reason_ = access::after(exit_reason(std::move(error)), reason_);
  }
}

// Called when `terminate` has completed.
inline void server_core::end() noexcept {
  keep_shown_state();
  destroy_state();
  end_without_state();
}

inline bool server_core::is_reported() const noexcept {
  return has_run_ && cause_ == end_cause::stopped && !reason_.is_clean();
}

// Called before `terminate`, which may take the state apart, and after it, because it may have failed.
inline void server_core::keep_shown_state() noexcept {
  if (is_reported() && !shown_state_) {
    try {
      shown_state_ = std::make_unique<const std::string>(show_state(false));
    } catch (...) {
      // Without memory the report does not show it.
    }
  }
}

// The order of the end. The state has been destroyed by now. So the end is never visible before the names are
// free, and two incarnations never overlap.
inline void server_core::end_without_state() noexcept {
  observation_.tell_end(*this, reason_, !turn_);
  if (idle_) {
    idle_->disarm();
  }

  // Give back what is registered: names, memberships of groups, monitors of groups.
  std::unique_ptr<name_registration> registered;
  {
    std::lock_guard lock(context().mutex());
    life_ = life::closing;
    registered = registered_.take_all();
  }
  while (registered) {
    registered = std::move(registered->next);
  }

  // Close the mailbox and take everything out of it, in one step.
  envelope* left = mailbox_.close();
  std::size_t dropped = 0;
  for (envelope* item = left; item; item = item->next_envelope()) {
    if (item->is_dropped_silently()) {
      ++dropped;
      if (cause_ != end_cause::context_destroyed) {
        tell_dropped(*this, *item);
      }
    }
  }
  report(dropped);
  if (observation_.has_begun()) {
    tell_ended(*this, reason_);
  }

  // From here on nothing can be added to the lists.
  relations* its = nullptr;
  {
    std::lock_guard lock(context().mutex());
    life_ = life::ended;
    its = related();
  }
  if (its) {
    its->end_timers();
  }

  // Answer every call that was accepted: first those that an otpp::caller holds, then those that were in the
  // mailbox, and last the call whose handler ended the server.
  tell_list(calls_.list());
  while (left) {
    std::exchange(left, left->next_envelope())->fail_unhandled(*this, reason_);
  }
  answer_last();

  // Notify the processes that monitor it or are linked with it, and then the calls that wait for its end.
  if (its) {
    relation::notify_all(*its, reason_);
    tell_list(its->watchers());
  }

  if (coroutine_) {
    coroutine_->retire();
  }
  deactivate(turn_);
}

// As at the end, but for open calls, which whoever stands for another process tells itself.
inline void server_core::break_off(const exit_reason& reason) noexcept {
  const exit_reason kept = std::exchange(reason_, reason);
  if (relations* its = related()) {
    relation::notify_all(*its, reason_);
    tell_list(its->watchers());
  }
  reason_ = kept;
}

inline void server_core::tell_list(intrusive_list<reply_slot>& list) noexcept {
  while (true) {
    reply_slot* slot = nullptr;
    reply_slot::claim won;
    bool is_ours = false;
    {
      // Claimed under the lock: an otpp::caller that owns the server half needs the lock to release it.
      std::lock_guard lock(context().mutex());
      slot = list.pop_front();
      if (!slot) {
        return;
      }
      is_ours = slot->is_owned_by_server;
      won = slot->try_claim();
    }
    tell_end(*slot, won);
    if (is_ours) {
      slot->release_server_half();
    }
  }
}

inline void server_core::tell_end(reply_slot& slot, const reply_slot::claim& won) noexcept {
  if (won) {
    slot.write_end(reason_);
    slot.deliver(won);
  }
}

inline void server_core::answer_last() noexcept {
  reply_slot* last = std::exchange(last_reply_, nullptr);
  if (!last) {
    return;
  }
  reply_slot::claim won = last->try_claim();
  if (won) {
    if (!last_reply_is_ready_) {
      last->write_end(reason_);
    }
    last->deliver(won);
  }
  last->release_server_half();
}

// Reports a crash, and how many casts and infos were dropped, after whatever end. The end by an exit signal is no crash:
// the sender of the signal knows the reason. To send to a process elsewhere that has ended is no error, as in OTP. While
// its context is being destroyed nothing is reported.
inline void server_core::report(std::size_t dropped) noexcept {
  bool has_lost = dropped != 0 && cause_ != end_cause::context_destroyed && !stands_for_another();
  if (!is_reported() && !has_lost) {
    return;
  }
  crash_report said(reason_);
  if (name_) {
    said.name = *name_;
  }
  said.callbacks = type_name();
  said.id = id();
  said.message = last_message_;
  said.where = last_where_;
  said.dropped = dropped;
  said.state = shown_state_ ? std::string_view(*shown_state_) : std::string_view();
  std::string caller;
  try {
    if (const process* waiting = last_reply_ ? last_reply_->caller() : nullptr) {
      caller = waiting->describe();
    }
  } catch (...) {
    // Without memory the report does not name it.
  }
  said.caller = caller;
  topic<crash_report>::tell(said);
}

// A message was being sent while the mailbox was closed, and has come too late for the report.
inline void server_core::drop_late(envelope& item) noexcept {
  if (item.is_dropped_silently() && cause_ != end_cause::context_destroyed) {
    last_message_ = {};
    last_where_ = {};
    tell_dropped(*this, item);
    report(1);
  }
  item.fail_unhandled(*this, reason_);
}

// ---- the coroutines that end with the server (owned_coroutine.hpp) ----

// Returns true if there are any, after cancelling them: the server then waits until they are over. From here on, none
// begins.
inline bool server_core::end_coroutines() noexcept {
  refuses_coroutines_ = true;
  relations* its = related();
  if (!its || its->coroutines.empty()) {
    return false;
  }
  if (life_ == life::running) {
    std::lock_guard lock(context().mutex());
    life_ = life::cancelling; // so that whose otpp::caller a frame drops is told of the end
  }
  observation_.handles_nothing(); // though it does not sleep
  waits_for_ = waits_for::coroutines;
  its->coroutines.for_each([](owned_coroutine& one) { one.cancel(false); });
  return true;
}

// The server will run no more, and destroys no state to which a frame refers: the last frame does.
inline void server_core::desert_state() noexcept {
  relations* its = related();
  if (!its) {
    if (!coroutine_ || !coroutine_->desert()) {
      destroy_state();
    }
    return;
  }
  while (owned_coroutine* one = its->coroutines.pop_front()) {
    its->share_state();
    if (!one->desert(reason_)) {
      its->leave_state();
    }
    one->release();
  }
  its->share_state();
  if (!coroutine_ || !coroutine_->desert()) {
    its->leave_state();
  }
  leave_state();
}

// A frame that was deserted is destroyed; or the server has counted them.
inline void server_core::leave_state() noexcept {
  relations* its = related();
  if (!its || its->leave_state()) {
    destroy_state();
  }
}

// ---- the end if nobody can run the server any more ----

inline void server_core::on_executor_refused() noexcept {
  if (mailbox_.is_closed()) {
    discard_late();
    return;
  }
  try {
    throw std::runtime_error("its executor refuses to run it");
  } catch (...) {
    end_at_once(exit_reason(std::current_exception()));
  }
}

// It has ended: what has come since has no effect. Other threads go on pushing, so that it sleeps then, as after a turn.
inline void server_core::discard_late() noexcept {
  do {
    while (queued* next = mailbox_.pop_any()) {
      discard(*next);
    }
  } while (!mailbox_.park());
}

// The end if nobody can run the server any more. Like the end above, but without `terminate`, and without
// resuming handlers: their frames are destroyed by the operations that they wait for.
inline void server_core::end_at_once(exit_reason reason) noexcept {
  cause_ = end_cause::context_destroyed;
  reason_ = std::move(reason);
  relations* its = related();
  if (its && its->body) {
    its->body->on_context_destroyed();
  }
  {
    std::lock_guard lock(context().mutex());
    life_ = life::ending;
  }
  intrusive_ptr<server_core> keep(this);
  turn_ = nullptr;
  if (is_counted()) {
    coroutine_
        ->release_work(); // first, because the frame may be destroyed on another thread, and *coroutine_ with it
  }
  desert_state();
  if (starter_) {
    std::exchange(starter_, nullptr)->fail_unhandled(*this, reason_);
  }
  end_without_state();
  discard_work();
}

} // namespace otpp::detail

#pragma GCC visibility pop
