// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/sys/trace_event.hpp>
#include <otpp/timeout.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

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

namespace detail {

using type_namer = std::string_view (*)() noexcept;

// Of a process that is not asleep, and in no handler either.
inline std::string_view no_message() noexcept { return {}; }

} // namespace detail

/// What watches one server: made when somebody first asks for it. It belongs to the server's own executor.
struct observation {
  using time_point = std::chrono::steady_clock::time_point;

  /// False if it changes nothing, so that the server need not look at it.
  bool is_of_use() const noexcept { return is_suspended || counts || hook; }

  bool is_suspended = false; // user messages stay where they are
  bool counts = false;
  server_statistics counted;
  std::function<void(const trace_event&)> hook;
  time_point handler_began{}; // while one runs, and its time is taken
};

} // namespace otpp
