// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <cstdint>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// What has happened at a node since it was opened: `node::statistics`.
struct node_statistics {
  std::size_t peers = 0;      ///< Nodes that are connected now.
  std::uint64_t received = 0; ///< Frames that have come from peers, without ticks and handshakes.
  std::uint64_t sent = 0;     ///< Frames that were given to connections, likewise.
  std::uint64_t unknown = 0;  ///< Messages that fit none that their process takes (`unknown_message`).
  std::uint64_t dropped = 0;  ///< Casts and plain messages for nobody, or for a full mailbox.
  std::uint64_t refused =
      0; ///< Connections that were not made: a wrong cookie, a handshake that took too long, and so on.
};

} // namespace otpp::dist

#pragma GCC visibility pop
