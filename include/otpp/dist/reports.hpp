// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/one_line.hpp>
#include <otpp/subscription.hpp>

#include <string>

#pragma GCC visibility push(default)

namespace otpp {
namespace dist {

/// A message from another node that the process here does not take: its term fits no message on the list of the
/// server.
///
/// It goes to those who `subscribe` to it, and is counted in `node_statistics`. A call of this kind fails with
/// `bad_message` besides.
struct unknown_message {
  std::string node;    ///< This node.
  std::string peer;    ///< The node that has sent it.
  std::string process; ///< The name that was addressed, or the process' own: `"counter"`, `counter#7`.
  std::string kind;    ///< `"call"`, `"cast"` or `"info"`; `"group"`, whose name is no text: `share_groups`.
  std::string message; ///< The term as Erlang prints it, cut at 200 bytes.

  /// Returns the report as one line.
  std::string text() const {
    return "otpp: " + process + " of " + node + " does not take this " + kind + " from " + peer + ": " +
           detail::one_line(message);
  }
};

/// A connection with another node that was refused or is lost, or something else that is amiss with a node.
///
/// It goes to those who `subscribe` to it. While nobody does, it is printed on stderr, at most ten lines a second of a node; but
/// not that a peer has closed a connection, or was disconnected.
struct connection_report {
  std::string node; ///< This node.
  std::string peer; ///< The other's name; empty where it is not known, or nobody is meant.
  std::string what; ///< What has happened, and what to do.

  /// Returns the report as one line.
  std::string text() const {
    std::string line = "otpp: node " + node + ": ";
    if (what.find(peer) == std::string::npos) {
      line += "connection with " + detail::one_line(peer) + ": ";
    }
    return line + detail::one_line(what);
  }
};

} // namespace dist

template <>
inline constexpr bool detail::is_report<dist::unknown_message> = true;
template <>
inline constexpr bool detail::is_silent<dist::unknown_message> = true;
template <>
inline constexpr bool detail::is_report<dist::connection_report> = true;

} // namespace otpp

#pragma GCC visibility pop
