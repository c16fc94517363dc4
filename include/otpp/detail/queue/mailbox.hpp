// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/admission.hpp>
#include <otpp/detail/queue/bound.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mpsc_queue.hpp>
#include <otpp/detail/queue/task.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The channel between many senders and one process: messages and tasks, in order of arrival.
//
// A push says whether the receiver must be woken. Messages and tasks share one queue, so that a single word holds the whole
// state: whether a thread is running the process, and whether anything is queued. A message is received when the process
// asks for one; a task is run between two messages. While a handler waits, tasks run and messages do not: those that are
// dequeued in the meantime are put `aside`, and are received first afterwards.
//
// It is closed for messages in one step, which yields the messages left in it; tasks are accepted until it is barred. After
// its construction it never allocates, throws, or calls user code.
//
// With a limit, a sender that finds the mailbox full waits for room. Messages of the library take no place, and their
// senders never wait; but behind messages that wait for room they stand in the same line, because the same sender may
// have sent those. While messages wait, the mailbox is full, so that the receiver receives a message, which moves the
// line. The limit costs a mutex, which only a mailbox with a limit has. What else may become of a message that finds no
// room is in bound.hpp.
class mailbox {
 public:
  using result = admission::result;

  // Which thread pushes. The thread that is the receiver, or has claimed that role, needs no atomic
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

  // Before anything is sent: `notice` is a task that tells the receiver of messages beside the queue.
  using priority = bool (*)(const std::type_info&) noexcept;
  void prepare(overflow when_full, priority has_priority, task& notice);

  // Any thread: from now on push_ahead() may be called. May throw std::bad_alloc.
  void let_ahead(task& notice);

  // ---- any thread ----

  // Takes a message, or lets it wait for room.
  result push(envelope& item, by who = by::anyone) noexcept { return push(item, who, true); }

  // Takes a call that only the receiver knows, which this is. It must be known to others before one that may drop it sees it.
  result push_local(envelope& item) noexcept {
    if (bound* line = counter(); line && line->is_on.load(relaxed)) {
      return line->when_full == overflow::drop_oldest ? result::full
                                                      : push_within_limit(*line, item, by::receiver, true);
    }
    result why = admission_.refusal();
    return why == result::taken ? enqueue(item, by::receiver) : why;
  }

  // Takes out the oldest message that takes a place, if the mailbox is still full and drops the oldest; else returns null.
  envelope* take_oldest() noexcept;

  overflow when_full() const noexcept { return counter() ? counter()->when_full : overflow::wait; }
  void count_dropped() noexcept { counter()->dropped.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t dropped() const noexcept { return counter() ? counter()->dropped.load(relaxed) : 0; }
  std::uint64_t skipped() const noexcept { return counter() ? counter()->skipped.load(relaxed) : 0; }

  // Takes a message if there is room.
  result try_push(envelope& item, by who = by::anyone) noexcept { return push(item, who, false); }

  // Takes a message regardless of the limit.
  result push_library_message(envelope& item, by who = by::anyone) noexcept {
    item.is_of_library = true;
    if (bound* line = counter(); line && line->is_on.load(relaxed)) {
      return push_behind_line(*line, item, who);
    }
    return is_closed() ? result::closed : enqueue(item, who);
  }

  // Takes a message of the library regardless of the limit, ahead of what is queued.
  result push_ahead(envelope& item, by who = by::anyone) noexcept;
  // Takes a message that the receiver sends to itself, which a draining mailbox takes.
  result push_own(envelope& item, bool may_wait) noexcept {
    return push(item, by::receiver, may_wait, admission::phase::draining);
  }

  // Refuses what is sent from now on, unless it is of the library. Messages that wait for room keep their place.
  void drain() noexcept { admission_.drain(); }

  // Takes a task, even if closed for messages, but not if barred.
  result submit(task& item, by who = by::anyone) noexcept { return enqueue(item, who, 0); }

  op_storage& wake_storage() noexcept { return queue_.wake_storage; } // to wake the receiver
  // Makes the calling thread the receiver, if the receiver is parked.
  bool claim() noexcept { return queue_.claim(); }

  // Withdraws the message of this sender that waits for room. Returns null if it no longer waits.
  envelope* withdraw(const void* sender) noexcept {
    bound* line = counter();
    return line ? line->take_first([&](const envelope& item) { return item.sender() == sender; }) : nullptr;
  }

  bool is_closed() const noexcept { return admission_.is_closed(); }
  bool is_draining() const noexcept { return admission_.refusal() == result::draining; }

  struct lengths {
    std::size_t now = 0;
    std::size_t longest = 0;
  };

  // Returns how many messages that were sent by push are queued, if they are counted.
  std::optional<lengths> length() const noexcept;

  // Returns how many messages are queued, those of the library included, but not those that wait for room. May be stale.
  // At most O(most).
  std::size_t count_up_to(std::size_t most) const noexcept {
    return queue_.count_up_to(most) + number_beside();
  }

  // Returns true if nothing is queued and the receiver is parked; messages put aside do not count. The result
  // may be stale.
  bool is_parked() const noexcept { return queue_.is_parked(); }

  // ---- the receiver ----

  // Receives the next message. Returns null if there is none, or a task comes first. Inlined by force: g++ calls what
  // stands in two places, which costs a cast three percent.
  OTPP_INLINE envelope* pop() noexcept {
    envelope* item = aside_;
    if (item) {
      aside_ = item->next_envelope();
    } else {
      queued* first = queue_.front();
      if (!first || first->what() != queued::kind::message) {
        return nullptr;
      }
      item = static_cast<envelope*>(first);
      queue_.drop_front();
    }
    queue_.let_go();
    if (item->counted) {
      item->counted = false;
      admit_next();
    }
    return item;
  }

  // Returns true if pop() would return a message.
  bool has_message() noexcept {
    queued* first = nullptr;
    return aside_ || ((first = queue_.front()) != nullptr && first->what() == queued::kind::message);
  }

  // Returns true if pop_any() would return something.
  bool has_any() noexcept { return queue_.front() != nullptr; }

  // Receives the next message, skipping tasks. O(n) in the number of queued items.
  OTPP_NOINLINE envelope* pop_past_tasks() noexcept {
    if (envelope* item = pop_beside()) {
      return item;
    }
    put_all_aside();
    return pop();
  }

  // ---- messages beside the queue (bound.hpp) ----

  std::size_t number_beside() const noexcept {
    return counter() ? counter()->number_beside.load(relaxed) : 0;
  }

  // Receives the next of them, or the first that is `wanted`; returns null if there is none.
  envelope* pop_beside() noexcept {
    return take_beside([](const envelope&) { return true; });
  }
  template <class Wanted>
  envelope* take_beside(Wanted wanted, bool only_ahead = false) noexcept {
    if (number_beside() == 0) {
      return nullptr;
    }
    std::lock_guard lock(counter()->mutex);
    return counter()->take_beside(std::move(wanted), only_ahead);
  }

  // The notice has run, or has been discarded.
  void notice_is_over() noexcept {
    std::lock_guard lock(counter()->mutex);
    counter()->is_noticed = false;
  }

  // Puts the notice behind all tasks, unless it is queued or nothing is beside the queue. Returns true if it is queued.
  bool notice_again() noexcept;

  void count_skipped() noexcept { counter()->skipped.fetch_add(1, std::memory_order_relaxed); }

  // Receives the first message that is `wanted`, also a library message that stands in line. O(n) in what is queued.
  template <class Wanted>
  envelope* take_first(Wanted wanted) {
    if (envelope* item = take_beside(wanted, true)) {
      return item;
    }
    put_all_aside();
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
        queue_.let_go();
        if (std::exchange(at->counted, false)) {
          admit_next();
        }
        return at;
      }
    }
    if (envelope* item = take_beside(wanted)) {
      return item;
    }
    bound* line = counter();
    return line ? line->take_first([&](const envelope& item) { return item.needs_no_room && wanted(item); })
                : nullptr;
  }

  // Messages of the library may pass those that wait for room: for a receiver that takes them out of turn.
  using passing = bound::passing;
  void let_pass(passing which) noexcept {
    if (bound* line = counter()) {
      line->let_pass(which, [this](envelope& item) noexcept { enter(item); });
    }
  }

  // A counted message that was taken by pop_any() has been received.
  void free_place() noexcept { admit_next(); }

  // Starts counting messages, as a mailbox with a limit does, or stops. The count is exact except for messages that are being
  // sent meanwhile. O(n) in the number of queued items; may throw std::bad_alloc.
  void count(bool on);
  std::size_t limit() const noexcept { return counter() ? counter()->limit : 0; } // zero: none

  // Takes the first item, of either kind: for a receiver that cannot receive a message now.
  queued* pop_any() noexcept {
    queued* first = queue_.pop();
    if (first && first->counts()) {
      queue_.let_go();
    }
    return first;
  }

  // Keeps a message of pop_any() that cannot be received now.
  void put_aside(envelope& item) noexcept {
    queue_.hold();
    append_aside(item);
  }

  bool empty() const noexcept { return !aside_ && queue_.empty() && number_beside() == 0; }
  std::size_t count_own_up_to(std::size_t most) const noexcept {
    return queue_.count_own_up_to(most) + number_beside();
  }
  std::size_t number_held() const noexcept { return queue_.number_held() + number_beside(); }

  // Parks the receiver, unless something has arrived. The next push may run it: after true the process must not be touched.
  bool park() noexcept { return queue_.park(); }

  // Closes the mailbox for messages, and takes those that are in it: oldest first, followed by those that
  // wait for room.
  envelope* close() noexcept {
    bound* line = counter();
    if (!line) {
      admission_.close();
      return let_all_go();
    }
    std::lock_guard lock(line->mutex);
    admission_.close();
    return line->take_behind(let_all_go());
  }

  // Bars the mailbox for everything, and takes what is in it: tasks, and messages that came after it was closed.
  queued* bar() noexcept {
    queued* rest = queue_.bar();
    if (!aside_) {
      return rest;
    }
    last_aside_->next = rest;
    return std::exchange(aside_, nullptr);
  }

 private:
  result enqueue(queued& item, by who, std::uint32_t weight = 1) noexcept {
    switch (who == by::receiver ? queue_.push_owned(&item, weight) : queue_.push(&item)) {
      case push_result::queued: return result::taken;
      case push_result::woke: return result::woke;
      case push_result::refused: break;
    }
    return result::closed;
  }

  result push(envelope& item, by who, bool may_wait, admission::phase last = {}) noexcept {
    if (bound* line = counter(); line && line->is_on.load(std::memory_order_relaxed)) {
      return push_within_limit(*line, item, who, may_wait, last);
    }
    result why = admission_.refusal(last);
    return why == result::taken ? enqueue(item, who) : why;
  }

  result push_within_limit(
      bound& line, envelope& item, by who, bool may_wait, admission::phase last = {}) noexcept;
  result push_behind_line(bound& line, envelope& item, by who) noexcept;
  result put_beside(bound& line, intrusive_fifo<envelope>& list, envelope& item, by who) noexcept;
  bound& make_bound();

  // A message leaves the line. Called by the receiver.
  void enter(envelope& item) noexcept {
    item.needs_no_room = false;
    queue_.push_owned(&item, 1);
  }

  // A place has become free: the first waiting message that still wants it gets it. Those behind it that need none
  // come along.
  void admit_next() noexcept;

  envelope* let_all_go() noexcept {
    envelope* all = take_messages();
    queue_.let_all_go();
    return all;
  }

  void put_all_aside() noexcept {
    for (envelope* item = take_messages(); item;) {
      append_aside(*std::exchange(item, item->next_envelope()));
    }
  }

  void append_aside(envelope& item) noexcept {
    item.next = nullptr;
    if (aside_) {
      last_aside_->next = &item;
    } else {
      aside_ = &item;
    }
    last_aside_ = &item;
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
    put_all_aside();
    std::size_t number = 0;
    for (envelope* item = aside_; item; item = item->next_envelope(), ++number) {
      visit(*item);
    }
    return number;
  }

  static constexpr auto relaxed = std::memory_order_relaxed;

  bound* counter() const noexcept { return bound_.load(std::memory_order_acquire); }

  // What senders access comes first, then what the receiver accesses.
  std::atomic<bound*> bound_{nullptr}; // never reset once it is set
  admission admission_;
  mpsc_queue<queued> queue_;
  envelope* aside_ = nullptr;
  envelope* last_aside_ = nullptr; // valid only if aside_ is set
};

} // namespace otpp::detail

#pragma GCC visibility pop

#include <otpp/detail/queue/impl/mailbox.hpp>
