// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What carries the bytes of a connection with a peer. Used on one executor, where at most one coroutine reads and one writes.
// What is awaited can be cancelled, and goes on with the next call.
class peer_transport {
 public:
  using endpoint = asio::ip::tcp::endpoint;

  peer_transport() = default;
  peer_transport(const peer_transport&) = delete;
  peer_transport& operator=(const peer_transport&) = delete;
  virtual ~peer_transport() = default;

  virtual asio::any_io_executor executor() = 0;
  virtual asio::awaitable<void> connect(endpoint where, std::error_code& error) = 0;

  // Where the peer is; nowhere in particular if the connection is lost.
  virtual endpoint remote_endpoint() const noexcept = 0;

  // What comes before the handshake of nodes, as the one who has connected; with an empty name, as the one who has accepted.
  virtual asio::awaitable<void> begin(std::string peer, std::error_code& error) = 0;

  // Why the peer does not get on, where more is known than an error says; else an empty text.
  virtual std::string failure() const { return {}; }

  // Why the one who has connected may not be the node that it says it is; else an empty text.
  virtual std::string fault_of(std::string_view) const { return {}; }

  // The peer has shown in begin() that it is none of those that only look whether somebody listens.
  virtual bool is_no_scan() const noexcept { return false; }

  // How many bytes the length of a message has in the handshake of nodes.
  virtual std::size_t size_of_length() const noexcept = 0;

  // Nothing is read without an error. To write is tried again with the same bytes, or with more behind them.
  virtual asio::awaitable<std::size_t> read_some(asio::mutable_buffer to, std::error_code& error) = 0;
  virtual asio::awaitable<std::size_t> write_some(asio::const_buffer from, std::error_code& error) = 0;

  // What is awaited ends with an error.
  virtual void close() noexcept = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
