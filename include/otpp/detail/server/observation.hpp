// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/sys/server_statistics.hpp>
#include <otpp/sys/trace_event.hpp>

#include <chrono>
#include <functional>
#include <string_view>

namespace otpp::detail {

using type_namer = std::string_view (*)() noexcept;

// Of a process that is not asleep, and in no handler either.
inline std::string_view no_message() noexcept { return {}; }

// What watches one server: made when somebody first asks for it. It belongs to the server's own executor.
struct observation {
  using time_point = std::chrono::steady_clock::time_point;

  // False if it changes nothing, so that the server need not look at it.
  bool is_of_use() const noexcept { return is_suspended || counts || hook; }

  bool is_suspended = false; // user messages stay where they are
  bool counts = false;
  server_statistics counted;
  std::function<void(const trace_event&)> hook;
  time_point handler_began{}; // while one runs, and its time is taken
};

} // namespace otpp::detail
