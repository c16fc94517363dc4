// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/coroutine_body.hpp>

#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>

#include <string>
#include <type_traits>
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

  /// Returns what the trace calls it.
  const std::string& name() const noexcept { return name_; }
  /// Returns true if the coroutine has ended, in whatever way.
  bool has_ended() const noexcept { return ended_; }

  /// Cancels the operation that the coroutine awaits, as its owner would.
  ///
  /// @param type  What the operation is told; an operation that does not react to this type goes on.
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
};

namespace detail {

// A client, with the function that created its coroutine, because the coroutine uses that function's
// captures.
template <class Function>
struct client_of final : client {
  client_of(std::string name, Function function) : client(std::move(name)), made_by(std::move(function)) {}
  Function made_by;
};

template <class Body>
consteval bool check_client() {
  if constexpr (!otpp::detail::check_body<Body>()) {
    return false;
  } else {
    constexpr bool is_void = std::is_void_v<otpp::detail::body_result_t<Body>>;
    static_assert(
        is_void, "otpp: a client of a world is a coroutine that returns nothing: asio::awaitable<void>");
    return is_void;
  }
}

} // namespace detail
} // namespace otpp::testing

#pragma GCC visibility pop
