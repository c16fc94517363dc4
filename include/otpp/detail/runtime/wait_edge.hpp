// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/spin_mutex.hpp>

#include <atomic>
#include <mutex>

#pragma GCC visibility push(default)

namespace otpp::detail {

class process;
class reply_slot;

// Gets from a slot, by `reply_slot::visit_awaited`, each server for which that waits, or null, and whether only the loop
// of that server can answer, and has not. That function returns true if there are several servers, and the answer of any
// one is enough. Any thread that looks may call it.
class awaited_visitor {
 public:
  virtual void operator()(const intrusive_ptr<process>& server, bool is_sure) noexcept = 0;

  // The only one.
  bool one(const intrusive_ptr<process>& server, bool is_sure) noexcept {
    (*this)(server, is_sure);
    return false;
  }

 protected:
  ~awaited_visitor() = default;
};

// What the running handler of a process waits for, if it certainly waits for it: one edge of the wait-for
// graph in which deadlock.hpp looks for cycles. Each process has one.
//
// States of an edge:
//
//   none   no handler waits, or it is not certain that it does
//   set    the running handler waits in this slot, and continues once the slot is decided and run
//
//   none -> set    by the handler's own call, before the call is sent; in a step of its process, unless the
//                  handler has gone on on another executor.
//   set -> none    by the slot's caller half when the slot is run or discarded, whatever decided it (an
//                  answer, a timeout, a cancellation, the end of a context); or by a call that is refused.
//
// The cancellation slot of the completion handler tells whether the handler itself waits, or a coroutine that
// it has started: each of Asio's coroutine chains has a slot of its own. A call inside `a || b`, a `co_spawn`
// or a `cancel_after` has a different slot and sets no edge, since the handler may continue without it. After
// `reset_cancellation_state()` in a handler the slot may differ, and the handler sets no edge until the next
// message.
//
// Other threads follow an edge only while they hold a `look`, and a slot that they may be reading must not be
// freed. The thread that clears an edge stores null and then checks whether another thread looks; the looking
// thread announces itself and then loads the edge. All four operations are sequentially consistent. So either
// the looking thread reads null, or the clearing thread sees it and passes through the mutex before it frees
// anything. An edge therefore costs two such stores and a load, and a mutex only while a thread looks.
class wait_edge {
 public:
  // Permission to follow edges. Only one thread has it at a time.
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

  // Returns the slot if one is set. Without a `look` the slot may already be freed; use the result only to
  // decide whether to look.
  reply_slot* slot() const noexcept { return slot_.load(std::memory_order_seq_cst); }

  void clear() noexcept {
    slot_.store(nullptr, std::memory_order_seq_cst);
    if (is_anybody_looking_.load(std::memory_order_seq_cst)) {
      std::lock_guard wait(mutex_);
    }
  }

  // Like clear(), for the thread that holds the `look`.
  void clear_in(const look&) noexcept { slot_.store(nullptr, std::memory_order_seq_cst); }

 private:
  static inline spin_mutex mutex_;
  static inline std::atomic<bool> is_anybody_looking_{false};

  std::atomic<reply_slot*> slot_{nullptr};
};

} // namespace otpp::detail

#pragma GCC visibility pop
