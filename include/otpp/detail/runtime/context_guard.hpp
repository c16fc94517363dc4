// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/waiter.hpp>

#include <utility>

namespace otpp::detail {

// Inside a context for as long as this lives, by the turn on this thread or else by the room's gate; or
// not, if the context is gone.
class context_guard {
 public:
  explicit context_guard(context_state& room) noexcept : context_(room) {
    turn* here = turn::current();
    here_ = here && here->is_in(room) ? here : nullptr;
    is_inside_ = here_ || room.enter();
  }
  context_guard(const context_guard&) = delete;
  context_guard& operator=(const context_guard&) = delete;
  ~context_guard() {
    if (is_inside_ && !here_) {
      context_.leave();
    }
  }

  explicit operator bool() const noexcept { return is_inside_; }

  // Returns the turn by which it is inside; null if that is the gate.
  turn* here() const noexcept { return here_; }

  // Registers one who waits in this context, and calls `action` under the lock, before its deadline can expire.
  // False if the context is going. Afterwards `one` may be gone.
  template <class Action>
  bool register_and(waiter& one, Action action) noexcept {
    return is_inside_ && context_.enroll_and(one, waiter::membership::none, action);
  }
  bool register_wait(waiter& one) noexcept {
    return register_and(one, [] {});
  }

 private:
  context_state& context_;
  turn* here_ = nullptr;
  bool is_inside_ = false;
};

} // namespace otpp::detail
