// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/context_guard.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/any_io_executor.hpp>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Where a server is to run: the lane of an executor, which may be kept for as long as one likes. The executor
// may not, because it must not outlive its context; the lane gives it up when the context is destroyed, and
// its context_state then says so. Precondition: the context exists.
//
// A server that is started from inside another one runs beside it, not on its serial executor.
inline intrusive_ptr<lane> home_of(const asio::any_io_executor& executor) {
  if (const auto* serial = executor_target<serial_executor>(executor)) {
    return intrusive_ptr<lane>(serial->owner()->get_lane());
  }
  turn* here = turn::current();
  if (here && here->here().serves(executor)) {
    return intrusive_ptr<lane>(&here->here()); // the usual case: this thread is running on that lane
  }
  return context_state::of(executor)->lane_for(executor);
}

// Returns the executor of a lane; an empty one if its context has been destroyed.
inline asio::any_io_executor executor_of(const lane& home) noexcept {
  context_guard inside(home.context());
  return inside ? home.executor() : asio::any_io_executor();
}

} // namespace otpp::detail

#pragma GCC visibility pop
