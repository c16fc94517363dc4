// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

#pragma GCC visibility push(default)

namespace otpp {

/// The statistics that `otpp::statistics` has collected (sys.hpp).
struct server_statistics {
  std::chrono::steady_clock::time_point since; ///< When counting began.
  std::uint64_t messages = 0;                  ///< Calls, casts, infos and timeouts that were handled.
  std::uint64_t replies = 0;                   ///< Calls that were answered by what their handler returned.
  std::size_t queue_length = 0;  ///< Messages that wait now; not the library's, nor those with priority.
  std::uint64_t dropped = 0;     ///< Messages that were dropped (`options::when_full`).
  std::uint64_t skipped = 0;     ///< Calls whose callers had given up (`options::skip_abandoned`).
  std::size_t longest_queue = 0; ///< The most that have waited at the same time.
  duration in_handlers{};        ///< In total, including the waits of coroutine handlers.
};

} // namespace otpp

#pragma GCC visibility pop
