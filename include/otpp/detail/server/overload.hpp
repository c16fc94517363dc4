// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/server/drain.hpp>
#include <otpp/detail/server/lifecycle.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/gen_server/overflow.hpp>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a server does that is sent more than it handles, or is to handle some messages before others. The states of its
// mailbox are in bound.hpp.

inline void server_core::arrange_mailbox(
    overflow when_full, bool skips_abandoned, mailbox::priority has_priority) {
  mailbox_.prepare(when_full, has_priority, relations::of(*this).notice);
  skips_abandoned_ = skips_abandoned;
  if (skips_abandoned || has_priority || when_full == overflow::drop_oldest) {
    observation_.be_careful();
  }
}

// ---- for senders: any thread, without a lock ----

OTPP_NOINLINE inline bool server_core::find_room(envelope& item, mailbox::result& result) noexcept {
  while (result == mailbox::result::full) {
    switch (mailbox_.when_full()) {
      case overflow::wait:
      case overflow::refuse: return false;
      case overflow::drop_newest:
        result = mailbox::result::dropped;
        mailbox_.count_dropped();
        tell_dropped(*this, item, true);
        return false;
      case overflow::drop_oldest:
        if (envelope* oldest = mailbox_.take_oldest()) {
          mailbox_.count_dropped();
          tell_dropped(*this, *oldest, true);
          oldest->make_room();
        }
        result = send<&mailbox::try_push>(item);
        if (result == mailbox::result::draining) {
          look_if_it_drains(); // what was dropped may have been the last that it had
        }
        break;
    }
  }
  return result == mailbox::result::taken;
}

// ---- the process itself ----

// The notice has run. The message may be the first that was ever sent ahead.
inline void server_core::look_beside() noexcept {
  observation_.be_careful();
  if (mailbox_.is_closed()) { // it may have come meanwhile, if it was the first that was ever sent ahead
    while (envelope* item = mailbox_.pop_beside()) {
      drop_late(*item);
    }
    return;
  }
  if (relations& its = *related(); its.body) {
    while (envelope* item = mailbox_.take_beside([&](const envelope& one) { return its.body->wants(one); })) {
      its.body->accept(*item);
    }
  } else if (
      waits_for_ == waits_for::message || waits_for_ == waits_for::system_message ||
      waits_for_ == waits_for::tasks) {
    waits_for_ = waits_for::turn;
  }
}

// next_message() of a process that is careful: looks beside the queue, too, and skips what nobody waits for.
inline envelope* server_core::next_carefully() noexcept {
  envelope* item = next_beside();
  while (skips_abandoned_ && item && item->expired()) {
    mailbox_.count_skipped();
    item->discard_message();
    look_if_it_drains(); // this may have been the last that it had
    turn_->spend();
    if (turn_->is_spent()) {
      waits_for_ = waits_for::turn;
      return nullptr;
    }
    item = next_beside();
  }
  return item;
}

// What is beside the queue has no place among the tasks in it, so that these have a turn from time to time: until the
// notice, which is put behind them, has run.
inline envelope* server_core::next_beside() noexcept {
  constexpr int most_in_a_row = 16;
  if (mailbox_.number_beside() != 0) {
    relations& its = *related();
    if (++its.beside_in_a_row > most_in_a_row && mailbox_.has_any()) {
      its.beside_in_a_row = 0;
      if (mailbox_.notice_again()) { // else what was beside the queue has been dropped meanwhile
        waits_for_ = waits_for::tasks;
        return nullptr;
      }
    }
    if (envelope* item = mailbox_.pop_beside()) {
      return item;
    }
  }
  return next_message();
}

} // namespace otpp::detail

#pragma GCC visibility pop
