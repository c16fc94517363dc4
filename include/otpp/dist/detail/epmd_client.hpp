// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/epmd_protocol.hpp>
#include <otpp/dist/detail/socket_deadline.hpp>
#include <otpp/error.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Speaks with one epmd. Its socket is shared with the deadline of what is done with it.
class epmd_client {
 public:
  using endpoint = asio::ip::tcp::endpoint;

  epmd_client(const asio::any_io_executor& executor, endpoint where, duration patience)
      : where_(std::move(where)),
        patience_(patience),
        socket_(std::make_shared<asio::ip::tcp::socket>(executor)) {}

  // Registers a node, for as long as this lives, and returns the creation that epmd gives it. Throws errc::name_taken,
  // errc::no_connection.
  asio::awaitable<std::uint32_t> enter(std::string alive, std::uint16_t port) {
    std::uint32_t creation = 0;
    std::string request = epmd_register_request(alive, port);
    epmd_reading reading = co_await ask(std::move(request), &read_epmd_registered, creation);
    if (reading != epmd_reading::done) {
      errc code = reading == epmd_reading::refused ? errc::name_taken : errc::no_connection;
      throw error(code, "otpp: opening a node: " + epmd_register_failure(reading, alive));
    }
    co_return creation;
  }

  // Asks where a node listens. Throws errc::no_connection.
  asio::awaitable<std::uint16_t> look_up(std::string node) {
    std::uint32_t port = 0;
    std::string request = epmd_look_up_request(node.substr(0, node.find('@')));
    epmd_reading reading = co_await ask(std::move(request), &read_port, port);
    if (reading != epmd_reading::done) {
      throw error(
          errc::no_connection, "otpp: connection with " + node + ": " + epmd_look_up_failure(reading, node));
    }
    co_return static_cast<std::uint16_t>(port);
  }

  // Waits until epmd has ended, or has thrown us out.
  asio::awaitable<void> wait_for_end() {
    std::array<char, 64> bytes{};
    std::error_code end;
    while (!end) {
      co_await socket_->async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, end));
    }
  }

 private:
  using reader = epmd_reading (*)(std::string_view bytes, std::uint32_t& value) noexcept;

  static epmd_reading read_port(std::string_view bytes, std::uint32_t& port) noexcept {
    epmd_entry found;
    epmd_reading reading = read_epmd_looked_up(bytes, found);
    port = found.port;
    return reading == epmd_reading::done && !found.has_our_version() ? epmd_reading::malformed : reading;
  }

  asio::awaitable<epmd_reading> ask(std::string request, reader read, std::uint32_t& value) {
    asio::any_io_executor here = co_await asio::this_coro::executor; // where the socket is used
    socket_deadline deadline(here, socket_, patience_);
    std::error_code error;
    co_await socket_->async_connect(where_, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      fail(deadline, error);
    }
    co_await asio::async_write(
        *socket_, asio::buffer(request), asio::redirect_error(asio::use_awaitable, error));
    std::string answer;
    epmd_reading reading = epmd_reading::incomplete;
    while (!error && reading == epmd_reading::incomplete) {
      std::array<char, 512> bytes{};
      std::size_t size = co_await socket_->async_read_some(
          asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
      answer.append(bytes.data(), size);
      reading = read(answer, value);
    }
    if (deadline.is_late()) {
      fail(deadline, error);
    }
    co_return reading;
  }

  [[noreturn]] void fail(const socket_deadline& deadline, const std::error_code& why) const {
    std::string text = "otpp: epmd, Erlang's port mapper, at " + where_.address().to_string() + " port " +
                       std::to_string(where_.port());
    if (deadline.is_late()) {
      text += " has not answered in " + text_of_time(patience_);
    } else {
      text += " cannot be reached (" + why.message() +
              "): start it with `epmd -daemon`, or do without, by node_options::";
      text += "no_epmd on the side that listens and resolver on the side that connects";
    }
    throw error(errc::no_connection, text);
  }

  endpoint where_;
  duration patience_;
  std::shared_ptr<asio::ip::tcp::socket> socket_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
