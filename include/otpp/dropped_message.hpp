// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/util/one_line.hpp>
#include <otpp/subscription.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp {

/// A message that a server does not handle: a cast or an info that was left when it ended, or any message that was dropped
/// because its mailbox was full. Erlang does not report the former, and has nothing like the latter.
///
/// It goes to those who `subscribe` to it; at an end, before the `crash_report` that has the number. What the library has put
/// into the mailbox, such as a `down` or the message of a timer, does not count. The sender of a call is told by an error;
/// here a call is reported only if it was dropped, which is so with `overflow::drop_newest` and
/// `overflow::drop_oldest`. What is destroyed with its context is not reported.
struct dropped_message {
  std::uint64_t id = 0;     ///< Of the server.
  std::string server;       ///< The name that it was started with, or `counter#7`.
  std::string_view message; ///< The type of the message.
  source_location where;    ///< Where it was sent from; line 0 if that is not known, as in `crash_report`.
  bool was_full = false;    ///< Its mailbox was full (`options::when_full`); else the server has ended.

  /// Returns the report as one line.
  std::string text() const {
    std::string line = "otpp: " + detail::one_line(server) +
                       (was_full ? ", whose mailbox is full, has dropped " : " has ended without handling ") +
                       std::string(message);
    if (where.line() != 0) {
      line += " from " + std::string(where.file_name()) + ":" + std::to_string(where.line());
    }
    return line;
  }
};

template <>
inline constexpr bool detail::is_report<dropped_message> = true;
template <>
inline constexpr bool detail::is_silent<dropped_message> = true;

} // namespace otpp

#pragma GCC visibility pop
