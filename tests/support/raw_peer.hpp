// SPDX-License-Identifier: BSL-1.0

// A node that does what the test says, byte for byte.
#pragma once

#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/handshake.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/peer_output.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

class raw_peer {
 public:
  using endpoint = asio::ip::tcp::endpoint;

  raw_peer(asio::any_io_executor executor, std::string name, std::string cookie = "secret")
      : socket_(std::move(executor)), name_(std::move(name)), cookie_(std::move(cookie)) {}

  asio::ip::tcp::socket& socket() { return socket_; }
  const std::string& name() const { return name_; }

  // Connects with a node. Throws what the handshake says if it fails.
  asio::awaitable<void> connect(endpoint where, std::string node) {
    co_await socket_.async_connect(where, asio::use_awaitable);
    otpp::detail::connecting_handshake shaking(side(), std::move(node), 0x01020304);
    co_await shake(shaking);
  }

  // Lets a node connect that has begun to.
  asio::awaitable<void> accept(asio::ip::tcp::acceptor& at) {
    co_await at.async_accept(socket_, asio::use_awaitable);
    otpp::detail::accepting_handshake shaking(side(), 0x01020304);
    co_await shake(shaking);
  }

  // Sends a frame, without its length.
  asio::awaitable<void> send(std::string payload) {
    std::string bytes;
    otpp::detail::append_frame(bytes, payload);
    co_await asio::async_write(socket_, asio::buffer(bytes), asio::use_awaitable);
  }

  // Sends bytes as they are.
  asio::awaitable<void> send_bytes(std::string bytes) {
    co_await asio::async_write(socket_, asio::buffer(bytes), asio::use_awaitable);
  }

  // The next frame that is no tick. Throws at the end of the connection.
  asio::awaitable<std::string> read() {
    std::string frame;
    while (frame.empty()) {
      frame = co_await read_one(4);
      ticks_ += frame.empty() ? 1 : 0;
    }
    co_return frame;
  }
  int ticks() const { return ticks_; }

  // Waits until the node has ended the connection.
  asio::awaitable<void> wait_for_end() {
    char bytes[4096];
    std::error_code error;
    while (!error) {
      co_await socket_.async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
    }
  }

  // A process of this node, and a reference.
  otpp::detail::pid_view process(std::uint32_t id = 1) const { return {name_, id, 0, creation, {}}; }
  otpp::detail::ref_view reference(std::uint32_t number) const {
    otpp::detail::ref_view made;
    made.node = name_;
    made.creation = creation;
    made.count = 3;
    made.words = {number, 0, 7, 0, 0};
    return made;
  }

  // The frame of a call of a server, by its name, up to the request.
  void begin_call(otpp::detail::term_writer& to, std::string_view server, std::uint32_t number) const {
    otpp::detail::put_reg_send(to, process(), server);
    to.tuple(3);
    to.atom("$gen_call");
    to.tuple(2);
    otpp::detail::put_pid(to, process());
    otpp::detail::put_ref(to, reference(number));
  }

  static constexpr std::uint32_t creation = 77;

  // For a handshake that the test carries out itself.
  otpp::detail::handshake_side side() const {
    otpp::detail::handshake_side mine;
    mine.name = name_;
    mine.cookie = cookie_;
    mine.creation = creation;
    return mine;
  }

  // The next payload, with its length before it in so many bytes.
  asio::awaitable<std::string> read_one(std::size_t size_of_length) {
    unsigned char length[4] = {};
    co_await asio::async_read(socket_, asio::buffer(length, size_of_length), asio::use_awaitable);
    std::size_t size = 0;
    for (std::size_t at = 0; at != size_of_length; ++at) {
      size = size << 8 | length[at];
    }
    std::string bytes(size, '\0');
    co_await asio::async_read(socket_, asio::buffer(bytes), asio::use_awaitable);
    co_return bytes;
  }

 private:
  template <class Role>
  asio::awaitable<void> shake(Role& role) {
    using otpp::detail::handshake_progress;
    while (true) {
      std::string bytes;
      for (const std::string& each : role.take_outgoing()) {
        otpp::detail::append_frame(bytes, each, 2);
      }
      std::error_code ignored; // reading will tell
      co_await asio::async_write(
          socket_, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ignored));
      if (role.progress() == handshake_progress::failed) {
        throw std::runtime_error(role.failure().text);
      }
      if (role.progress() == handshake_progress::done) {
        co_return;
      }
      if (role.progress() == handshake_progress::asking) {
        go_on(role);
        continue;
      }
      std::string payload;
      bool is_closed = false;
      try {
        payload = co_await read_one(2);
      } catch (const std::system_error&) {
        is_closed = true;
      }
      if (is_closed) {
        role.closed();
      } else {
        role.take(payload);
      }
    }
  }

  static void go_on(otpp::detail::connecting_handshake& role) { role.go_on(true); }
  static void go_on(otpp::detail::accepting_handshake& role) { role.answer(otpp::detail::accept_status::ok); }

  asio::ip::tcp::socket socket_;
  std::string name_;
  std::string cookie_;
  int ticks_ = 0;
};
