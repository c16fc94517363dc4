// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/exit_reason.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class envelope;
class exit_signals;

// An exit signal in transit. It ends a process that does not trap exits, without running `terminate`; a
// process that does trap exits gets it as a message, unless it is a kill.
//
// It is allocated in advance, so that the end of a process needs no memory. It is also a task of the
// receiving process, which wakes that process; a busy process sees it before its next message (exit_signals).
class pending_exit : public task {
 public:
  explicit pending_exit(exit_reason why) noexcept : reason(std::move(why)) {}

  exit_reason reason;
  bool is_kill = false;
  bool is_ahead = false; // as a message it is handled before what was sent earlier

  // Voids the signal, because its link was removed. Called by the receiving process.
  void make_void() noexcept { is_void_ = true; }

  // Returns true if the signal no longer has an effect.
  bool is_void() const noexcept { return is_void_ || link_is_disconnected(); }

  // Returns the id of the process that has sent it through a link, or zero.
  virtual std::uint64_t linked_from() const noexcept = 0;

  // Turns it into a message for a process that traps exits and has this parent; *this is destroyed.
  virtual envelope& to_message(std::uint64_t parent) noexcept = 0;

 protected:
  virtual bool link_is_disconnected() const noexcept = 0;

 private:
  friend class exit_signals;

  // Called by the process, in one of its steps.
  void run() final;
  void discard() noexcept final;

  server_core* to_ = nullptr;     // the process in whose mailbox it is
  exit_signals* in_ = nullptr;    // the list of the same process
  pending_exit* older_ = nullptr; // the entry below it on the stack
  bool is_void_ = false;
};

// The pending exit signals of a process. They form a lock-free stack: any thread pushes; only the process
// traverses it and unlinks the entries that it runs. The loop checks the stack before each message. As each
// entry is also a task, it wakes a process that sleeps, and reaches one whose handler waits, so that the
// handler is cancelled. unlink() may void an entry, so all of them are kept and the oldest valid one decides.
// After one has taken effect the stack is never traversed again, which keeps n signals O(n).
class exit_signals {
 public:
  // Any thread inside the context or its gate. Returns false if the process has ended; the caller then still
  // owns the signal.
  bool push(pending_exit& one, server_core& to, turn* here) noexcept {
    one.to_ = &to;
    one.in_ = this;
    one.older_ = newest_.load(std::memory_order_relaxed);
    while (!newest_.compare_exchange_weak(
        one.older_, &one, std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    return to.submit_inside(one, here);
  }

  // Returns the oldest valid signal, or null.
  pending_exit* oldest() const noexcept {
    pending_exit* oldest = nullptr;
    for (pending_exit* one = newest_.load(std::memory_order_acquire); one; one = one->older_) {
      oldest = one->is_void() ? oldest : one;
    }
    return oldest;
  }

  // Voids the signals that came through a link from `who`.
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

#pragma GCC visibility pop
