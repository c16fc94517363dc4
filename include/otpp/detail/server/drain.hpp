// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/server/drain_plan.hpp>
#include <otpp/detail/server/open_calls.hpp>
#include <otpp/detail/server/owned_coroutine.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>

#include <cstddef>
#include <limits>
#include <mutex>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A server that drains (drain_plan.hpp): when it is drained, and what has it look.

// Nothing is queued, postponed, or stands in line for room, which only a full mailbox has; no call is unanswered, and no
// coroutine of the process is left. Tasks do not count: they resume what does, or what does not end with the process. What is
// held is looked at first, so that what is queued is not walked along before each message.
inline bool server_core::is_drained(const relations& its) noexcept {
  if (action_.kind != action_kind::none || has_postponed() || mailbox_.number_held() != 0 ||
      mailbox_.count_own_up_to((std::numeric_limits<std::size_t>::max)()) != 0) {
    return false;
  }
  std::lock_guard lock(context().mutex());
  return its.coroutines.empty() && calls_.list().empty();
}

// Called in a step of a process that drains, when a coroutine of it or an otpp::caller has gone.
inline void server_core::look_again() noexcept {
  if (waits_for_ == waits_for::message || waits_for_ == waits_for::system_message) {
    waits_for_ = waits_for::turn;
  }
}

inline void server_core::close(reply_slot& slot) noexcept {
  {
    std::lock_guard lock(context().mutex());
    calls_.close(slot);
  }
  look_if_it_drains();
}

inline bool server_core::close_unanswered(reply_slot& slot) noexcept {
  bool is_closed = false;
  {
    std::lock_guard lock(context().mutex());
    is_closed = calls_.close_unanswered(slot, life_ >= life::cancelling && life_ < life::ended);
  }
  if (is_closed) { // else the server answers, and may be gone already
    look_if_it_drains();
  }
  return is_closed;
}

inline void server_core::look_if_it_drains() const noexcept {
  if (relations* its = related(); its && its->is_draining()) [[unlikely]] {
    its->drains()->look();
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
