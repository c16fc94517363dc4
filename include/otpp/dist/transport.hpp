// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/access.hpp>

#include <asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// peer_transport.hpp
class peer_transport;

// Makes what carries the bytes of one connection, of a socket that is accepted, or is still to be connected.
using transport_maker = std::function<std::unique_ptr<peer_transport>(asio::ip::tcp::socket)>;

} // namespace detail

namespace dist {

/// What the connections of a node take: `node_options::transport`. Made by functions such as `tls` of `otpp/dist/tls.hpp`;
/// copies are the same.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
class transport {
 public:
  /// TCP, as it is: all that is sent can be read by who is between.
  transport() noexcept = default;

 private:
  friend struct detail::access;

  explicit transport(detail::transport_maker maker)
      : maker_(std::make_shared<const detail::transport_maker>(std::move(maker))) {}

  const std::shared_ptr<const detail::transport_maker>& of() const noexcept { return maker_; }

  std::shared_ptr<const detail::transport_maker> maker_; // null for TCP
};

} // namespace dist
} // namespace otpp

#pragma GCC visibility pop
