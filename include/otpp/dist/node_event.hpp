// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/exit_reason.hpp>
#include <otpp/message.hpp>

#include <cstdint>
#include <string>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// The message that a server gets when another node has connected, or a connection is lost: `node::events`. It is passed to
/// `handle_info(otpp::dist::node_event, State&)`. OTP's `nodeup` and `nodedown` of `net_kernel:monitor_nodes/2`.
struct node_event {
  /// What has happened.
  enum class kind : std::uint8_t {
    up,  ///< It is connected.
    down ///< The connection is lost.
  };

  std::string name;   ///< The other node.
  kind what{};        ///< Up or down.
  exit_reason reason; ///< Of down: why.
};

} // namespace otpp::dist

#pragma GCC visibility pop
