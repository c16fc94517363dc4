// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/mpsc_queue.hpp>
#include <otpp/envelope.hpp>
#include <otpp/task.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace otpp {

/// The channel between many senders and one process: messages and tasks, in the order in which they came.
///
/// A push says whether the receiver must be woken. There is one queue for both, because then one word
/// says all there is to know: whether somebody runs the process, and whether there is anything for it. A
/// message is received when the process asks for one; a task is run between two messages. While a handler
/// waits, its tasks run and messages do not: those that come up in the meantime are put `aside`, and are
/// the first to be received afterwards.
///
/// It is closed for messages in one step, which yields those that were left in it; tasks go on until it
/// is barred. It never allocates, throws, or calls user code once it is made.
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

  /// Whose thread pushes. The receiver's own, or one that has claimed its place, pays for no atomic
  /// operation.
  enum class by { anyone, receiver };

  /// `limit` counts messages; zero means none.
  explicit mailbox(std::size_t limit) : queue_(false) {
    if (limit != 0) {
      bound_ = std::make_unique<bound>();
      bound_->limit = limit;
    }
  }

  // ---- any thread ----

  /// Takes a message, or puts it in line where there is no room.
  result push(envelope& item, by who = by::anyone) noexcept { return push(item, who, true); }

  /// Takes a message if there is room.
  result try_push(envelope& item, by who = by::anyone) noexcept { return push(item, who, false); }

  /// Takes a message whatever the limit says.
  result push_library_message(envelope& item, by who = by::anyone) noexcept {
    return is_closed() ? result::closed : enqueue(item, who);
  }

  /// Takes a task, also when it is closed for messages; not when it is barred.
  result submit(task& item, by who = by::anyone) noexcept { return enqueue(item, who); }

  /// Memory for the one who has to wake the receiver.
  detail::op_storage& wake_storage() noexcept { return queue_.wake_storage; }

  /// Takes the place of a receiver that sleeps.
  bool claim() noexcept { return queue_.claim(); }

  /// Takes what this sender has put in line out of it again. Null if it stands there no more.
  envelope* withdraw(const void* sender) noexcept {
    if (!bound_) {
      return nullptr;
    }
    std::lock_guard lock(bound_->mutex);
    envelope* before = nullptr;
    for (envelope* at = bound_->first; at; before = std::exchange(at, at->next_envelope())) {
      if (at->sender() == sender) {
        if (before) {
          before->next = at->next;
        } else {
          bound_->first = at->next_envelope();
        }
        if (bound_->last == at) {
          bound_->last = before;
        }
        return at;
      }
    }
    return nullptr;
  }

  bool is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  // ---- the receiver ----

  /// Receives the next message. Null if there is none, or a task comes first.
  envelope* pop() noexcept {
    envelope* item = aside_;
    if (item) {
      aside_ = item->next_envelope();
    } else {
      queued* first = queue_.front();
      if (!first || first->what() != queued::kind::message) {
        return nullptr;
      }
      item = static_cast<envelope*>(queue_.pop());
    }
    if (item->counted) {
      admit_next();
    }
    return item;
  }

  /// True if pop() would yield a message.
  bool has_message() noexcept {
    queued* first = nullptr;
    return aside_ || ((first = queue_.front()) != nullptr && first->what() == queued::kind::message);
  }

  /// Receives the next message, also from behind tasks. In the time of all that is queued.
  envelope* pop_past_tasks() noexcept {
    for (envelope* item = take_messages(); item;) {
      put_aside(*std::exchange(item, item->next_envelope()));
    }
    return pop();
  }

  /// Receives the first message that `wanted` lets pass, wherever it stands. In the time of all that is queued.
  template <class Wanted>
  envelope* take_first(Wanted wanted) {
    for (envelope* item = take_messages(); item;) {
      put_aside(*std::exchange(item, item->next_envelope()));
    }
    envelope* before = nullptr;
    for (envelope* at = aside_; at; before = std::exchange(at, at->next_envelope())) {
      if (wanted(*at)) {
        if (before) {
          before->next = at->next;
        } else {
          aside_ = at->next_envelope();
        }
        if (last_aside_ == at) {
          last_aside_ = before;
        }
        if (at->counted) {
          admit_next();
        }
        return at;
      }
    }
    return nullptr;
  }

  /// Takes what comes first, of either kind: for a receiver that cannot receive a message now.
  queued* pop_any() noexcept { return queue_.pop(); }

  /// Keeps a message that cannot be received now.
  void put_aside(envelope& item) noexcept {
    item.next = nullptr;
    if (aside_) {
      last_aside_->next = &item;
    } else {
      aside_ = &item;
    }
    last_aside_ = &item;
  }

  bool empty() const noexcept { return !aside_ && queue_.empty(); }

  /// Puts the receiver to sleep. False if something has come. Whoever pushes next wakes it, or claims its
  /// place, so that nothing of the process may be touched after a true.
  bool park() noexcept { return queue_.park(); }

  /// Closes it for messages and takes those that are in it, oldest first, those that wait in line last.
  envelope* close() noexcept {
    if (!bound_) {
      closed_.store(true, std::memory_order_release);
      return take_messages();
    }
    std::lock_guard lock(bound_->mutex);
    closed_.store(true, std::memory_order_release);
    envelope* rest = take_messages();
    envelope* waiting = std::exchange(bound_->first, nullptr);
    if (!rest) {
      return waiting;
    }
    envelope* last = rest;
    while (last->next) {
      last = last->next_envelope();
    }
    last->next = waiting;
    return rest;
  }

  struct leftovers {
    task_list tasks;
    envelope* messages; // that came after it was closed
  };

  /// Bars it for everything and takes what is in it. Nobody may be pushing any more.
  leftovers bar() noexcept {
    envelope* messages = take_messages();
    return {task_list(static_cast<task*>(queue_.bar())), messages};
  }

 private:
  struct bound {
    std::mutex mutex;
    std::size_t limit = 0;
    std::size_t count = 0;
    envelope* first = nullptr; // waiting for room
    envelope* last = nullptr;
  };

  result enqueue(queued& item, by who) noexcept {
    switch (who == by::receiver ? queue_.push_owned(&item) : queue_.push(&item)) {
      case detail::push_result::queued: return result::taken;
      case detail::push_result::woke: return result::woke;
      case detail::push_result::refused: break;
    }
    return result::closed;
  }

  result push(envelope& item, by who, bool may_wait) noexcept {
    if (bound_) {
      return push_within_limit(item, who, may_wait);
    }
    return is_closed() ? result::closed : enqueue(item, who);
  }

  OTPP_NOINLINE result push_within_limit(envelope& item, by who, bool may_wait) noexcept {
    std::lock_guard lock(bound_->mutex);
    if (is_closed()) {
      return result::closed;
    }
    if (bound_->count < bound_->limit) {
      ++bound_->count;
      item.counted = true;
      return enqueue(item, who);
    }
    if (!may_wait) {
      return result::full;
    }
    item.put_in_line();
    item.next = nullptr;
    if (bound_->first) {
      bound_->last->next = &item;
    } else {
      bound_->first = &item;
    }
    bound_->last = &item;
    return result::waiting;
  }

  // One place has become free: the first in line that still wants it gets it.
  OTPP_NOINLINE void admit_next() noexcept {
    envelope* given_up = nullptr;
    envelope* next = nullptr;
    {
      std::lock_guard lock(bound_->mutex);
      --bound_->count;
      while (!next && bound_->first) {
        envelope* item = std::exchange(bound_->first, bound_->first->next_envelope());
        if (item->expired()) {
          item->next = std::exchange(given_up, item);
          continue;
        }
        next = item;
      }
      if (next) {
        ++bound_->count;
        next->counted = true;
        queue_.push_owned(next); // the receiver is awake: it is the one who asks
      }
    }
    while (given_up) {
      std::exchange(given_up, given_up->next_envelope())->abandon();
    }
    if (next) {
      next->admitted(); // after the push: its sender may send the next message at once
    }
  }

  envelope* take_messages() noexcept {
    auto* rest = static_cast<envelope*>(
        queue_.extract([](const queued& item) { return item.what() == queued::kind::message; }));
    if (!aside_) {
      return rest;
    }
    last_aside_->next = rest;
    return std::exchange(aside_, nullptr);
  }

  // What senders look at, then what the receiver does.
  std::unique_ptr<bound> bound_;
  std::atomic<bool> closed_{false};
  detail::mpsc_queue<queued> queue_;
  envelope* aside_ = nullptr;
  envelope* last_aside_ = nullptr; // of meaning only while aside_ is set
};

} // namespace otpp
