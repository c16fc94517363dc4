// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/timeout.hpp>

#include <atomic>
#include <cstdint>

#pragma GCC visibility push(default)

namespace otpp::detail {

class context_state;
class lane;
class turn;
class watchdog;

// An operation that waits on a context for an answer from any thread. It counts as outstanding work there,
// and may have a deadline.
//
// Who tracks it:
//   none        nobody; the thread that owns the server half is about to answer it
//   turn_local  the turn that started it, on this thread and without a lock (turn.hpp)
//   registered  its context, under the context's lock
//   gone        nobody any more; one that another thread has answered while it was turn-local must not be
//               registered
// turn_local -> registered, turn_local -> gone and registered -> gone happen under the context's lock;
// turn_local -> none is done by the turn.
//
// Whether it is on the turn's list is a separate fact: a waiter that is gone stays on that list until the
// turn, which owns the server half, takes it off. Only the turn's thread reads that flag. The watchdog may register the
// wait, and clears the flag, while that thread has no access to the turn (turn::access).
class waiter : public deadline {
 public:
  enum class membership : std::uint8_t { none, turn_local, registered, gone };

  // Called when the context is destroyed: destroys the operation, unless it has been answered.
  virtual void on_context_destroyed() noexcept = 0;

  // Called under the lock of a full mailbox, in whose line the sender that waits here is about to stand. Returns false
  // if it must not.
  virtual bool may_wait_for_room() noexcept { return true; }

  // Returns true if it is on the list of this thread's turn. Called by the owner of the server half only.
  bool is_turn_local() const noexcept { return is_turn_local_.load(std::memory_order_relaxed); }

  membership get_membership() const noexcept { return membership_.load(std::memory_order_relaxed); }

  duration timeout = infinite;     // counted from when it is registered
  bool is_work = true;             // counts as outstanding work
  const void* waits_for = nullptr; // the server that is to answer it, while it is turn-local

 protected:
  ~waiter() override; // context_state.hpp

  lane* lane_ = nullptr; // where it is resumed

 private:
  friend class context_state;
  friend class turn;
  friend class watchdog;
  friend intrusive_list<waiter>;
  list_hook<waiter> hook_; // on the list of its turn, or of its context
  std::atomic<membership> membership_{membership::none};
  std::atomic<bool> is_turn_local_{false}; // changed only by whoever has access to the turn
  bool holds_lane_ = false;                // since it was registered; until then the turn holds the lane
};

} // namespace otpp::detail

#pragma GCC visibility pop
