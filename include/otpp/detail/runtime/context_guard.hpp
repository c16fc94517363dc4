// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/waiter.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Keeps a context alive while this object lives, either because the current turn on this thread runs in it,
// or by holding its gate. Converts to false if the context has been destroyed.
class context_guard {
 public:
  explicit context_guard(context_state& context) noexcept : context_(context) {
    turn* here = turn::current();
    here_ = here && here->is_in(context) ? here : nullptr;
    is_inside_ = here_ || context.enter();
  }
  context_guard(const context_guard&) = delete;
  context_guard& operator=(const context_guard&) = delete;
  ~context_guard() {
    if (is_inside_ && !here_) {
      context_.leave();
    }
  }

  explicit operator bool() const noexcept { return is_inside_; }

  // Returns the turn that runs in the context; null if the guard holds the gate instead.
  turn* here() const noexcept { return here_; }

  // Registers a waiter in this context and calls `action` under the lock, before the deadline can expire.
  // Returns false if the context is being destroyed. The waiter may be destroyed when this returns.
  template <class Action>
  bool register_and(waiter& one, Action action) noexcept {
    return is_inside_ && context_.register_and(one, waiter::membership::none, action);
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

#pragma GCC visibility pop
