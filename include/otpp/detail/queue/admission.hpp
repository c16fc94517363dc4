// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/error.hpp>

#include <atomic>
#include <cstdint>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Whether a mailbox takes messages: of anybody, only those of the library and of the process itself, or none. Any thread.
class admission {
 public:
  enum class phase : std::uint8_t { open, draining, closed };

  // What becomes of a message that is pushed.
  enum class result {
    taken,
    woke,     // taken, and the caller of push must wake the receiver
    waiting,  // not taken yet: it waits for room, and `admitted` will be called
    full,     // not taken, as the following: there is no room, and it must not wait
    dropped,  // its sender is to drop it; not returned by the mailbox
    closed,   // the server has ended
    draining, // the server takes nothing new
  };
  static bool is_refusal(result r) noexcept { return r >= result::closed; }

  // What the sender hears of a message that was not taken.
  static errc error_of(result why) noexcept {
    return why == result::draining ? errc::draining
           : why == result::closed ? errc::no_process
                                   : errc::mailbox_full;
  }

  bool is_closed() const noexcept { return phase_.load(std::memory_order_acquire) == phase::closed; }

  // Returns why a message is refused that is taken up to the phase `last`; `taken` if it is not refused.
  result refusal(phase last = phase::open) const noexcept {
    phase now = phase_.load(std::memory_order_acquire);
    return now <= last ? result::taken : now == phase::closed ? result::closed : result::draining;
  }

  void drain() noexcept {
    phase expected = phase::open;
    phase_.compare_exchange_strong(
        expected, phase::draining, std::memory_order_acq_rel, std::memory_order_acquire);
  }
  void close() noexcept { phase_.store(phase::closed, std::memory_order_release); }

 private:
  std::atomic<phase> phase_{phase::open};
};

} // namespace otpp::detail

#pragma GCC visibility pop
