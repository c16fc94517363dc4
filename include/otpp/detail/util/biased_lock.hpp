// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/membarrier.hpp>

#include <atomic>
#include <thread>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A lock that costs the one thread that owns it next to nothing, and the others a system call.
//
// The owner raises `held_` and then looks at `wanted_`; another thread raises `wanted_` and then looks at `held_`.
// One of the two sees the other, provided that neither load overtakes the store before it. Where there is a
// membarrier, the other thread makes sure of that for both, so that the owner needs no fence; elsewhere both use
// sequentially consistent operations.
//
// The other thread only tries, and gives up if the owner holds the lock. The owner waits while the other thread
// has it, which therefore must not wait for anything that the owner may hold.
class biased_lock {
 public:
  // Must have returned true before the first lock().
  static bool is_supported() noexcept { return !membarrier::is_there || membarrier::enlist(); }

  // ---- the owner ----

  // May be nested.
  void lock() noexcept {
    int outer = held_.load(std::memory_order_relaxed);
    held_.store(outer + 1, stores);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    while (wanted_.load(loads)) [[unlikely]] {
      if (outer != 0) {
        return; // the other thread will not get it
      }
      std::this_thread::yield();
    }
  }

  void unlock() noexcept {
    held_.store(held_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  }

  // ---- one other thread at a time ----

  bool try_take() noexcept {
    wanted_.store(true, std::memory_order_seq_cst);
    if (membarrier::issue() && held_.load(std::memory_order_seq_cst) == 0) {
      return true;
    }
    give_back();
    return false;
  }

  void give_back() noexcept { wanted_.store(false, std::memory_order_release); }

 private:
  static constexpr std::memory_order stores =
      membarrier::is_there ? std::memory_order_relaxed : std::memory_order_seq_cst;
  static constexpr std::memory_order loads =
      membarrier::is_there ? std::memory_order_acquire : std::memory_order_seq_cst;

  std::atomic<int> held_{0}; // how often; written by the owner only
  std::atomic<bool> wanted_{false};
};

} // namespace otpp::detail

#pragma GCC visibility pop
