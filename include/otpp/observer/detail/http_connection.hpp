// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <asio/buffer.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

struct http_limits {
  std::size_t head_size = 8 * 1024;
  std::size_t connections = 64;        // as many more are told to come again later; the rest is closed
  std::size_t streams = 16;            // of these connections
  std::size_t stream_backlog = 262144; // bytes that a stream has not read yet
  std::size_t rest_size = 65536; // bytes after a request that are read, so that the client sees its answer

  std::chrono::steady_clock::duration head_time =
      std::chrono::seconds(3); // from the accept on, however bytes come
  std::chrono::steady_clock::duration write_time =
      std::chrono::seconds(10);                                            // for a response, and for an event
  std::chrono::steady_clock::duration rest_time = std::chrono::seconds(1); // after the response
  std::chrono::steady_clock::duration heartbeat = std::chrono::seconds(15); // a comment in a stream
  std::chrono::steady_clock::duration accept_retry =
      std::chrono::milliseconds(100); // after an accept that failed
};

class http_connection;

// The connections that are open. They take themselves out.
struct http_connections {
  std::vector<http_connection*> all;
  std::size_t over = 0;    // of them, those above the limit
  std::size_t streams = 0; // of them, those that have asked for events
};

// A client's socket, and the time that it has. Everything here runs on the one thread of its io_context.
//
// It is owned by the coroutine that serves it, and by the operations of its timer and of its socket that have not
// completed; the list only refers to it. close() completes those operations and cancels what the coroutine waits for,
// so that all of them let go.
class http_connection : public std::enable_shared_from_this<http_connection> {
 public:
  enum class kind { request, over, stream };
  using clock = std::chrono::steady_clock;

  http_connection(
      asio::ip::tcp::socket socket, const http_limits& limits, std::shared_ptr<http_connections> list)
      : limits_(limits),
        list_(std::move(list)),
        socket_(std::move(socket)),
        deadline_(socket_.get_executor()),
        wake_(socket_.get_executor()) {
    list_->all.push_back(this);
  }
  http_connection(const http_connection&) = delete;
  http_connection& operator=(const http_connection&) = delete;
  ~http_connection() {
    become(kind::request);
    std::erase(list_->all, this);
  }

  void become(kind what) noexcept {
    list_->over -= kind_ == kind::over;
    list_->streams -= kind_ == kind::stream;
    kind_ = what;
    list_->over += kind_ == kind::over;
    list_->streams += kind_ == kind::stream;
  }
  bool is_over() const noexcept { return kind_ == kind::over; }
  bool is_stream() const noexcept { return kind_ == kind::stream; }
  bool is_open() const noexcept { return !is_closed_; }

  // For the coroutine that serves this: while a handler answers, close() cancels what it waits for.
  asio::cancellation_slot slot() noexcept { return cancelled_.slot(); }
  void let_handler_run(bool runs) noexcept { has_handler_ = runs; }

  // Nothing is resumed inside of it, and no connection destroyed.
  void close() {
    if (std::exchange(is_closed_, true)) {
      return;
    }
    become(kind::request); // its place in a limit is free at once
    std::error_code ignored;
    socket_.close(ignored);
    deadline_.cancel();
    wake_.cancel();
    if (has_handler_) {
      // Not from here: what a cancelled operation does is not known.
      asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->cancelled_.emit(asio::cancellation_type::terminal);
      });
    }
  }

  // From now on there is this much time for what the head has; then is_late().
  void expect_head() { expect(limits_.head_time, if_late::stop_reading); }
  bool is_late() const noexcept { return is_late_; }
  // Nothing is expected any more.
  void relax() { deadline_.expires_at(clock::time_point::max()); }

  // Returns what has come: nothing if the client has gone or its time is over.
  asio::awaitable<std::string_view> read() {
    std::error_code error;
    std::size_t size = co_await socket_.async_read_some(
        asio::buffer(input_), asio::redirect_error(asio::use_awaitable, error));
    co_return std::string_view(input_.data(), error ? 0 : size);
  }

  // Closes the connection if it takes too long, or fails.
  asio::awaitable<void> write(std::string_view first, std::string_view second) {
    if (is_closed_) {
      co_return;
    }
    expect(limits_.write_time, if_late::close);
    std::array<asio::const_buffer, 2> both{
        asio::buffer(first.data(), first.size()), asio::buffer(second.data(), second.size())};
    std::error_code error;
    co_await asio::async_write(socket_, both, asio::redirect_error(asio::use_awaitable, error));
    relax();
    if (error) {
      close();
    }
  }

  // Says that there is no more, and waits until the client has seen that. Whoever closes a socket with something to read
  // in it resets the connection, and the client may lose its response.
  asio::awaitable<void> finish() {
    if (is_closed_) {
      co_return;
    }
    std::error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    expect(limits_.rest_time, if_late::close);
    std::size_t rest = 0;
    while (!is_closed_ && rest < limits_.rest_size) {
      std::string_view more = co_await read();
      if (more.empty()) {
        break;
      }
      rest += more.size();
    }
    close();
  }

  // Adds an event to a stream. If too much has not been read, closes it.
  void push(std::shared_ptr<const std::string> event) {
    if (is_closed_) {
      return;
    }
    backlog_ += event->size();
    if (backlog_ > limits_.stream_backlog) {
      close();
      return;
    }
    events_.push_back(std::move(event));
    wake_.cancel();
  }

  // Writes events until the connection is closed.
  asio::awaitable<void> stream() {
    std::error_code ignored;
    // The system would keep megabytes for a client that does not read.
    socket_.set_option(asio::socket_base::send_buffer_size(32768), ignored);
    notice_end();
    while (!is_closed_) {
      if (events_.empty()) {
        wake_.expires_after(limits_.heartbeat);
        std::error_code woken;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        if (events_.empty() && !is_closed_) {
          co_await write(":\n\n", "");
        }
        continue;
      }
      std::shared_ptr<const std::string> event = std::move(events_.front());
      events_.pop_front();
      co_await write(*event, "");
      backlog_ -= event->size();
    }
  }

 private:
  enum class if_late { stop_reading, close };

  void expect(clock::duration time, if_late what) {
    deadline_.expires_after(time);
    deadline_.async_wait([self = shared_from_this(), what](const std::error_code& error) {
      // Else it has been moved after this became ready.
      if (!error && self->deadline_.expiry() <= clock::now()) {
        self->be_late(what);
      }
    });
  }

  void be_late(if_late what) {
    is_late_ = true;
    if (what == if_late::close) {
      close();
      return;
    }
    std::error_code ignored;
    socket_.cancel(ignored);
  }

  // A stream's client has nothing to say: what comes is that it has gone, or a mistake.
  void notice_end() {
    socket_.async_read_some(
        asio::buffer(input_),
        [self = shared_from_this()](const std::error_code&, std::size_t) { self->close(); });
  }

  const http_limits limits_;
  const std::shared_ptr<http_connections> list_;
  kind kind_ = kind::request;
  bool is_late_ = false;
  bool is_closed_ = false;
  bool has_handler_ = false;
  asio::ip::tcp::socket socket_;
  asio::steady_timer deadline_;
  asio::steady_timer wake_; // a stream's, which sleeps until there is an event
  asio::cancellation_signal cancelled_;
  std::deque<std::shared_ptr<const std::string>> events_;
  std::size_t backlog_ = 0;
  std::array<char, 2048> input_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
