// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/mpsc_queue.hpp>
#include <otpp/envelope.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace otpp {

/// The channel between many senders and one server: envelopes, in the order in which they came.
///
/// A push says whether the receiver must be woken. A mailbox is closed in one step, which yields what
/// was left in it. It never allocates, throws, or calls user code once it is made.
///
/// With a limit, a sender that finds it full waits in line; library messages take no place and never
/// wait. The limit costs a mutex, and only a mailbox that has one pays for it.
class mailbox {
 public:
  enum class result {
    taken,
    woke,    ///< taken, and the caller of push must wake the receiver
    full,    ///< not taken: try_push found no room
    waiting, ///< not taken yet: it stands in line, and `admitted` will be called
    closed,  ///< not taken: the server has ended
  };

  /// `limit` counts messages; zero means none.
  explicit mailbox(std::size_t limit) : queue_(false) {
    if (limit != 0) {
      bound_ = std::make_unique<bound>();
      bound_->limit = limit;
    }
  }

  /// Any thread: takes it, or puts it in line where there is no room.
  result push(envelope& item) noexcept { return push(item, true); }

  /// Any thread: takes it if there is room.
  result try_push(envelope& item) noexcept { return push(item, false); }

  /// Any thread: takes it whatever the limit says.
  result push_library_message(envelope& item) noexcept { return enqueue(item); }

  /// Any thread: takes what this sender has put in line out of it again. Null if it stands there no more.
  envelope* withdraw(const void* sender) noexcept {
    if (!bound_) {
      return nullptr;
    }
    std::lock_guard lock(bound_->mutex);
    envelope* before = nullptr;
    for (envelope* at = bound_->first; at; before = std::exchange(at, at->next)) {
      if (at->sender() == sender) {
        (before ? before->next : bound_->first) = at->next;
        if (bound_->last == at) {
          bound_->last = before;
        }
        return at;
      }
    }
    return nullptr;
  }

  bool is_closed() const noexcept { return queue_.is_barred(); }

  // The rest is the receiver's.

  envelope* pop() noexcept {
    envelope* item = queue_.pop();
    if (item && item->counted) {
      admit_next();
    }
    return item;
  }

  bool empty() const noexcept { return queue_.empty(); }

  /// Puts the receiver to sleep. False if there is something to receive.
  bool park() noexcept { return queue_.park(); }

  /// Bars the mailbox and takes what is in it, oldest first, those that wait in line last.
  envelope* close() noexcept {
    if (!bound_) {
      return queue_.bar();
    }
    std::lock_guard lock(bound_->mutex);
    envelope* rest = queue_.bar();
    envelope** end = &rest;
    while (*end) {
      end = &(*end)->next;
    }
    *end = std::exchange(bound_->first, nullptr);
    return rest;
  }

 private:
  struct bound {
    std::mutex mutex;
    std::size_t limit = 0;
    std::size_t count = 0;
    envelope* first = nullptr; // waiting for room
    envelope* last = nullptr;
  };

  result enqueue(envelope& item) noexcept {
    switch (queue_.push(&item)) {
      case detail::push_result::queued: return result::taken;
      case detail::push_result::woke: return result::woke;
      case detail::push_result::refused: break;
    }
    return result::closed;
  }

  result push(envelope& item, bool may_wait) noexcept {
    if (!bound_) {
      return enqueue(item);
    }
    std::lock_guard lock(bound_->mutex);
    if (queue_.is_barred()) {
      return result::closed;
    }
    if (bound_->count < bound_->limit) {
      ++bound_->count;
      item.counted = true;
      return enqueue(item);
    }
    if (!may_wait) {
      return result::full;
    }
    item.put_in_line();
    item.next = nullptr;
    (bound_->first ? bound_->last->next : bound_->first) = &item;
    bound_->last = &item;
    return result::waiting;
  }

  // One place has become free: the first in line that still wants it gets it.
  void admit_next() noexcept {
    envelope* given_up = nullptr;
    envelope* next = nullptr;
    {
      std::lock_guard lock(bound_->mutex);
      --bound_->count;
      while (!next && bound_->first) {
        envelope* item = std::exchange(bound_->first, bound_->first->next);
        if (item->expired()) {
          item->next = std::exchange(given_up, item);
          continue;
        }
        next = item;
      }
      if (next) {
        ++bound_->count;
        next->counted = true;
        queue_.push(next); // the receiver is awake: it is the one who asks
      }
    }
    while (given_up) {
      std::exchange(given_up, given_up->next)->abandon();
    }
    if (next) {
      next->admitted(); // after the push: its sender may send the next message at once
    }
  }

  detail::mpsc_queue<envelope> queue_;
  std::unique_ptr<bound> bound_;
};

} // namespace otpp
