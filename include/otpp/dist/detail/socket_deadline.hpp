// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <memory>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Closes a socket when what is done with it takes too long: until this is destroyed. Used on one executor.
class socket_deadline {
 public:
  socket_deadline(
      const asio::any_io_executor& executor, std::shared_ptr<asio::ip::tcp::socket> of, duration after)
      : timer_(executor), pending_(std::make_shared<pending>()) {
    pending_->socket = std::move(of);
    timer_.expires_after(after);
    timer_.async_wait([pending = pending_](const std::error_code& error) {
      if (!error && pending->socket) {
        pending->is_late = true;
        std::error_code ignored;
        pending->socket->close(ignored);
      }
    });
  }
  socket_deadline(const socket_deadline&) = delete;
  socket_deadline& operator=(const socket_deadline&) = delete;
  ~socket_deadline() { pending_->socket.reset(); } // also if the timer has expired, and its handler waits

  bool is_late() const noexcept { return pending_->is_late; }

 private:
  struct pending {
    std::shared_ptr<asio::ip::tcp::socket> socket;
    bool is_late = false;
  };

  asio::steady_timer timer_;
  std::shared_ptr<pending> pending_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
