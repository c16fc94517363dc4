// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/dist/detail/peer_transport.hpp>
#include <otpp/dist/transport.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A socket. What it returns are Asio's own coroutines, so that it costs no frame more than the socket itself.
class tcp_transport : public peer_transport {
 public:
  explicit tcp_transport(asio::ip::tcp::socket socket) noexcept : socket_(std::move(socket)) {}

  asio::any_io_executor executor() override { return socket_.get_executor(); }

  asio::awaitable<void> connect(endpoint where, std::error_code& error) override {
    return socket_.async_connect(where, asio::redirect_error(asio::use_awaitable, error));
  }

  endpoint remote_endpoint() const noexcept override {
    std::error_code ignored;
    return socket_.remote_endpoint(ignored);
  }

  asio::awaitable<void> begin(std::string, std::error_code& error) override {
    error.clear();
    std::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    co_return;
  }

  std::size_t size_of_length() const noexcept override { return 2; }

  asio::awaitable<std::size_t> read_some(asio::mutable_buffer to, std::error_code& error) override {
    return socket_.async_read_some(to, asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<std::size_t> write_some(asio::const_buffer from, std::error_code& error) override {
    return socket_.async_write_some(from, asio::redirect_error(asio::use_awaitable, error));
  }

  void close() noexcept override {
    std::error_code ignored;
    socket_.close(ignored);
  }

 protected:
  // Writes as much as there is room for.
  void write_at_once(asio::const_buffer what) noexcept {
    std::error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.write_some(what, ignored);
  }

  // The peer reads the end of what was written.
  void end_output() noexcept {
    std::error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

 private:
  asio::ip::tcp::socket socket_;
};

// Of a socket that is accepted, or is still to be connected.
inline std::unique_ptr<peer_transport> make_transport(
    const dist::transport& how, asio::ip::tcp::socket socket) {
  if (const auto& maker = access::of(how)) {
    return (*maker)(std::move(socket));
  }
  return std::make_unique<tcp_transport>(std::move(socket));
}

} // namespace otpp::detail

#pragma GCC visibility pop
