// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mpsc_queue.hpp>
#include <otpp/detail/queue/task.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

namespace otpp::detail {

// The channel between many senders and one process: messages and tasks, in the order in which they came.
//
// A push says whether the receiver must be woken. There is one queue for both, because then one word
// says all there is to know: whether somebody runs the process, and whether there is anything for it. A
// message is received when the process asks for one; a task is run between two messages. While a handler
// waits, its tasks run and messages do not: those that come up in the meantime are put `aside`, and are
// the first to be received afterwards.
//
// It is closed for messages in one step, which yields those that were left in it; tasks go on until it
// is barred. It never allocates, throws, or calls user code once it is made.
//
// With a limit, a sender that finds it full waits in line; library messages take no place and never
// wait. The limit costs a mutex, and only a mailbox that has one pays for it.
class mailbox {
 public:
  enum class result {
    taken,
    woke,    // taken, and the caller of push must wake the receiver
    full,    // not taken: try_push found no room
    waiting, // not taken yet: it stands in line, and `admitted` will be called
    closed,  // not taken: the server has ended
  };

  // Whose thread pushes. The receiver's own, or one that has claimed its place, pays for no atomic
  // operation.
  enum class by { anyone, receiver };

  // `limit` counts messages; zero means none.
  explicit mailbox(std::size_t limit) : queue_(false) {
    if (limit != 0) {
      bound_ = new bound(limit);
    }
  }
  mailbox(const mailbox&) = delete;
  mailbox& operator=(const mailbox&) = delete;
  ~mailbox() { delete counter(); }

  // ---- any thread ----

  // Takes a message, or puts it in line where there is no room.
  result push(envelope& item, by who = by::anyone) noexcept { return push(item, who, true); }

  // Takes a message if there is room.
  result try_push(envelope& item, by who = by::anyone) noexcept { return push(item, who, false); }

  // Takes a message whatever the limit says.
  result push_library_message(envelope& item, by who = by::anyone) noexcept {
    return is_closed() ? result::closed : enqueue(item, who);
  }

  // Takes a task, also when it is closed for messages; not when it is barred.
  result submit(task& item, by who = by::anyone) noexcept { return enqueue(item, who); }

  // Memory for the one who has to wake the receiver.
  op_storage& wake_storage() noexcept { return queue_.wake_storage; }

  // Takes the place of a receiver that sleeps.
  bool claim() noexcept { return queue_.claim(); }

  // Takes what this sender has put in line out of it again. Null if it stands there no more.
  envelope* withdraw(const void* sender) noexcept {
    bound* line = counter();
    if (!line) {
      return nullptr;
    }
    std::lock_guard lock(line->mutex);
    envelope* before = nullptr;
    for (envelope* at = line->first; at; before = std::exchange(at, at->next_envelope())) {
      if (at->sender() == sender) {
        if (before) {
          before->next = at->next;
        } else {
          line->first = at->next_envelope();
        }
        if (line->last == at) {
          line->last = before;
        }
        return at;
      }
    }
    return nullptr;
  }

  bool is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  struct lengths {
    std::size_t now = 0;
    std::size_t longest = 0;
  };

  // Returns how many messages are in it that were sent by push, if they are counted.
  std::optional<lengths> length() const noexcept {
    bound* counts = counter();
    if (!counts || !counts->is_on.load(std::memory_order_relaxed)) {
      return std::nullopt;
    }
    std::lock_guard lock(counts->mutex);
    return lengths{counts->count, counts->longest};
  }

  // True if nothing is in it and its receiver sleeps, unless that has put something aside. True of the past
  // only.
  bool is_parked() const noexcept { return queue_.is_parked(); }

  // ---- the receiver ----

  // Receives the next message. Null if there is none, or a task comes first.
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
      item->counted = false;
      admit_next();
    }
    return item;
  }

  // True if pop() would yield a message.
  bool has_message() noexcept {
    queued* first = nullptr;
    return aside_ || ((first = queue_.front()) != nullptr && first->what() == queued::kind::message);
  }

  // Receives the next message, also from behind tasks. In the time of all that is queued.
  envelope* pop_past_tasks() noexcept {
    for (envelope* item = take_messages(); item;) {
      put_aside(*std::exchange(item, item->next_envelope()));
    }
    return pop();
  }

  // Receives the first message that `wanted` lets pass, wherever it stands. In the time of all that is
  // queued.
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
        if (std::exchange(at->counted, false)) {
          admit_next();
        }
        return at;
      }
    }
    return nullptr;
  }

  // Counts the messages from now on, as a mailbox with a limit does, or stops that. Exact from then on, but
  // for those that are being sent at this moment. In the time of all that is queued; may throw
  // std::bad_alloc.
  void count(bool on) {
    bound* counts = counter();
    if (!counts && on) {
      counts = new bound(0);
      counts->is_on.store(false, std::memory_order_relaxed);
      bound_.store(counts, std::memory_order_release);
    }
    if (!counts || (counts->limit != 0 && !on)) {
      return;
    }
    std::lock_guard lock(counts->mutex);
    counts->is_on.store(on, std::memory_order_relaxed);
    if (on && counts->limit == 0) {
      counts->count = queued_messages([](envelope& item) { item.counted = true; });
    }
    counts->longest = counts->count;
  }

  // Returns how many messages are in it, also those of the library. In the time of all that is queued.
  std::size_t count_all() noexcept {
    return queued_messages([](const envelope&) {});
  }

  // Takes what comes first, of either kind: for a receiver that cannot receive a message now.
  queued* pop_any() noexcept { return queue_.pop(); }

  // Keeps a message that cannot be received now.
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

  // Puts the receiver to sleep. False if something has come. Whoever pushes next wakes it, or claims its
  // place, so that nothing of the process may be touched after a true.
  bool park() noexcept { return queue_.park(); }

  // Closes it for messages and takes those that are in it, oldest first, those that wait in line last.
  envelope* close() noexcept {
    bound* line = counter();
    if (!line) {
      closed_.store(true, std::memory_order_release);
      return take_messages();
    }
    std::lock_guard lock(line->mutex);
    closed_.store(true, std::memory_order_release);
    envelope* rest = take_messages();
    envelope* waiting = std::exchange(line->first, nullptr);
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

  // Bars it for everything and takes what is in it. Nobody may be pushing any more.
  leftovers bar() noexcept {
    envelope* messages = take_messages();
    return {task_list(static_cast<task*>(queue_.bar())), messages};
  }

 private:
  struct bound {
    explicit bound(std::size_t most) noexcept : limit(most) {}

    std::mutex mutex;
    std::atomic<bool> is_on{true}; // always, if there is a limit
    const std::size_t limit;       // zero: it only counts
    std::size_t count = 0;
    std::size_t longest = 0;
    envelope* first = nullptr; // waiting for room
    envelope* last = nullptr;
  };

  result enqueue(queued& item, by who) noexcept {
    switch (who == by::receiver ? queue_.push_owned(&item) : queue_.push(&item)) {
      case push_result::queued: return result::taken;
      case push_result::woke: return result::woke;
      case push_result::refused: break;
    }
    return result::closed;
  }

  result push(envelope& item, by who, bool may_wait) noexcept {
    if (bound* line = counter(); line && line->is_on.load(std::memory_order_relaxed)) {
      return push_within_limit(*line, item, who, may_wait);
    }
    return is_closed() ? result::closed : enqueue(item, who);
  }

  OTPP_NOINLINE result push_within_limit(bound& line, envelope& item, by who, bool may_wait) noexcept {
    std::lock_guard lock(line.mutex);
    if (is_closed()) {
      return result::closed;
    }
    if (line.count < line.limit || line.limit == 0) {
      line.longest = (std::max)(line.longest, ++line.count);
      item.counted = true;
      return enqueue(item, who);
    }
    if (!may_wait) {
      return result::full;
    }
    item.put_in_line();
    item.next = nullptr;
    if (line.first) {
      line.last->next = &item;
    } else {
      line.first = &item;
    }
    line.last = &item;
    return result::waiting;
  }

  // One place has become free: the first in line that still wants it gets it.
  OTPP_NOINLINE void admit_next() noexcept {
    envelope* given_up = nullptr;
    envelope* next = nullptr;
    bound& line = *counter();
    {
      std::lock_guard lock(line.mutex);
      --line.count;
      while (!next && line.first) {
        envelope* item = std::exchange(line.first, line.first->next_envelope());
        if (item->expired()) {
          item->next = std::exchange(given_up, item);
          continue;
        }
        next = item;
      }
      if (next) {
        ++line.count;
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

  template <class Visit>
  std::size_t queued_messages(Visit visit) noexcept {
    for (envelope* item = take_messages(); item;) {
      put_aside(*std::exchange(item, item->next_envelope()));
    }
    std::size_t number = 0;
    for (envelope* item = aside_; item; item = item->next_envelope()) {
      visit(*item);
      ++number;
    }
    return number;
  }

  bound* counter() const noexcept { return bound_.load(std::memory_order_acquire); }

  // What senders look at, then what the receiver does.
  std::atomic<bound*> bound_{nullptr}; // once it is made, it stays
  std::atomic<bool> closed_{false};
  mpsc_queue<queued> queue_;
  envelope* aside_ = nullptr;
  envelope* last_aside_ = nullptr; // of meaning only while aside_ is set
};

} // namespace otpp::detail
