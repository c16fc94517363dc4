// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/util/intrusive_list.hpp>

#include <cstdint>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The open calls of a server: accepted and unanswered, with the server half owned by an otpp::caller.
//
// All functions are called under the lock of the server's context, because an otpp::caller may be used on any
// thread.
class open_calls {
 public:
  enum class held : std::uint8_t {
    by_nobody,   // the otpp::caller has answered: the slot may be destroyed
    by_loop,     // the otpp::caller was dropped: the loop owns the server half again
    by_somebody, // the otpp::caller is kept; if requested, `won` has the claim
  };

  // Called when a handler gets an otpp::caller for this slot.
  void open(reply_slot& slot) noexcept {
    list_.push_front(slot);
    handed_out_ = &slot;
    slot.hand_out();
  }

  // Called when the handler that got an otpp::caller has returned.
  held take_back(reply_slot& slot, bool answers, reply_slot::claim& won) noexcept {
    if (std::exchange(handed_out_, nullptr) == nullptr) {
      return held::by_nobody;
    }
    if (slot.is_owned_by_server) {
      list_.erase(slot);
      slot.is_owned_by_server = false;
      return held::by_loop;
    }
    if (answers) {
      won = slot.try_claim(); // under the lock, which the otpp::caller needs to release the slot
    }
    return held::by_somebody;
  }

  // Called when an otpp::caller is about to answer.
  void close(reply_slot& slot) noexcept {
    list_.erase_if_linked(slot);
    if (handed_out_ == &slot) {
      handed_out_ = nullptr;
    }
  }

  // Called when an otpp::caller is dropped. Returns false if the server itself will answer: it is ending and
  // reports why, or the handler that got the caller is still running.
  bool close_unanswered(reply_slot& slot, bool is_ending) noexcept {
    if (slot.is_open() && (is_ending || handed_out_ == &slot)) {
      slot.is_owned_by_server = true;
      return false;
    }
    list_.erase_if_linked(slot);
    return true;
  }

  // The calls that are open when the server ends.
  intrusive_list<reply_slot>& list() noexcept { return list_; }

 private:
  intrusive_list<reply_slot> list_;
  reply_slot* handed_out_ = nullptr; // the slot whose otpp::caller the running handler got
};

} // namespace otpp::detail

#pragma GCC visibility pop
