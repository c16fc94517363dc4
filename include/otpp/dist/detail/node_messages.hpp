// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/handshake.hpp>

#include <asio/ip/tcp.hpp>

#include <memory>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class peer_link;

// What a connection asks its node, which knows all of them.

// A peer says that this is its name; it may be anybody.
struct admit_peer {
  pid connection;
  std::string peer;
  asio::ip::tcp::endpoint from;

  using reply_type = accept_status;
};

// What was answered.
struct peer_admission {
  accept_status status;
  std::string peer;

  bool may_come_up_as(const std::string& name) const noexcept {
    return peer == name && status != accept_status::nok && status != accept_status::not_allowed;
  }
};

// The handshake is over, and it is this peer. From here on the node knows it by this connection, and ends another; or, by false, the other way round.
struct peer_is_up {
  std::shared_ptr<peer_link> link;
  pid connection;

  using reply_type = bool;
};

// The peer says that it has a connection with us already: is that one which has been lost here? By false, the connection that asks
// is not used any more.
struct peer_has_another {
  std::string peer;

  using reply_type = bool;
};

// The peer wants its own connection to be used, instead of this attempt of ours. By false, the attempt is not needed: that one is up.
struct peer_has_precedence {
  std::string peer;
  pid attempt;

  using reply_type = bool;
};

// What the handle of a node asks it. No aggregates, because they stand in co_await expressions (GCC PR 101976).

struct connect_peer {
  explicit connect_peer(std::string with) : peer(std::move(with)) {}

  std::string peer;

  using reply_type = void;
};

struct disconnect_peer {
  explicit disconnect_peer(std::string from) : peer(std::move(from)) {}

  std::string peer;
};

} // namespace otpp::detail

#pragma GCC visibility pop
