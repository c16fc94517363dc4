// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/util/intrusive_fifo.hpp>
#include <otpp/gen_server/overflow.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a mailbox that has a limit or is counted has as well: the count, and the line of messages that wait for room, with
// those of the library that stand in it to keep the order. The mutex guards what follows it.
//
// What becomes of a message that needs a place and finds none is fixed before the first is sent (`when_full`). The states
// of such a mailbox, by the number of places that are taken and by what else there is:
//
//   wait         room:              the line is empty; a message takes a place
//                full, no line:     the next sender begins the line; try_push is refused
//                full, and a line:  as above. A place that becomes free belongs to the first in the line that still wants
//                                   it, so the mailbox stays full, and nobody passes those who wait
//   refuse,      room:              as above
//   drop_newest  full:              each push is refused, and nobody waits: there is never a line
//   drop_oldest  room:              as above
//                full:              push is refused while there is something to drop (`droppable`). The sender then takes
//                                   out the oldest with take_oldest(), and pushes again. There is never a line
//
// With drop_oldest any thread takes messages out, so they are not in the queue, which only the receiver may take from, but
// in the list `beside`, in order of arrival, with those of the library, which keep their place among them and are never
// dropped. A sender discards what it has taken out after it has left every lock, because that calls code of the user's: the
// destructor of the message, and those who hear of dropped messages. Either may send to this mailbox again, or end its
// server. Therefore no step holds anything over the discarding: a push begins anew after it, as the room that was made
// may have been taken meanwhile. Each attempt that fails has dropped a message for somebody, or has seen one received.
//
// What goes ahead of the rest is beside the queue, too, in the list `ahead`, whatever the limit: messages of the types that
// the server has named (`options::priority`), and what was sent with otpp::ahead. They take no place, so that they are never
// dropped, and neither wait for room nor stand in the line.
//
// A task in the queue, the `notice`, tells the receiver of a message beside the queue, so that the one word of the queue
// still says whether the receiver is awake. It is queued at most once. If something is beside the queue, the notice is
// queued, or the receiver is awake and takes from there before it parks.
struct bound {
  // Which messages of the library pass those that wait.
  enum class passing : std::uint8_t { none, system, all };

  explicit bound(std::size_t most) noexcept : is_on(most != 0), limit(most), counts(most != 0) {}

  // Takes the first message in the line for which `wanted` returns true; returns null if there is none.
  template <class Wanted>
  envelope* take_first(Wanted wanted) noexcept {
    std::lock_guard lock(mutex);
    envelope* before = nullptr;
    for (envelope* at = first; at; before = std::exchange(at, at->next_envelope())) {
      if (wanted(*at)) {
        if (before) {
          before->next = at->next;
        } else {
          first = at->next_envelope();
        }
        if (last == at) {
          last = before;
        }
        at->needs_no_room = false;
        return at;
      }
    }
    return nullptr;
  }

  // Calls `enter` with those in the line that may pass the others from now on.
  template <class Enter>
  void let_pass(passing which, Enter enter) noexcept {
    std::lock_guard lock(mutex);
    may_pass = which;
    for (envelope* item = std::exchange(first, nullptr); item;) {
      envelope& one = *std::exchange(item, item->next_envelope());
      if (one.needs_no_room && lets_pass(one)) {
        enter(one);
      } else {
        append(one);
      }
    }
  }

  // Any thread: returns true for a message that the server wants to have before others.
  bool goes_ahead(const envelope& item) const noexcept {
    const std::type_info* type = has_priority ? item.message_info() : nullptr;
    return type && has_priority(*type);
  }

  // ---- under the lock ----

  // Takes the first message beside the queue for which `wanted` returns true; returns null if there is none.
  template <class Wanted>
  envelope* take_beside(Wanted wanted, bool only_ahead = false) noexcept {
    envelope* item = ahead.take_first(wanted);
    return leave(item || only_ahead ? item : beside.take_first(wanted));
  }

  // A message has been taken out of one of the lists; it may be null.
  envelope* leave(envelope* item) noexcept {
    if (item) {
      number_beside.fetch_sub(1, std::memory_order_relaxed);
      if (std::exchange(item->counted, false)) {
        --count;
        --droppable;
      }
    }
    return item;
  }

  bool lets_pass(const envelope& item) const noexcept {
    return item.is_ahead || may_pass == passing::all || (may_pass == passing::system && item.is_system);
  }

  void append(envelope& item) noexcept {
    item.next = nullptr;
    if (first) {
      last->next = &item;
    } else {
      first = &item;
    }
    last = &item;
  }

  // Takes the whole line, and what is beside the queue, behind a list.
  envelope* take_behind(envelope* list) noexcept {
    while (envelope* item = take_beside([](const envelope&) { return true; })) {
      append(*item);
    }
    envelope* waiting = std::exchange(first, nullptr);
    envelope* end = list;
    while (end && end->next) {
      end = end->next_envelope();
    }
    if (!end) {
      return waiting;
    }
    end->next = waiting;
    return list;
  }

  std::mutex mutex;
  std::atomic<bool> is_on;             // sending is not merely to push into the queue
  const std::size_t limit;             // zero: it only counts
  overflow when_full = overflow::wait; // set before the first message, as the next
  bool (*has_priority)(const std::type_info&) noexcept = nullptr; // likewise; null: nothing has
  task* notice = nullptr;                                         // see above
  std::atomic<std::uint64_t> dropped{0}; // because it was full; written without the lock, as the next two
  std::atomic<std::uint64_t> skipped{0}; // unopened, because their callers had given up
  std::atomic<std::size_t> number_beside{0};
  intrusive_fifo<envelope> ahead;
  intrusive_fifo<envelope> beside;
  std::atomic<bool> may_be_ahead{false}; // there is a notice for what is sent ahead
  std::atomic<bool> counts;              // always true if there is a limit
  bool is_noticed = false;               // the notice is queued
  std::size_t droppable = 0;             // how many of those beside the queue take a place
  std::size_t count = 0;
  std::size_t longest = 0;
  passing may_pass = passing::none;
  envelope* first = nullptr; // the line
  envelope* last = nullptr;  // valid only if first is set
};

} // namespace otpp::detail

#pragma GCC visibility pop
