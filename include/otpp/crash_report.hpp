// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/one_line.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/subscription.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Describes a server that ended with an unclean reason, or whose end, for whatever reason, has dropped casts and infos.
/// OTP's crash report; OTP drops messages without a word.
///
/// A message that was being sent at that very moment may be told of in a report of its own.
///
/// It goes to those who `subscribe` to it, before the end is reported to any process or caller; without any, it is one line
/// on stderr.
struct crash_report {
  std::string_view name;      ///< The name it was started with; empty if it has none.
  std::string_view callbacks; ///< The callbacks type.
  std::uint64_t id = 0;       ///< Unique in this program, never reused.
  exit_reason reason;         ///< Why it ended. If `terminate` failed, `previous()` is why that was called.
  std::string_view message;   ///< The type of the message it was handling; empty if none.
  source_location where;      ///< Where it was sent from, if it was made before and sent to an address in a
                              ///< variable, and the compiler knows; else line 0. try_cast and try_send
                              ///< to a server_ref do not tell.
  std::string_view caller; ///< The process that waits for the answer, as `pid::describe` shows it. Empty if
                           ///< no process does, or the handler took an `otpp::caller`.
  std::string_view state;  ///< The state before `terminate`, as `format_status` shows it, or that it threw;
                           ///< empty without a `format_status`.
  std::size_t dropped =
      0; ///< How many casts and infos were left in its mailbox. What the library has put there, such
         ///< as a `down` or the message of a timer, does not count.

  explicit crash_report(exit_reason why) : reason(std::move(why)) {}

  /// Returns the report as one line. Control characters are escaped, and long texts are cut.
  std::string text() const {
    using detail::one_line;
    std::string line = "otpp: server ";
    line += name.empty() ? "#" + std::to_string(id) : '"' + one_line(name) + '"';
    line += " (" + std::string(callbacks) + ") ended: " + one_line(detail::access::own_message(reason));
    if (reason.previous()) {
      line += " (while terminating: " + one_line(reason.previous()->message()) + ")";
    }
    if (!message.empty()) {
      line += "; it was handling " + std::string(message);
      if (where.line() != 0) {
        line += " from " + std::string(where.file_name()) + ":" + std::to_string(where.line());
      }
      if (!caller.empty()) {
        line += ", called by " + one_line(caller);
      }
    }
    if (!state.empty()) {
      line += "; its state: " + one_line(state);
    }
    if (dropped != 0) {
      line += "; " + std::to_string(dropped) + " casts and infos were dropped";
    }
    return line;
  }
};

template <>
inline constexpr bool detail::is_report<crash_report> = true;

} // namespace otpp

#pragma GCC visibility pop
