// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <atomic>
#include <cstdint>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The state of one slot in one word: who has decided it, and which of its two halves have been released.
//
// server half   owned by what may answer: a mailbox, the server's loop, an otpp::caller, a set, a registry
// caller half   owned by the list in which the caller waits, then by the queue that resumes it
//
// event        from                 to
// decide(by)   undecided            decided by `by`
// decide(by)   decided              unchanged: the event is refused, and the first decision stands
// release(half)  half not released    half released; the event that releases the second half frees the slot
//
// A half may be released undecided: the server half of a slot whose otpp::caller was dropped after the
// server's end.
class slot_state {
 public:
  using word = std::uint8_t;
  enum class decision : word { nobody, server_half, timeout, cancellation, context_destroyed };
  enum class half : word { server = 8, caller = 16 };

  static constexpr word decisions = 7;
  static constexpr word all_done = 8 | 16;

  // The transition table. A refused event returns the word unchanged.
  static constexpr word advance(word from, decision by) noexcept {
    return (from & decisions) != 0 ? from : static_cast<word>(from | static_cast<word>(by));
  }
  static constexpr word advance(word from, half done) noexcept {
    return static_cast<word>(from | static_cast<word>(done));
  }

  bool is_decided() const noexcept { return (word_.load(std::memory_order_acquire) & decisions) != 0; }

  decision decided_by() const noexcept {
    return static_cast<decision>(word_.load(std::memory_order_acquire) & decisions);
  }

  // Returns true for the one event that decides: its thread may write the answer, and delivers it.
  bool decide(decision by) noexcept {
    word was = word_.load(std::memory_order_acquire);
    while (advance(was, by) != was) {
      if (word_.compare_exchange_weak(
              was, advance(was, by), std::memory_order_acq_rel, std::memory_order_acquire)) {
        return true;
      }
    }
    return false;
  }

  // Returns true for the last half: the slot must be freed.
  bool release(half done) noexcept {
    // If the other half is released no other thread reads the word, so it need not be written.
    return advance(word_.load(std::memory_order_acquire), done) >= all_done ||
           advance(word_.fetch_or(static_cast<word>(done), std::memory_order_acq_rel), done) >= all_done;
  }

  // The server half answers and is released. Precondition: no other thread knows of the slot.
  void answer_alone() noexcept {
    word_.store(advance(advance(0, decision::server_half), half::server), std::memory_order_relaxed);
  }

  // Releases the server half, which has decided. Precondition: this thread has yet to resume the caller, and
  // no other thread changes the word before that.
  void release_before_caller() noexcept {
    word_.store(advance(word_.load(std::memory_order_relaxed), half::server), std::memory_order_relaxed);
  }

 private:
  std::atomic<word> word_{0};
};

} // namespace otpp::detail

#pragma GCC visibility pop
