// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace otpp {

/// What `otpp::statistics` has counted (sys.hpp).
struct server_statistics {
  std::chrono::steady_clock::time_point since; ///< When counting began.
  std::uint64_t messages = 0;                  ///< Calls, casts, infos and timeouts that were handled.
  std::uint64_t replies = 0;                   ///< Calls that were answered by what their handler returned.
  std::size_t queue_length = 0;                ///< Messages that wait now; without those of the library.
  std::size_t longest_queue = 0;               ///< The most that have waited at once.
  duration in_handlers{};                      ///< In all; with what coroutine handlers have waited for.
};

} // namespace otpp
