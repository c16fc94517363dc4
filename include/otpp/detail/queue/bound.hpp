// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a mailbox that has a limit or is counted has as well: the count, and the line of messages that wait for room, with
// those of the library that stand in it to keep the order. The mutex guards what follows it.
struct bound {
  // Which messages of the library pass those that wait.
  enum class passing : std::uint8_t { none, system, all };

  explicit bound(std::size_t most) noexcept : limit(most) {}

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

  // ---- under the lock ----

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

  // Takes the whole line, behind a list.
  envelope* take_behind(envelope* list) noexcept {
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
  std::atomic<bool> is_on{true}; // always true if there is a limit
  const std::size_t limit;       // zero: it only counts
  std::size_t count = 0;
  std::size_t longest = 0;
  passing may_pass = passing::none;
  envelope* first = nullptr; // the line
  envelope* last = nullptr;  // valid only if first is set
};

} // namespace otpp::detail

#pragma GCC visibility pop
