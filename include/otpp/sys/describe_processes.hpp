// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/one_line.hpp>
#include <otpp/sys/process_info.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// `"cache" (cache)`, or `cache#7`, as the library's errors name it.
inline std::string describe_briefly(const process_info& one) {
  std::string type = one_line(one.type);
  return one.names.empty() ? type + '#' + std::to_string(one.id)
                           : '"' + one_line(one.names.front()) + "\" (" + type + ')';
}

inline std::string describe_activity(const process_info& one, const std::vector<process_info>& all) {
  std::string text = one.current_message.empty() ? "waits" : "handles " + one_line(one.current_message);
  if (one.handling_for) {
    char seconds[40];
    std::snprintf(
        seconds, sizeof seconds, " for %.1f s", std::chrono::duration<double>(*one.handling_for).count());
    text += seconds;
  }
  std::string_view separator = ", needs ";
  for (std::uint64_t other : one.waits_for) {
    auto found =
        std::find_if(all.begin(), all.end(), [&](const process_info& each) { return each.id == other; });
    text += separator;
    text += found == all.end() ? '#' + std::to_string(other) : describe_briefly(*found);
    separator = " and ";
  }
  if (std::size_t queued = one.queue_length.value_or(0); queued != 0) {
    text += ", " + std::to_string(queued) + " in its mailbox";
  }
  return text;
}

} // namespace detail

/// Returns what lives, and what it does: a line for each process, the oldest first. OTP's `i/0`.
///
/// It answers what keeps a program from ending: a server that nobody stops, or whose handler does not return. Nothing
/// is asked of the processes, so that it shows one that is stuck, too. `otpp::run` prints it by itself when
/// `run_options::report_after` asks for it; other programs call it from a timer or a thread of their own.
///
/// @param most  How many processes at most, a line each; a last line says how many are left out.
///
/// @par Errors
/// std::bad_alloc.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Complexity
/// O(n log most) for n processes.
///
/// @par Example
/// @code
/// std::fputs(otpp::describe_processes().c_str(), stderr);
/// // "cache" (cache), child of #3: handles cache::load for 7.2 s, needs "db" (database), 4 in its mailbox
/// // worker#9: waits
/// @endcode
/// The seconds are known only of what has begun while it was counted (`otpp::counting`).
inline std::string describe_processes(std::size_t most = 100) {
  std::size_t number = 0;
  std::vector<process_info> oldest = top_processes(most, [&](const process_view& one) {
    ++number;
    return ~one.id();
  });
  std::string text;
  for (const process_info& one : oldest) {
    text += detail::describe_briefly(one);
    if (one.parent != 0) {
      text += ", child of #" + std::to_string(one.parent);
    }
    text += ": " + detail::describe_activity(one, oldest) + '\n';
  }
  if (number > oldest.size()) {
    text += "and " + std::to_string(number - oldest.size()) + " more\n";
  }
  return text;
}

} // namespace otpp

#pragma GCC visibility pop
