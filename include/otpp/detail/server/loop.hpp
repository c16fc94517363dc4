// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/hook.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/timeout.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace otpp::detail {

// The loop of every server, and the order of its end. It knows no types: an envelope opens itself, and
// what needs a type is asked of gen_server.

// outcome's timeout: an envelope that comes when the time is over, if nothing else came before.
//
// Racing a timer against the mailbox would lose messages; so the timer is a message itself. One that
// was overtaken is recognised by its age and does nothing.
class server_core::idle_timer final : public envelope, public deadline {
 public:
  explicit idle_timer(server_core& server) noexcept : envelope(&opened), server_(server) {}

  void arm(next_action action) noexcept {
    moment after = action.moment();
    action_ = std::move(action);
    is_armed_ = true;
    {
      std::lock_guard lock(server_.context().mutex());
      ++age_;
    }
    server_.context().arm(*this, after, *server_.get_lane());
  }

  void disarm() noexcept {
    if (std::exchange(is_armed_, false)) {
      server_.context().disarm(*this);
      action_ = {};
    }
  }

  // A system message has come, which is none to the server: the plain timeout begins anew, as in OTP, and
  // the other goes on.
  void begin_anew() noexcept {
    if (is_armed_ && action_.kind == action_kind::idle_timeout) {
      arm(std::move(action_));
    }
  }

  bool is(const envelope* item) const noexcept { return item == this; }

  void bounce(server_core&, const exit_reason&) noexcept override {}
  void abandon() noexcept override {}

 private:
  static void opened(server_core& server, envelope& item) {
    auto& self = static_cast<idle_timer&>(item);
    {
      std::lock_guard lock(server.context().mutex());
      self.is_queued_ = false;
      if (!self.is_armed_ || self.expired_age_ != self.age_) {
        return;
      }
    }
    self.is_armed_ = false;
    next_action action = std::move(self.action_);
    if (server.is_observed_) {
      server.tell(trace_event::kind::timeout);
    }
    if (action.message) {
      server.kept_ = std::move(action.message);
      server.run_info(*server.kept_);
    } else {
      server.run_timeout();
    }
  }

  // Under the room's lock. The server may end on another thread before expire().
  bool claim_expired() noexcept override {
    expired_age_ = age_;
    if (std::exchange(is_queued_, true)) {
      return false; // an old one is still in the mailbox, and will do
    }
    server_.add_ref();
    return true;
  }

  void expire() noexcept override {
    server_core& server = server_;
    server.send<&mailbox::push_library_message>(*this);
    server.release();
  }

  server_core& server_;
  next_action action_;
  bool is_armed_ = false;
  // Under the room's lock.
  std::uint64_t age_ = 0;
  std::uint64_t expired_age_ = 0;
  bool is_queued_ = false;
};

inline server_core::server_core(
    intrusive_ptr<lane> home, std::size_t mailbox_limit, std::unique_ptr<std::string> name)
    : observable(std::move(home), mailbox_limit), name_(std::move(name)) {}

inline server_core::~server_core() { delete related(); }

// The loop: goes on until there is something to wait for, which is a message, the handler that runs, or
// another turn. What it waits for calls it again.
inline void server_core::run_loop() noexcept {
  while (true) {
    if (worker_ && worker_->is_busy()) {
      awaits_job_ = true;
      return;
    }
    kept_.reset();
    if (pending_exit* order = pending_order()) {
      apply_exit_signal(*order); // before what was sent earlier, as in OTP
    }
    if (life_ == life::ending) { // terminate has run
      finish();
      return;
    }
    if (starter_) {
      if (is_observed_) {
        tell(trace_event::kind::started);
      }
      envelope* starter = std::exchange(starter_, nullptr);
      killed_by_signal_ ? starter->bounce(*this, reason_) : starter->open(*this);
      continue;
    }
    if (stopping_) {
      begin_to_end();
      continue;
    }
    if (turn_->is_spent()) {
      loop_ready_ = true; // others on this thread first
      return;
    }
    if (is_observed_) {
      if (step_observed()) {
        continue;
      }
      return;
    }
    if (action_.kind != action_kind::none) {
      turn_->spend();
      act();
      continue;
    }
    envelope* item = next_message();
    if (!item) {
      return;
    }
    take(*item);
    item->open(*this);
  }
}

inline envelope* server_core::next_message() noexcept {
  envelope* item = mailbox_.pop();
  if (!item) {
    awaits_message_ = true;
    current_.store(nullptr, std::memory_order_relaxed);
  }
  return item;
}

// Before it is opened.
OTPP_INLINE void server_core::take(envelope& item) noexcept {
  turn_->spend();
  if (idle_ && !idle_->is(&item)) {
    item.is_system ? idle_->begin_anew() : idle_->disarm(); // any message does
  }
}

// ---- what is observed. Nothing of it is called while nobody does ----

// The same for a server that is watched. False if there is something to wait for.
inline bool server_core::step_observed() noexcept {
  envelope* item = nullptr;
  if (is_suspended()) {
    item = mailbox_.take_first([](const envelope& one) { return one.is_system; });
    if (!item) {
      current_.store(&no_message, std::memory_order_relaxed);
      awaits_resume_ = true; // what comes is put aside, and stays in its place, also in that of the limit
      return false;
    }
  } else if (action_.kind != action_kind::none) {
    turn_->spend();
    begin_handler();
    act();
  } else {
    item = next_message();
    if (!item) {
      return false;
    }
  }
  if (item) {
    take(*item);
    open_letter(*item);
  }
  if (!worker_ || !worker_->is_busy()) {
    end_handler();
  }
  return true;
}

// Opens a message, and lets whoever watches see it.
inline void server_core::open_letter(envelope& item) noexcept {
  if (is_observed_ && !item.is_system) {
    begin_handler();
    if (!idle_ || !idle_->is(&item)) {
      tell(trace_event::kind::received, item.message_type(), item.where());
    }
  }
  item.open(*this);
}

inline void server_core::begin_to_end() noexcept {
  bool had_started = life_ == life::running;
  current_.store(&no_message, std::memory_order_relaxed);
  {
    std::lock_guard lock(context().mutex());
    life_ = life::ending;
  }
  if (had_started && !killed_by_signal_) {
    run_terminate(reason_);
  }
}

// Exit signals. One that is to end the process is put on the stack `orders`: from then on the loop sees it
// before the next message, and the order, which is a task too, wakes a process that sleeps and reaches one
// whose handler waits: that handler is cancelled. All that come are kept, as an `unlink` may still take the
// meaning from the first; the oldest that has one decides. Anybody pushes. Only the process itself follows the
// pointers, and takes out what it runs; once it is doomed nobody follows them any more, and they are left as
// they are, so that any number of signals costs no more than each of them.
inline void server_core::take_exit(pending_exit& order) noexcept {
  if (!order.is_kill && traps_exits()) {
    envelope& letter = order.to_message(parent());
    if (send<&mailbox::push_library_message>(letter) != mailbox::result::taken) {
      letter.abandon();
    }
    return;
  }
  intrusive_ptr<server_core> keep(this); // once it is submitted, the process may end
  bool is_taken = false;
  {
    context_guard inside(context());
    if (inside) {
      order.to_ = this;
      std::atomic<pending_exit*>& orders = related()->orders;
      order.older_ = orders.load(std::memory_order_relaxed);
      while (!orders.compare_exchange_weak(
          order.older_, &order, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      }
      is_taken = submit_inside(order, inside.here());
    } // else the process is going with its context; whoever takes it out would not be alone
  }
  if (!is_taken) {
    order.discard();
  }
}

inline pending_exit* server_core::pending_order() const noexcept {
  pending_exit* oldest = nullptr;
  for (pending_exit* one = newest_order(); one; one = one->older_) {
    oldest = one->is_void() ? oldest : one;
  }
  return oldest;
}

inline void server_core::ignore_order_from(std::uint64_t who) noexcept {
  for (pending_exit* one = newest_order(); one; one = one->older_) {
    if (one->linked_from() == who) {
      one->make_void();
    }
  }
}

inline void pending_exit::run() {
  to_->apply_exit_signal(*this);
  discard();
}

inline void pending_exit::discard() noexcept {
  if (to_ && !to_->killed_by_signal_) {
    to_->take_out(*this);
  }
  delete this;
}

inline void server_core::take_out(pending_exit& order) noexcept {
  pending_exit* above = &order;
  if (related()->orders.compare_exchange_strong(
          above, order.older_, std::memory_order_acq_rel, std::memory_order_acquire)) {
    return;
  }
  while (above->older_ != &order) {
    above = above->older_;
  }
  above->older_ = order.older_;
}

inline void server_core::apply_exit_signal(const pending_exit& order) noexcept {
  if (killed_by_signal_ || order.is_void() || mailbox_.is_closed()) {
    return;
  }
  killed_by_signal_ = true;
  stopping_ = true;
  reason_ = order.reason;
  last_message_ = {};
  last_where_ = {};
  if (worker_ && worker_->is_busy()) {
    try {
      worker_->cancel();
    } catch (...) {
      // There was no memory to ask its handler to end: it ends when it has done.
    }
  } else if (awaits_message_ || awaits_resume_) {
    awaits_message_ = false;
    awaits_resume_ = false;
    loop_ready_ = true;
  }
}

inline void server_core::expect_relations() {
  if (related()) {
    return;
  }
  auto made = std::make_unique<relations>();
  relations* nobody = nullptr;
  if (relations_.compare_exchange_strong(
          nobody, made.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
    made.release();
  }
}

// Does what the last handler wanted next.
inline void server_core::act() noexcept {
  next_action action = std::exchange(action_, {});
  bool at_once = action.kind > action_kind::proceed && context().is_over(action.moment());
  switch (action.kind) {
    case action_kind::none: return;
    case action_kind::proceed:
      kept_ = std::move(action.message);
      run_continue(*kept_);
      return;
    case action_kind::event_timeout:
      if (at_once) {
        kept_ = std::move(action.message);
        if (is_observed_) {
          tell(trace_event::kind::timeout);
        }
        run_info(*kept_);
        return;
      }
      break;
    case action_kind::idle_timeout:
      if (at_once) {
        // A message that is already there comes first; an old timer's is none.
        envelope* item = mailbox_.pop_past_tasks();
        while (item && idle_ && idle_->is(item)) {
          item->open(*this);
          item = mailbox_.pop_past_tasks();
        }
        if (!item) {
          if (is_observed_) {
            tell(trace_event::kind::timeout);
          }
          run_timeout();
          return;
        }
        if (item->is_system) {
          action_ = std::move(action); // that was no message: it is asked for again
        }
        take(*item);
        open_letter(*item);
        return;
      }
      break;
  }
  if (action.after == infinite) {
    return; // a wait without end is none, and no work that would keep run() from returning
  }
  try {
    if (!idle_) {
      idle_ = std::make_unique<idle_timer>(*this);
    }
    idle_->arm(std::move(action));
  } catch (...) {
    stop_with(std::current_exception());
  }
}

// The end, in this order: terminate has run; the state is destroyed; the names are free; the mailbox
// is barred and taken in one step; every call that was accepted is answered; then the stop's own
// reply; then whoever watches is told, by a signal (relation_ends) or by an answer (join). So nobody can see the end
// before the names are free, and two incarnations never overlap.
inline void server_core::finish() noexcept {
  destroy_state();
  end_everything();
}

inline void server_core::end_everything() noexcept {
  if (is_observed_) {
    tell(trace_event::kind::ended, {}, {}, reason_, !turn_);
  }
  if (observation* watch = observed()) {
    watch->hook = nullptr; // nobody knows who will let go of the core
  }
  if (idle_) {
    idle_->disarm();
  }
  std::unique_ptr<name_registration> names;
  {
    std::lock_guard lock(context().mutex());
    names_freed_ = true;
    names = std::move(names_);
  }
  while (names) {
    names = std::move(names->next);
  }

  envelope* left = mailbox_.close();
  std::size_t dropped = 0;
  for (envelope* item = left; item; item = item->next_envelope()) {
    dropped += item->is_lost_silently() ? 1u : 0u;
  }
  report(dropped);

  bool has_owned_timers = false;
  {
    std::lock_guard lock(context().mutex());
    life_ = life::ended;
    has_owned_timers = related() && related()->owned_timers;
  }
  if (has_owned_timers) {
    end_owned_timers();
  }
  tell_list(open_calls_);
  while (left) {
    std::exchange(left, left->next_envelope())->bounce(*this, reason_);
  }
  if (reply_slot* last = std::exchange(last_reply_, nullptr)) {
    reply_slot::claim won = last->try_claim();
    if (won) {
      if (!last_reply_is_ready_) {
        last->write_end(reason_);
      }
      last->deliver(won);
    }
    last->leave();
  }
  notify_relations();
  if (relations* mine = related()) {
    tell_list(mine->watchers);
  }
  if (worker_) {
    worker_->retire();
  }
  deactivate(turn_);
}

inline void server_core::end_owned_timers() noexcept {
  while (true) {
    owned_timer* one = nullptr;
    {
      std::lock_guard lock(context().mutex());
      one = related()->owned_timers;
      if (!one) {
        return;
      }
      one->retain();
    }
    one->server_ended();
  }
}

inline void server_core::tell_list(reply_slot*& list) noexcept {
  while (true) {
    reply_slot* slot = nullptr;
    reply_slot::claim won;
    bool is_ours = false;
    {
      // Claimed under the lock: whoever holds the other half needs the lock to let go of it.
      std::lock_guard lock(context().mutex());
      slot = list;
      if (!slot) {
        return;
      }
      unlink(list, *slot);
      is_ours = slot->is_orphan;
      won = slot->try_claim();
    }
    tell_end(*slot, won);
    if (is_ours) {
      slot->leave();
    }
  }
}

inline bool server_core::add_relation_end(relation_end& one) noexcept {
  std::lock_guard lock(context().mutex());
  if (life_ == life::ended) {
    return false;
  }
  relation_end*& first = related()->relation_ends;
  one.listed_ = true;
  one.before_ = nullptr;
  one.next_ = first;
  if (first) {
    first->before_ = &one;
  }
  first = &one;
  return true;
}

inline void server_core::notify_relations() noexcept {
  while (true) {
    relation_end* one = nullptr;
    {
      std::lock_guard lock(context().mutex());
      one = related() ? related()->relation_ends : nullptr;
      if (!one) {
        return;
      }
      unlist(*one);
    }
    one->ended(reason_);
  }
}

inline void server_core::report(std::size_t dropped) noexcept {
  if (reason_.is_clean() || !was_running_ || killed_by_signal_) {
    return; // of a doomed one, whoever has sent the signal knows why
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
  hook<crash_report>::tell(said);
}

// The context is being destroyed: as the end, but without terminate, and without handlers: their
// frames are destroyed by whatever they wait for.
inline void server_core::evict() noexcept {
  reason_ = exit_reason::killed();
  was_running_ = false; // nothing to report: the program did it
  if (receiver* body = receives_with()) {
    body->give_up();
  }
  {
    std::lock_guard lock(context().mutex());
    life_ = life::ending;
  }
  intrusive_ptr<server_core> keep(this);
  turn_ = nullptr;
  // The state stays while a handler's frame refers to it (worker_destroyed()).
  if (!worker_ || !worker_->is_busy() ||
      frame_or_context_has_gone_.exchange(true, std::memory_order_acq_rel)) {
    destroy_state();
  }
  if (starter_) {
    std::exchange(starter_, nullptr)->bounce(*this, reason_);
  }
  end_everything();
  discard_work();
}

} // namespace otpp::detail
