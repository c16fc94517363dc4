// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/spin_mutex.hpp>

#include <atomic>
#include <mutex>

namespace otpp::detail {

class reply_slot;

// What a process's handler waits for, if all of it is certain: one edge of the graph in which deadlock.hpp
// looks for rings. Of each process there is one.
//
// States of an edge:
//
//   none   no handler waits, or not for sure
//   set    the handler that runs now waits in this slot, and goes on when the slot is decided and run
//
// none -> set    by the handler's own call, in a step of its process, before the call is sent.
// set -> none    by the slot's caller half when it is run or discarded, whatever has decided it (an answer, a
//                timeout, a cancellation, the end of a context); or by the call itself, when it is refused.
//
// That the handler itself waits, and not a coroutine that it has started, is seen by the cancellation slot of
// what is to be resumed: each of Asio's chains of coroutines has its own. A call inside `a || b`, a
// `co_spawn`, or a `cancel_after` has another than the handler's: it sets no edge, since the handler may go on
// without it. After `reset_cancellation_state()` in a handler the slot may be another, and then there is no
// edge until the next message.
//
// Other threads follow an edge only in a `look`. What they follow must not be freed meanwhile: whoever clears
// an edge stores null and then asks whether somebody is looking; whoever looks says so, and then loads. All
// four are sequentially consistent, so that either the one who looks finds null, or the one who clears
// finds that somebody looks, and passes through the mutex before it frees anything. So an edge costs two
// such stores and a load, and a mutex only while somebody looks.
class wait_edge {
 public:
  // Each who looks does so alone.
  class look {
   public:
    look() noexcept : lock_(mutex_) { is_anybody_looking_.store(true, std::memory_order_seq_cst); }
    look(const look&) = delete;
    look& operator=(const look&) = delete;
    ~look() { is_anybody_looking_.store(false, std::memory_order_seq_cst); }

   private:
    std::lock_guard<spin_mutex> lock_;
  };

  void set(reply_slot& slot) noexcept { slot_.store(&slot, std::memory_order_seq_cst); }

  // The slot, if one is set. Without a `look` it may be gone already, and only says whether to look.
  reply_slot* slot() const noexcept { return slot_.load(std::memory_order_seq_cst); }

  void clear() noexcept {
    slot_.store(nullptr, std::memory_order_seq_cst);
    if (is_anybody_looking_.load(std::memory_order_seq_cst)) {
      std::lock_guard wait(mutex_);
    }
  }

  // As clear(), by the one who looks.
  void clear_in(const look&) noexcept { slot_.store(nullptr, std::memory_order_seq_cst); }

 private:
  static inline spin_mutex mutex_;
  static inline std::atomic<bool> is_anybody_looking_{false};

  std::atomic<reply_slot*> slot_{nullptr};
};

} // namespace otpp::detail
