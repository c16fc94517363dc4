// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/admission.hpp>
#include <otpp/detail/queue/bound.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/gen_server/overflow.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What only a mailbox with a limit does, or one that is counted.

inline bound& mailbox::make_bound() {
  bound* its = counter();
  if (!its) {
    auto made = std::make_unique<bound>(0);
    if (bound_.compare_exchange_strong(
            its, made.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
      its = made.release();
    }
  }
  return *its;
}

inline void mailbox::prepare(overflow when_full, priority has_priority, task& notice) {
  bound& its = make_bound();
  if (its.limit != 0) { // else a mailbox that is counted would have some of its messages beside the queue
    its.when_full = when_full;
  }
  its.has_priority = has_priority;
  its.notice = &notice;
  its.is_on.store(its.limit != 0 || has_priority, relaxed);
}

inline void mailbox::let_ahead(task& notice) {
  bound& its = make_bound();
  std::lock_guard lock(its.mutex);
  its.notice = &notice;
  its.may_be_ahead.store(true, std::memory_order_release);
}

inline mailbox::result mailbox::push_ahead(envelope& item, by who) noexcept {
  bound* its = counter();
  if (!its || !its->may_be_ahead.load(std::memory_order_acquire)) {
    return push_library_message(item, who);
  }
  std::lock_guard lock(its->mutex);
  item.is_of_library = true;
  return is_closed() ? result::closed : put_beside(*its, its->ahead, item, who);
}

inline std::optional<mailbox::lengths> mailbox::length() const noexcept {
  bound* counts = counter();
  if (!counts || !counts->counts.load(relaxed)) {
    return std::nullopt;
  }
  std::lock_guard lock(counts->mutex);
  return lengths{counts->count, counts->longest};
}

OTPP_NOINLINE inline mailbox::result mailbox::push_within_limit(
    bound& line, envelope& item, by who, bool may_wait, admission::phase last) noexcept {
  const bool is_first = line.goes_ahead(item);
  if (!is_first && !line.counts.load(relaxed)) {
    result why = admission_.refusal(last);
    return why == result::taken ? enqueue(item, who) : why;
  }
  std::lock_guard lock(line.mutex);
  if (result why = admission_.refusal(last); why != result::taken) {
    return why;
  }
  if (is_first) {
    return put_beside(line, line.ahead, item, who);
  }
  const bool drops_oldest = line.when_full == overflow::drop_oldest;
  if (line.limit != 0 && line.count >= line.limit && (!drops_oldest || line.droppable != 0)) {
    if (line.when_full != overflow::wait || !may_wait || !item.put_in_line()) {
      return result::full;
    }
    line.append(item);
    return result::waiting;
  }
  line.longest = (std::max)(line.longest, ++line.count);
  item.counted = true;
  return drops_oldest ? put_beside(line, line.beside, item, who) : enqueue(item, who);
}

OTPP_NOINLINE inline mailbox::result mailbox::push_behind_line(bound& line, envelope& item, by who) noexcept {
  const bool is_first = line.goes_ahead(item);
  if (!is_first && line.limit == 0) {
    return is_closed() ? result::closed : enqueue(item, who);
  }
  std::lock_guard lock(line.mutex);
  if (is_closed()) {
    return result::closed;
  }
  if (is_first) {
    return put_beside(line, line.ahead, item, who);
  }
  if (line.when_full == overflow::drop_oldest && !item.is_ahead) {
    return put_beside(line, line.beside, item, who);
  }
  if (!line.first || line.lets_pass(item)) {
    return enqueue(item, who);
  }
  item.needs_no_room = true;
  line.append(item);
  return result::taken;
}

// Under the lock. The notice comes first: if it is refused, the message must not be taken.
inline mailbox::result mailbox::put_beside(
    bound& line, intrusive_fifo<envelope>& list, envelope& item, by who) noexcept {
  result said = result::taken;
  if (!line.is_noticed) {
    said = enqueue(*line.notice, who, 0);
    if (said == result::closed) {
      return said;
    }
    line.is_noticed = true;
  }
  list.push_back(item);
  line.droppable += item.counted ? 1 : 0;
  line.number_beside.fetch_add(1, std::memory_order_relaxed);
  return said;
}

inline bool mailbox::notice_again() noexcept {
  bound& its = *counter();
  std::lock_guard lock(its.mutex);
  if (!its.is_noticed && its.number_beside.load(std::memory_order_relaxed) != 0) {
    its.is_noticed = enqueue(*its.notice, by::receiver, 0) != result::closed;
  }
  return its.is_noticed;
}

inline envelope* mailbox::take_oldest() noexcept {
  bound& its = *counter();
  std::lock_guard lock(its.mutex);
  if (its.count < its.limit) {
    return nullptr;
  }
  return its.leave(its.beside.take_first([](const envelope& item) { return item.counted; }));
}

// A place has become free: the first waiting message that still wants it gets it. Those behind it that need none
// come along.
OTPP_NOINLINE inline void mailbox::admit_next() noexcept {
  envelope* ended = nullptr;
  envelope* next = nullptr;
  bound& line = *counter();
  {
    std::lock_guard lock(line.mutex);
    --line.count;
    while (line.first && (!next || line.first->needs_no_room)) {
      envelope* item = std::exchange(line.first, line.first->next_envelope());
      if (!item->needs_no_room && item->expired()) {
        item->next = std::exchange(ended, item);
        continue;
      }
      if (!item->needs_no_room) {
        ++line.count;
        item->counted = true;
        next = item;
      }
      enter(*item);
    }
  }
  while (ended) {
    std::exchange(ended, ended->next_envelope())->discard_message();
  }
  if (next) {
    next->admitted(); // after the push, because its sender may send its next message immediately
  }
}

inline void mailbox::count(bool on) {
  bound* counts = on ? &make_bound() : counter();
  if (!counts || (counts->limit != 0 && !on)) {
    return;
  }
  std::lock_guard lock(counts->mutex);
  counts->counts.store(on, relaxed);
  counts->is_on.store(on || counts->has_priority, relaxed);
  if (on && counts->limit == 0) {
    counts->count = queued_messages([](envelope& item) { item.counted = true; });
  }
  counts->longest = counts->count;
}

} // namespace otpp::detail

#pragma GCC visibility pop
