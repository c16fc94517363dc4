// SPDX-License-Identifier: BSL-1.0

// One GET of HTTP/1.1, with `Connection: close` and an end in time.

#pragma once

#include "url.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace top {

enum class outcome {
  answered,
  no_host,       // the name has no address
  no_connection, // nobody accepts there
  no_answer,     // connected, and then too late
  cut_off,       // the connection ended within the answer
  not_http,
  too_long,
};

struct http_result {
  outcome what = outcome::no_answer;
  std::error_code error; // of the system, where it has one
  unsigned status = 0;   // where answered
  std::string body;
};

class http_get : public std::enable_shared_from_this<http_get> {
 public:
  using handler = std::function<void(http_result)>;

  // Calls the handler once, from io's thread and never from in here, unless cancel() comes first.
  static std::shared_ptr<http_get> start(
      asio::io_context& io, const url& where, const std::string& token, const std::string& target,
      std::chrono::milliseconds patience, handler done);

  http_get(asio::io_context& io, handler done);

  // The handler will not be called.
  void cancel();

 private:
  void resolve(const url& where);
  void connect(const asio::ip::tcp::resolver::results_type& endpoints);
  void write();
  void read();
  bool has_all() const;
  void finish(std::error_code error);
  void end(http_result result);

  asio::ip::tcp::resolver resolver_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  handler done_; // empty once it has been called, or cancelled
  std::string request_;
  std::string data_;
  std::array<char, 16384> block_{};
};

// The status and the body of a whole answer, or outcome::cut_off or not_http.
http_result parse_answer(std::string_view data);

} // namespace top
