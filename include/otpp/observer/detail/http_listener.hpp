// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/observer/detail/http_access.hpp>
#include <otpp/observer/detail/http_connection.hpp>
#include <otpp/observer/detail/http_request.hpp>
#include <otpp/observer/detail/http_response.hpp>
#include <otpp/observer/detail/system.hpp>
#include <otpp/observer/detail/while_pending.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Answers GET requests, each on a connection of its own, and sends events to those who have asked for
// /api/v1/events. It is no process of the library and uses none.
//
// Without memory to accept the next connection, the io_context's run() throws; resume() is then to be called before it is
// run again.
//
// All of it, stop() and the destructor included, is for the one thread that runs the io_context, or for any thread
// while none does. The io_context must outlive it.
//
// A coroutine for each connection serves it. The io_context owns them; what they use belongs to them (the state, the
// connection), so that the listener may be destroyed first. stop() ends them all: it closes the sockets, whose operations
// then fail, and cancels what a handler waits for. An io_context that is destroyed destroys them where they are.
class http_listener {
 public:
  // Called on the io_context's thread. What it throws is a response of 500.
  using handler = std::function<asio::awaitable<http_response>(http_request)>;

  static constexpr std::string_view events_path = "/api/v1/events";

  // Listens from now on. Throws std::system_error, which names the address and the port, if that is not possible; and
  // std::invalid_argument if others than this machine could reach it without a token.
  http_listener(
      asio::io_context& context, const asio::ip::tcp::endpoint& endpoint, std::string token, handler handle,
      const http_limits& limits = {})
      : state_(make_state(context, endpoint, std::move(token), std::move(handle), limits)) {
    resume();
  }
  http_listener(const http_listener&) = delete;
  http_listener& operator=(const http_listener&) = delete;
  ~http_listener() {
    try {
      stop();
    } catch (...) {
      // Without memory the sockets are closed by the io_context.
    }
  }

  asio::ip::tcp::endpoint local_endpoint() const { return state_->local; }

  // Accepts connections again, if that has ended for want of memory. Throws std::bad_alloc if there still is none.
  void resume() {
    if (!state_->is_accepting && !state_->is_stopped) {
      accept_next(state_);
    }
  }

  // Closes everything. What is left of it is gone once the io_context has run what is ready.
  void stop() {
    state_->is_stopped = true;
    std::error_code ignored;
    state_->acceptor.close(ignored);
    state_->retry.cancel();
    for (http_connection* one : state_->list->all) {
      one->close();
    }
  }

  // Sends an event to all streams. One that has not read what it got before is closed.
  void send_event(std::string_view name, std::string_view json) {
    if (streams() == 0) {
      return;
    }
    auto event = std::make_shared<const std::string>(http_event(name, json));
    for (http_connection* one : state_->list->all) {
      if (one->is_stream()) {
        one->push(event);
      }
    }
  }

  // Has a function called when a stream has been opened.
  void on_stream(std::function<void()> opened) { state_->opened = std::move(opened); }

  // How many streams are open.
  std::size_t streams() const noexcept { return state_->list->streams; }

 private:
  struct state {
    state(asio::io_context& context, const http_limits& its_limits, handler its_handler)
        : limits(its_limits), handle(std::move(its_handler)), acceptor(context), retry(context) {}

    const http_limits limits;
    const handler handle;
    std::function<void()> opened;
    std::unique_ptr<const http_access> access;
    asio::ip::tcp::acceptor acceptor;
    asio::ip::tcp::endpoint local;
    asio::steady_timer retry;
    std::shared_ptr<http_connections> list = std::make_shared<http_connections>();
    bool is_accepting = false; // or waits before it does
    bool is_stopped = false;
  };

  static std::shared_ptr<state> make_state(
      asio::io_context& context, const asio::ip::tcp::endpoint& endpoint, std::string token, handler handle,
      const http_limits& limits) {
    if (token.empty() && !endpoint.address().is_loopback()) {
      throw std::invalid_argument("otpp: observe: " + text_of(endpoint) + " wants a token");
    }
    auto made = std::make_shared<state>(context, limits, std::move(handle));
    try {
      made->acceptor.open(endpoint.protocol());
      keep_from_children(made->acceptor);
      made->acceptor.set_option(asio::ip::tcp::acceptor::reuse_address(true)); // soon after the last run, too
      made->acceptor.bind(endpoint);
      made->acceptor.listen();
      made->local = made->acceptor.local_endpoint();
    } catch (const std::system_error& error) {
      throw std::system_error(error.code(), "otpp: observe: " + text_of(endpoint));
    }
    made->access = std::make_unique<const http_access>(
        made->local.port(), std::move(token), host_of(made->local.address()));
    return made;
  }

  static std::string host_of(const asio::ip::address& address) {
    return address.is_v6() ? '[' + address.to_string() + ']' : address.to_string();
  }
  static std::string text_of(const asio::ip::tcp::endpoint& endpoint) {
    return host_of(endpoint.address()) + ':' + std::to_string(endpoint.port());
  }

  // No coroutine, because Asio's are ended by std::terminate where there is no memory for an operation. What these throw
  // leaves the io_context's run().
  static void accept_next(const std::shared_ptr<state>& self) {
    self->acceptor.async_accept([self, pending = while_pending(self->is_accepting)](
                                    const std::error_code& error, asio::ip::tcp::socket socket) mutable {
      pending.end();
      if (self->is_stopped) {
        return;
      }
      if (error || !admit(self, std::move(socket))) {
        accept_later(self);
      } else {
        accept_next(self);
      }
    });
  }

  // As when there are no more file descriptors: the next accept would fail, too.
  static void accept_later(const std::shared_ptr<state>& self) {
    self->retry.expires_after(self->limits.accept_retry);
    self->retry.async_wait(
        [self, pending = while_pending(self->is_accepting)](const std::error_code&) mutable {
          pending.end();
          if (!self->is_stopped) {
            accept_next(self);
          }
        });
  }

  // Returns false if there was no memory for it.
  static bool admit(const std::shared_ptr<state>& self, asio::ip::tcp::socket socket) noexcept {
    try {
      http_connections& list = *self->list;
      bool is_over = list.all.size() - list.over >= self->limits.connections;
      if (is_over && list.over >= self->limits.connections) {
        return true; // and the socket is closed
      }
      keep_from_children(socket);
      auto connection = std::make_shared<http_connection>(std::move(socket), self->limits, self->list);
      if (is_over) {
        connection->become(http_connection::kind::over);
      }
      asio::co_spawn(
          self->acceptor.get_executor(), serve(self, connection),
          // Whatever it ended with, only this connection is concerned.
          asio::bind_cancellation_slot(
              connection->slot(), [connection](std::exception_ptr) { connection->close(); }));
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  static asio::awaitable<void> serve(
      std::shared_ptr<state> self, std::shared_ptr<http_connection> connection) {
    if (connection->is_over()) {
      http_response later = http_error(503, "too many connections: come again later");
      co_await respond(connection, later, true);
      co_return;
    }

    http_request_reader reader(self->limits.head_size, *self->access);
    auto progress = http_request_reader::progress::needs_more;
    connection->expect_head();
    while (progress == http_request_reader::progress::needs_more) {
      std::string_view bytes = co_await connection->read();
      if (connection->is_late()) {
        http_response late = http_error(408, "the head of the request took too long");
        co_await respond(connection, late, true);
        co_return;
      }
      if (bytes.empty()) { // the client has gone
        co_return;
      }
      progress = reader.feed(bytes);
    }
    connection->relax();

    http_response response;
    if (progress == http_request_reader::progress::is_refused) {
      response = http_error(reader.refusal().status, reader.refusal().why);
    } else {
      http_request request = reader.take_request();
      if (request.path != events_path) {
        connection->let_handler_run(true);
        asio::awaitable<void> answered = answer(self, std::move(request), response);
        co_await std::move(answered);
        connection->let_handler_run(false);
      } else if (self->list->streams < self->limits.streams) {
        connection->become(http_connection::kind::stream);
        if (self->opened) {
          self->opened();
        }
        std::string head = http_stream_head();
        co_await connection->write(head, "");
        co_await connection->stream();
        co_return;
      } else {
        response = http_error(503, "too many streams: ask for /api/v1/tick, or come again later");
      }
    }
    co_await respond(connection, response, reader.wants_body());
  }

  static asio::awaitable<void> answer(
      std::shared_ptr<state> self, http_request request, http_response& response) {
    std::string failure;
    try {
      asio::awaitable<http_response> called = self->handle(std::move(request));
      http_response answered = co_await std::move(called);
      response = std::move(answered);
      co_return;
    } catch (const std::exception& error) {
      failure = error.what();
    } catch (...) {
      failure = "an exception that is no std::exception";
    }
    response = http_error(500, failure);
  }

  static asio::awaitable<void> respond(
      std::shared_ptr<http_connection> connection, const http_response& response, bool wants_body) {
    std::string head = http_head_of(response);
    std::string_view body = wants_body ? std::string_view(response.body) : std::string_view();
    co_await connection->write(head, body);
    co_await connection->finish();
  }

  const std::shared_ptr<state> state_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
