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

/// A cast or a plain message that a server had taken and has not handled, because it ended. Erlang does not
/// report these.
///
/// It goes to those who `subscribe` to it, before the `crash_report` that has the number. What the library has put into
/// the mailbox, such as a `down` or the message of a timer, does not count; the sender of a call is told. What is
/// destroyed with its context is not reported.
struct dropped_message {
  std::uint64_t id = 0;     ///< Of the server.
  std::string server;       ///< The name that it was started with, or `counter#7`.
  std::string_view message; ///< The type of the message.
  source_location where;    ///< Where it was sent from; line 0 if that is not known, as in `crash_report`.

  /// Returns the report as one line.
  std::string text() const {
    std::string line =
        "otpp: " + detail::one_line(server) + " has ended without handling " + std::string(message);
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
