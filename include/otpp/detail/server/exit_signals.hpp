// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/exit_reason.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace otpp::detail {

class envelope;
class exit_signals;

// An exit signal on its way. A process that does not trap exits ends by it, without `terminate`; to one that
// does it is a message, but for a kill.
//
// It is made before it is needed, so that an end needs no memory. It is a task of the process that it is
// sent to, which wakes that one; a process that is at work sees it before its next message (exit_signals).
class pending_exit : public task {
 public:
  explicit pending_exit(exit_reason why) noexcept : reason(std::move(why)) {}

  exit_reason reason;
  bool is_kill = false;

  // Its link is cut: it has no effect any more. By the process that it is sent to.
  void make_void() noexcept { is_void_ = true; }

  // True if it has lost its meaning.
  bool is_void() const noexcept { return is_void_ || link_is_cut(); }

  // Returns who has sent it through a link, or zero.
  virtual std::uint64_t linked_from() const noexcept { return 0; }

  // Turns it into a message for a process that traps exits and has this parent; *this is gone.
  virtual envelope& to_message(std::uint64_t parent) noexcept = 0;

 protected:
  virtual bool link_is_cut() const noexcept { return false; }

 private:
  friend class exit_signals;

  // The process, in a step of it.
  void run() final;
  void discard() noexcept final;

  server_core* to_ = nullptr;     // in whose mailbox it is
  exit_signals* in_ = nullptr;    // the same process's
  pending_exit* older_ = nullptr; // taken before it, by the same
  bool is_void_ = false;
};

// The exit signals that are to end a process. One that comes is put on a stack: from then on the loop sees it
// before the next message; and as it is a task too, it wakes a process that sleeps and reaches one whose handler
// waits: that handler is cancelled. All that come are kept, as an `unlink` may still take the meaning from the first;
// the oldest that has one decides.
//
// Anybody pushes. Only the process itself follows the pointers, and takes out what it runs; once an exit signal ends it
// nobody follows them any more, and they are left as they are, so that any number of signals costs no more than each
// of them.
class exit_signals {
 public:
  // Any thread, inside the context or its gate. False if the process has ended: it is still the caller's.
  bool push(pending_exit& one, server_core& to, turn* here) noexcept {
    one.to_ = &to;
    one.in_ = this;
    one.older_ = newest_.load(std::memory_order_relaxed);
    while (!newest_.compare_exchange_weak(
        one.older_, &one, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    return to.submit_inside(one, here);
  }

  // Returns the oldest that has a meaning, or null.
  pending_exit* oldest() const noexcept {
    pending_exit* oldest = nullptr;
    for (pending_exit* one = newest_.load(std::memory_order_acquire); one; one = one->older_) {
      oldest = one->is_void() ? oldest : one;
    }
    return oldest;
  }

  // Takes the meaning from what has come through a link from `who`.
  void ignore_from(std::uint64_t who) noexcept {
    for (pending_exit* one = newest_.load(std::memory_order_acquire); one; one = one->older_) {
      if (one->linked_from() == who) {
        one->make_void();
      }
    }
  }

  void take_out(pending_exit& one) noexcept {
    pending_exit* above = &one;
    if (newest_.compare_exchange_strong(
            above, one.older_, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return;
    }
    while (above->older_ != &one) {
      above = above->older_;
    }
    above->older_ = one.older_;
  }

 private:
  std::atomic<pending_exit*> newest_{nullptr};
};

inline void pending_exit::run() {
  to_->apply_exit_signal(*this);
  discard();
}

inline void pending_exit::discard() noexcept {
  if (to_ && to_->follows_exit_signals()) {
    in_->take_out(*this);
  }
  delete this;
}

} // namespace otpp::detail
