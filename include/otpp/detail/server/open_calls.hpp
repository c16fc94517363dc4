// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/reply_slot.hpp>

#include <cstdint>
#include <utility>

namespace otpp::detail {

// Slots that a server is to answer some time: those of open calls, and of those who wait for its end. All of it is
// called in the lock of the server's context.
class slot_list {
 public:
  reply_slot* first() const noexcept { return first_; }

  void add(reply_slot& slot) noexcept {
    slot.is_open = true;
    slot.before_open = nullptr;
    slot.next_open = first_;
    if (first_) {
      first_->before_open = &slot;
    }
    first_ = &slot;
  }

  void erase(reply_slot& slot) noexcept {
    slot.is_open = false;
    (slot.before_open ? slot.before_open->next_open : first_) = slot.next_open;
    if (slot.next_open) {
      slot.next_open->before_open = slot.before_open;
    }
  }

 private:
  reply_slot* first_ = nullptr;
};

// The open calls of a server: accepted, not answered, their server half an otpp::caller's.
//
// All of it is called in the lock of the server's context: an otpp::caller may be on any thread.
class open_calls {
 public:
  enum class held : std::uint8_t {
    by_nobody,   // the otpp::caller has answered: the slot may be gone
    by_loop,     // it was dropped: the server half is the loop's again
    by_somebody, // it is kept; if asked for, `won` has the decision
  };

  // A handler gets an otpp::caller for this slot.
  void open(reply_slot& slot) noexcept {
    list_.add(slot);
    handed_out_ = &slot;
    slot.hand_out();
  }

  // The handler that got an otpp::caller has returned.
  held take_back(reply_slot& slot, bool answers, reply_slot::claim& won) noexcept {
    if (std::exchange(handed_out_, nullptr) == nullptr) {
      return held::by_nobody;
    }
    if (slot.is_orphan) {
      list_.erase(slot);
      slot.is_orphan = false;
      return held::by_loop;
    }
    if (answers) {
      won = slot.try_claim(); // under the lock: whoever keeps the other half needs it to let go
    }
    return held::by_somebody;
  }

  // An otpp::caller is about to answer.
  void close(reply_slot& slot) noexcept {
    if (slot.is_open) {
      list_.erase(slot);
    }
    if (handed_out_ == &slot) {
      handed_out_ = nullptr;
    }
  }

  // An otpp::caller is dropped. False if the server will answer: it is ending and says why, or the
  // handler that got the caller is still at work.
  bool close_unanswered(reply_slot& slot, bool is_ending) noexcept {
    if (slot.is_open && (is_ending || handed_out_ == &slot)) {
      slot.is_orphan = true;
      return false;
    }
    if (slot.is_open) {
      list_.erase(slot);
    }
    return true;
  }

  // Those that are open when the server ends.
  slot_list& list() noexcept { return list_; }

 private:
  slot_list list_;
  reply_slot* handed_out_ = nullptr; // whose otpp::caller the handler got that runs now
};

} // namespace otpp::detail
