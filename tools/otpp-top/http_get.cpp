// SPDX-License-Identifier: BSL-1.0

#include "http_get.hpp"

#include <otpp/observer/detail/ascii.hpp>

#include <asio/connect.hpp>
#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace top {

namespace {

constexpr std::size_t longest_answer = std::size_t{64} << 20;

bool same_word(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [&](char a, char b) {
    return otpp::detail::lower_ascii(a) == otpp::detail::lower_ascii(b);
  });
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return {};
  }
  return value;
}

// The value of Content-Length in a head, if it has one.
std::optional<std::size_t> length_of(std::string_view head) {
  while (!head.empty()) {
    std::size_t end = std::min(head.find("\r\n"), head.size());
    std::string_view line = head.substr(0, end);
    std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && same_word(line.substr(0, colon), "content-length")) {
      std::string_view value = line.substr(colon + 1);
      value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
      return number_of<std::size_t>(value);
    }
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  return {};
}

} // namespace

http_result parse_answer(std::string_view data) {
  http_result result;
  constexpr std::string_view protocol = "HTTP/1.";
  if (data.substr(0, protocol.size()) != protocol.substr(0, data.size())) {
    result.what = outcome::not_http;
    return result;
  }
  std::size_t head_end = data.find("\r\n\r\n");
  if (head_end == std::string_view::npos) {
    result.what = outcome::cut_off;
    return result;
  }
  std::string_view head = data.substr(0, head_end);
  std::optional<unsigned> status;
  if (head.size() >= 12 && head[8] == ' ') {
    status = number_of<unsigned>(head.substr(9, 3));
  }
  if (!status) {
    result.what = outcome::not_http;
    return result;
  }
  std::string_view body = data.substr(head_end + 4);
  std::optional<std::size_t> length = length_of(head);
  if (length && body.size() < *length) {
    result.what = outcome::cut_off;
    return result;
  }
  result.what = outcome::answered;
  result.status = *status;
  result.body = body.substr(0, length.value_or(body.size()));
  return result;
}

http_get::http_get(asio::io_context& io, handler done)
    : resolver_(io), socket_(io), timer_(io), done_(std::move(done)) {}

std::shared_ptr<http_get> http_get::start(
    asio::io_context& io, const url& where, const std::string& token, const std::string& target,
    std::chrono::milliseconds patience, handler done) {
  auto get = std::make_shared<http_get>(io, std::move(done));
  get->request_ = "GET " + target + " HTTP/1.1\r\nHost: " + where.authority() +
                  "\r\nAccept: application/json\r\nConnection: close\r\n";
  if (!token.empty()) {
    get->request_ += "Authorization: Bearer " + token + "\r\n";
  }
  get->request_ += "\r\n";

  get->timer_.expires_after(patience);
  get->timer_.async_wait([get](std::error_code error) {
    if (!error) {
      get->end({.what = outcome::no_answer, .error = {}, .status = 0, .body = {}});
    }
  });
  get->resolve(where);
  return get;
}

void http_get::cancel() {
  done_ = nullptr;
  timer_.cancel();
  resolver_.cancel();
  std::error_code ignored;
  socket_.close(ignored);
}

void http_get::resolve(const url& where) {
  // Numbers also take this way, but are known at once.
  resolver_.async_resolve(
      where.host, where.port,
      [self = shared_from_this()](
          std::error_code error, const asio::ip::tcp::resolver::results_type& endpoints) {
        if (error) {
          self->end({.what = outcome::no_host, .error = error, .status = 0, .body = {}});
        } else if (self->done_) {
          self->connect(endpoints);
        }
      });
}

void http_get::connect(const asio::ip::tcp::resolver::results_type& endpoints) {
  asio::async_connect(
      socket_, endpoints, [self = shared_from_this()](std::error_code error, const asio::ip::tcp::endpoint&) {
        if (error) {
          self->end({.what = outcome::no_connection, .error = error, .status = 0, .body = {}});
        } else if (self->done_) {
          self->write();
        }
      });
}

void http_get::write() {
  asio::async_write(
      socket_, asio::buffer(request_), [self = shared_from_this()](std::error_code error, std::size_t) {
        // A server may refuse before it has read all: what it says is worth reading.
        if (self->done_ && error != asio::error::operation_aborted) {
          self->read();
        }
      });
}

void http_get::read() {
  socket_.async_read_some(
      asio::buffer(block_), [self = shared_from_this()](std::error_code error, std::size_t size) {
        if (!self->done_) {
          return;
        }
        self->data_.append(self->block_.data(), size);
        if (error || self->has_all()) {
          self->finish(error);
        } else if (self->data_.size() > longest_answer) {
          self->end({.what = outcome::too_long, .error = {}, .status = 0, .body = {}});
        } else {
          self->read();
        }
      });
}

bool http_get::has_all() const {
  std::size_t head_end = data_.find("\r\n\r\n");
  if (head_end == std::string::npos) {
    return false;
  }
  std::optional<std::size_t> length = length_of(std::string_view(data_).substr(0, head_end));
  return length && data_.size() - head_end - 4 >= *length;
}

void http_get::finish(std::error_code error) {
  http_result result = parse_answer(data_);
  if (error && error != asio::error::eof) {
    result.error = error;
    if (result.what == outcome::answered && !has_all()) {
      result.what = outcome::cut_off;
    }
  }
  end(std::move(result));
}

void http_get::end(http_result result) {
  if (!done_) {
    return;
  }
  handler done = std::exchange(done_, nullptr);
  cancel();
  done(std::move(result));
}

} // namespace top
