// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/timeout.hpp>

#include <atomic>
#include <cstdint>

namespace otpp::detail {

class context_state;
class lane;
class turn;

// Something on a context that waits for an answer from anywhere: it counts as work there, and may have
// a deadline.
//
// Where it is written down:
//   none      nowhere; whoever is about to answer it has it in hand
//   fresh     in the turn that started it, on this thread, unlocked (turn.hpp)
//   enrolled  in its context's room, under the room's lock
//   gone      it was answered while fresh, from another thread: the turn must not enroll it
// fresh -> enrolled and fresh -> gone are made under the room's lock; fresh -> none by the turn.
//
// Whether it is in the turn's own list is another fact: one that is gone still is, until the turn, which
// has the server half in hand, takes it out. Only the turn's thread looks at that.
class waiter : public deadline {
 public:
  enum class membership : std::uint8_t { none, fresh, enrolled, gone };

  // The context is going away: destroys what waits, if nobody has answered it.
  virtual void abandon_waiting() noexcept = 0;

  // For whoever has the server half: true if it is in the list of this thread's turn.
  bool is_listed_fresh() const noexcept { return is_listed_fresh_; }

  membership written_down() const noexcept { return membership_.load(std::memory_order_relaxed); }

  duration timeout = infinite;     // Counted from when it is enrolled.
  bool is_work = true;             // It keeps the context running, as any operation that is outstanding.
  const void* waits_for = nullptr; // The server that has it in hand while it is fresh.

 protected:
  ~waiter() override; // context_state.hpp

  lane* lane_ = nullptr; // where it is resumed

 private:
  friend class context_state;
  friend class turn;
  waiter* next_ = nullptr;
  waiter* before_ = nullptr;
  std::atomic<membership> membership_{membership::none};
  bool is_listed_fresh_ = false; // the turn's thread only
  bool holds_lane_ = false;      // since it was enrolled; until then the turn does
};

} // namespace otpp::detail
