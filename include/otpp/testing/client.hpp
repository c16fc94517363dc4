// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>

#include <exception>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::testing {

class context;
class world;

/// A client of a scenario: a coroutine that the world owns.
class client {
 public:
  explicit client(std::string name) : name_(std::move(name)) {}
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  virtual ~client() = default;

  const std::string& name() const noexcept { return name_; }
  bool has_ended() const noexcept { return ended_; }

  /// Cancels the operation that the coroutine awaits, as its owner would.
  void cancel(asio::cancellation_type type = asio::cancellation_type::terminal) {
    cancelled_ = true;
    signal_.emit(type);
  }

 private:
  friend class world;

  std::string name_;
  asio::cancellation_signal signal_;
  const context* home_ = nullptr;
  bool cancelled_ = false;
  bool ended_ = false;
  std::exception_ptr error_;
};

namespace detail {

// A client, with the function that created its coroutine, because the coroutine uses that function's
// captures.
template <class Coroutine>
struct client_of final : client {
  client_of(std::string name, Coroutine made_by) : client(std::move(name)), coroutine(std::move(made_by)) {}
  Coroutine coroutine;
};

} // namespace detail
} // namespace otpp::testing

#pragma GCC visibility pop
