// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/drain.hpp>
#include <otpp/detail/server/end.hpp>
#include <otpp/detail/server/exit_signals.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/idle_timer.hpp>
#include <otpp/detail/server/lifecycle.hpp>
#include <otpp/detail/server/overload.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/tracing.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/sys/trace_event.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>
#include <asio/cancellation_signal.hpp>

#include <cassert>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The loop of every server. It knows no user types: an envelope opens itself, and gen_server provides what
// needs a type.

inline server_core::server_core(
    intrusive_ptr<lane> home, std::size_t mailbox_limit, std::unique_ptr<std::string> name)
    : process(std::move(home), mailbox_limit), observation_(*this), name_(std::move(name)) {}

inline server_core::~server_core() { delete related(); }

template <class Request>
Request* server_core::admit(unregistered<Request>& starter) noexcept {
  starter->waits_for = static_cast<const process*>(this);
  turn* here = turn::current();
  if (here && here->is_in(context()) && here->is_in(starter->context())) {
    turn::access mine(here);
    here->add_local(*starter);
    return &starter.release();
  }
  context_guard home(starter->context());
  return home.register_wait(*starter) ? &starter.release() : nullptr;
}

template <class Request>
void server_core::launch(Request& starter, turn* here) noexcept {
  turn::access mine(here);
  starter_ = &starter;
  waits_for_ = waits_for::turn;
  if (starter.is_turn_local() && !here->has_place_for(*get_lane())) {
    here->register_one(starter); // another thread may run it first
  }
  activate(here && here->is_in(context()) ? here : nullptr);
}

// Runs until it has to wait: for a message, for the running handler, or for another turn. Any of these calls
// it again.
inline void server_core::run_loop() noexcept {
  while (true) {
    if (is_job_running()) {
      waits_for_ = waits_for::handler;
      return;
    }
    kept_.reset();
    if (relations* its = related(); its && follows_exit_signals()) {
      take_what_goes_ahead(*its);
    }
    if (life_ == life::ending) { // `terminate` has completed
      if (!end_coroutines()) {
        end();
      }
      return;
    }
    if (starter_) {
      if (observation_.is_on()) {
        observation_.started(*this);
      }
      observation_.begins();
      tell_started(*this);
      envelope* starter = std::exchange(starter_, nullptr);
      hand_out_if_it_blocks();
      killed_by_signal() ? starter->fail_unhandled(*this, reason_) : starter->open(*this);
      continue;
    }
    if (cause_ != end_cause::none) {
      if (end_coroutines()) {
        return;
      }
      begin_end();
      continue;
    }
    if (turn_->is_spent()) {
      observation_.has_taken(turn::limit, mailbox_, *this);
      waits_for_ = waits_for::turn; // so that other handlers on this thread can run
      return;
    }
    if (observation_.is_on()) {
      if (step_observed()) {
        continue;
      }
      return;
    }
    if (action_.kind != action_kind::none) {
      turn_->spend();
      act();
      if (!is_job_running()) {
        observation_.end_handler(*this, nullptr, action_.kind == action_kind::proceed);
      }
      continue;
    }
    envelope* item = next_message();
    if (!item) {
      return;
    }
    take(*item);
    hand_out_if_it_blocks();
    item->open(*this);
  }
}

inline void server_core::take_what_goes_ahead(relations& its) noexcept {
  if (pending_exit* signal = its.incoming.oldest()) {
    apply_exit_signal(*signal); // before what was sent earlier, as in OTP
  }
  if (its.has_orders() && !starter_) [[unlikely]] {
    follow_orders(its);
  }
}

// Opens what is to end the server before all other messages; ends it if it drains and is drained.
OTPP_NOINLINE inline void server_core::follow_orders(relations& its) noexcept {
  if (its.take_hurry()) {
    if (mailbox_.number_beside() != 0) {
      observation_.be_careful(); // from now on it finds what was sent ahead
    }
    while (envelope* item = mailbox_.take_first([](const envelope& one) { return one.is_ahead; })) {
      item->open(*this);
    }
  }
  if (its.is_draining() && !is_to_end() && is_drained(its)) {
    request_end(its.drains()->reason());
  }
}

// Called before each handler (options::may_block).
OTPP_INLINE void server_core::hand_out_if_it_blocks() noexcept {
  if (may_block_) [[unlikely]] {
    turn_->hand_out(*this);
  }
}

inline envelope* server_core::next_message() noexcept {
  envelope* item = mailbox_.pop();
  if (!item) {
    waits_for_ = waits_for::message;
    observation_.sleeps();
  }
  return item;
}

// Called before the message is opened.
OTPP_INLINE void server_core::take(envelope& item) noexcept {
  turn_->spend();
  if (idle_ && !idle_->is(&item)) {
    if (item.is_system) {
      idle_->begin_anew();
    } else if (is_for_callbacks(item)) {
      idle_->disarm(); // any message does
    }
  }
}

// Returns false for news that was taken back, or that the callbacks have no handler for: it is no message to them.
inline bool server_core::is_for_callbacks(const envelope& item) const noexcept {
  const std::type_info* news = item.news();
  return !news || (!item.is_void() && find_opener(verb::info, *news));
}

// Takes a message that was dequeued while a handler waits, or after the server has ended.
inline void server_core::accept(envelope& item) noexcept {
  relations* its = related();
  if (mailbox_.is_closed()) {
    drop_late(item);
    return;
  }
  observation_.has_taken(1, mailbox_, *this);
  if (its && its->body) {
    its->body->accept(item);
  } else {
    mailbox_.put_aside(item);
    if (waits_for_ == waits_for::system_message && item.is_system) {
      waits_for_ = waits_for::turn;
    }
  }
}

// ---- observation: called only while the process is observed ----

// One step of an observed server. Returns false if it has to wait.
inline bool server_core::step_observed() noexcept {
  envelope* item = nullptr;
  if (observation_.is_suspended()) {
    item = mailbox_.take_first([](const envelope& one) { return one.is_system; });
    if (!item) {
      observation_.handles_nothing();
      waits_for_ = waits_for::
          system_message; // user messages are put aside, keep their order, and still count toward the limit
      return false;
    }
  } else if (action_.kind != action_kind::none) {
    turn_->spend();
    observation_.begin_handler(*this);
    act();
  } else {
    item = next_carefully();
    if (!item) {
      return false;
    }
  }
  if (item) {
    take(*item);
    open_message(*item);
  }
  if (!is_job_running()) {
    observation_.end_handler(*this, is_to_end() ? &reason_ : nullptr, action_.kind == action_kind::proceed);
  }
  return true;
}

// Opens a message, and reports it to the observers.
inline void server_core::open_message(envelope& item) noexcept {
  hand_out_if_it_blocks();
  if (observation_.is_on() && !item.is_system && is_for_callbacks(item)) {
    if (!idle_ || !idle_->is(&item)) {
      observation_.receives(*this, &item, trace_event::kind::received, mailbox_.number_held() + 1);
    }
    observation_.begin_handler(*this);
  }
  item.open(*this);
}

// ---- handlers that are coroutines ----

inline bool server_core::is_job_running() const noexcept { return coroutine_ && coroutine_->is_busy(); }

inline void server_core::run_job(asio::awaitable<void> job) noexcept {
  try {
    if (!coroutine_) {
      auto made = std::make_unique<handler_coroutine>(*this);
      std::lock_guard lock(context().mutex());
      coroutine_ = std::move(made);
    }
    coroutine_->run(std::move(job));
  } catch (...) {
    request_end(std::current_exception());
  }
}

// Elsewhere than in a step it may be the handler that asks, which has gone on on another executor, or some other
// coroutine, while the handler coroutine is made or lost.
inline bool server_core::is_handlers_own(
    const asio::cancellation_slot& slot, bool is_in_step) const noexcept {
  if (is_in_step) {
    return coroutine_ && coroutine_->runs_with(slot);
  }
  std::lock_guard lock(context().mutex());
  return coroutine_ && coroutine_->runs_with(slot);
}

// Our own operations count as work themselves, except for a `receive` without a timeout, which must not. While
// something is queued, this step goes on.
inline void server_core::count_as_work() noexcept {
  if (is_in_operation() != is_counted()) {
    return; // the usual case
  }
  if (is_counted()) {
    coroutine_->release_work();
  } else if (!mailbox_.has_any()) {
    coroutine_->hold_work();
  }
}

inline void server_core::cancel_job() {
  if (coroutine_) {
    coroutine_->cancel();
  }
}

inline void server_core::job_finished(std::exception_ptr error) noexcept {
  assert(is_running_here());
  if (error) {
    request_end(std::move(error));
  }
  observation_.end_handler(*this, is_to_end() ? &reason_ : nullptr, action_.kind == action_kind::proceed);
  set_in_operation(false);
  if (is_counted()) {
    coroutine_->release_work();
  }
  if (waits_for_ == waits_for::handler) {
    waits_for_ = waits_for::turn;
  }
}

inline void server_core::job_lost() noexcept {
  request_end(exit_reason::killed());
  if (is_counted()) {
    coroutine_->release_work();
  }
  std::unique_ptr<handler_coroutine> lost;
  {
    std::lock_guard lock(context().mutex());
    lost = std::move(coroutine_);
  }
  lost.reset();
  job_finished(nullptr);
}

// ---- what a handler wants next ----

// Does what the last handler asked for next.
inline void server_core::act() noexcept {
  next_action action = std::exchange(action_, {});
  bool at_once = action.kind > action_kind::proceed && context().is_over(action.moment());
  if (at_once || action.kind == action_kind::proceed) {
    hand_out_if_it_blocks();
  }
  switch (action.kind) {
    case action_kind::none: return;
    case action_kind::proceed:
      kept_ = std::move(action.message);
      run_continue(*kept_);
      return;
    case action_kind::event_timeout:
      if (at_once) {
        kept_ = std::move(action.message);
        if (observation_.is_on()) {
          observation_.receives(*this, nullptr, trace_event::kind::timeout, 0);
        }
        run_info(*kept_);
        return;
      }
      break;
    case action_kind::idle_timeout:
      if (at_once) {
        // A message that is already queued comes first; an outdated timer does not count as one.
        envelope* item = mailbox_.pop_past_tasks();
        while (item && idle_ && idle_->is(item)) {
          item->open(*this);
          item = mailbox_.pop_past_tasks();
        }
        if (!item) {
          if (observation_.is_on()) {
            observation_.receives(*this, nullptr, trace_event::kind::timeout, 0);
          }
          run_timeout();
          return;
        }
        if (item->is_system || !is_for_callbacks(*item)) {
          action_ = std::move(action); // that was not a message, so it is asked for again
        }
        take(*item);
        open_message(*item);
        return;
      }
      break;
  }
  if (action.after == infinite) {
    return; // an infinite wait needs no timer, and must not count as work that keeps run() from returning
  }
  try {
    if (!idle_) {
      idle_ = std::make_unique<idle_timer>(*this);
    }
    idle_->arm(std::move(action));
  } catch (...) {
    request_end(std::current_exception());
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
