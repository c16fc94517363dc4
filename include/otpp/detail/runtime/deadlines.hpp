// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/memory/op_storage.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>

#include <asio/steady_timer.hpp>

#include <optional>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The deadlines of what waits on one lane, and their one timer. The context's lock guards all of it.
//
// They belong to a lane and not to its context, because a lane may be a strand: a handler that computes there
// holds up the timeouts of those who wait on that strand, who could not be resumed anyway, and nobody else's.
//
// The timer is updated by a posted sweep rather than by each call, so that a call that is answered before the
// sweep runs never touches it.
struct deadlines {
  // Returns true if the timer is to be armed for this time.
  bool is_first(deadline::time_point at) const noexcept { return !is_armed || at < armed_for; }

  deadline_heap heap;
  std::optional<asio::steady_timer> timer;
  deadline::time_point armed_for;
  bool is_armed = false;
  bool sweep_posted = false;
  op_storage sweep_storage;
};

} // namespace otpp::detail

#pragma GCC visibility pop
