// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/make_message.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/request/detail/open_request.hpp>
#include <otpp/request/detail/response_wait.hpp>
#include <otpp/request/response.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <optional>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// A request that was sent, and its answer once that has arrived. OTP's `request_id()`.
///
/// Destroying or overwriting it abandons the request: the server still handles it, and its answer is dropped.
/// A wait that is in progress continues, and abandons the request if it ends without an answer.
///
/// A default-constructed or moved-from one refers to no request: it converts to false, and a wait fails with
/// `std::logic_error` (docs/architecture.md, "Handles").
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe; one wait at a time. A second one ends the first with
/// `asio::error::operation_aborted`.
///
/// @par Lifetime
/// May outlive the server, its context, and the context in which the request was sent. Until the request is
/// answered or abandoned, it counts as outstanding work of the server's context.
template <class Reply>
class request_handle {
 public:
  /// The type of the answer.
  using reply_type = Reply;

  /// Refers to no request.
  request_handle() noexcept = default;

  request_handle(request_handle&& other) noexcept = default;
  request_handle& operator=(request_handle&& other) noexcept {
    if (this != &other) {
      abandon();
      request_ = std::move(other.request_);
    }
    return *this;
  }
  ~request_handle() { abandon(); }

  /// False if it refers to no request. A handle whose answer was taken may still refer to its request: see
  /// `is_open`.
  explicit operator bool() const noexcept { return static_cast<bool>(request_); }

  /// Returns true if an answer has arrived and was not taken, or may still arrive.
  bool is_open() const noexcept { return request_ && request_->is_open(); }

  /// Waits for the answer. OTP's `gen_server:wait_response/2`.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr, Reply)`; for `void`, `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// - `errc::timeout`: no answer in time.
  /// - any error of a `call`: `no_process`, `exited`, `no_reply`, `bad_message`, `mailbox_full`, `draining`, and any
  /// exception with which the handler answers. Then the request is over.
  /// - `errc::calling_self`: a handler cannot wait for its own server.
  /// - `errc::deadlock`: the wait would be a deadlock, as described for `call`. The request stays open.
  /// - `std::logic_error`: there is no request, or its answer was taken. OTP's `no_request`.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the request stays open. But `wait() || timer` may
  /// drop an answer that was taken, as `||` drops what is second; `wait(timeout)` returns it, or leaves it in the request.
  ///
  /// @par Thread safety
  /// Distinct handles: safe.
  ///
  /// @par Lifetime
  /// The handle may be destroyed during the wait.
  ///
  /// @par Example
  /// @code
  /// auto request = otpp::send_request<kv::get>(server, "key");
  /// do_something_else();
  /// std::string value = co_await request.wait(100ms);
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token>)
  auto wait(Token&& token = {}) {
    return detail::start_wait<Reply>(request_, infinite, false, std::forward<Token>(token));
  }

  /// Waits for the answer for a limited time; after a timeout the request stays open, and can be waited for
  /// again. All else as above.
  ///
  /// @param timeout  How long to wait at most. Zero takes only an answer that has arrived; `otpp::infinite`
  ///                 waits forever.
  /// @param token    A completion token; `asio::use_awaitable` by default.
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto wait(Duration timeout, Token&& token = {}) {
    return detail::start_wait<Reply>(request_, detail::saturate(timeout), false, std::forward<Token>(token));
  }

  /// Waits for the answer for the last time: if the wait times out or is cancelled, the request is abandoned.
  /// OTP's `gen_server:receive_response/1,2`. All else as `wait`.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`, and abandon the request.
  ///
  /// @par Example
  /// @code
  /// std::string value = co_await request.receive(100ms);
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
    requires(!detail::timeout_like<Token>)
  auto receive(Token&& token = {}) {
    return detail::start_wait<Reply>(request_, infinite, true, std::forward<Token>(token));
  }

  /// Waits for the answer for the last time, and for a limited time. All else as above.
  ///
  /// @param timeout  How long to wait at most. Zero takes only an answer that has arrived; `otpp::infinite`
  ///                 waits forever.
  /// @param token    A completion token; `asio::use_awaitable` by default.
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto receive(Duration timeout, Token&& token = {}) {
    return detail::start_wait<Reply>(request_, detail::saturate(timeout), true, std::forward<Token>(token));
  }

  /// Takes the answer, a value or an error, if it has arrived. Never waits. OTP's
  /// `gen_server:check_response/2`.
  std::optional<response<Reply>> poll() noexcept {
    if (!request_ || !request_->is_ready() || !request_->is_open()) {
      return std::nullopt;
    }
    return request_->take();
  }

  /// Abandons the request: a late answer is dropped.
  void abandon() noexcept {
    if (request_) {
      std::exchange(request_, {})->on_handle_destroyed();
    }
  }

 private:
  friend struct detail::access;

  explicit request_handle(detail::intrusive_ptr<detail::open_request<Reply>> request) noexcept
      : request_(std::move(request)) {}

  detail::intrusive_ptr<detail::open_request<Reply>> release() && noexcept {
    return std::exchange(request_, {});
  }

  detail::intrusive_ptr<detail::open_request<Reply>> request_;
};

/// Asks a server without waiting; builds the message in place. OTP's `gen_server:send_request/2`.
///
/// The message goes to the end of the server's mailbox, as with a `call`. Returns a
/// `request_handle<Message::reply_type>`, which stores the answer until it is waited for or taken; an answer
/// always comes, also if the server ends or its context is destroyed. This function never waits: if the
/// mailbox has a limit, the request itself waits for room.
///
/// @param to    The server: any `address`.
/// @param args  The arguments from which the message is constructed. There is no completion token: nothing
///              waits.
///
/// @par Errors
/// Any exception from constructing the message, and `std::bad_alloc`. Every other error, even for an unknown
/// name, is stored as the response.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Lifetime
/// As `call`.
///
/// @par Example
/// @code
/// auto first = otpp::send_request<shop::price>(here, "tea");
/// auto second = otpp::send_request<shop::price>(there, "tea");
/// int cheaper = co_await first.receive(1s);
/// int dearer = co_await second.receive(1s);
/// @endcode
///
/// @see request_set for many requests at once, in the order of their responses; multi_call for one question
/// to many servers.
template <class Message, class Address, class... Args>
auto send_request(Address to, Args&&... args) {
  static_assert(detail::makes<Message, Args...>, "otpp: the message cannot be made from these arguments");
  if constexpr (detail::makes<Message, Args...>) {
    return detail::make_request<Message>(
        std::move(to), infinite, [&] { return detail::make_message<Message>(std::forward<Args>(args)...); });
  }
}

/// Sends a request with an existing message. All else as above.
///
/// @param to       The server: any `address`.
/// @param message  Moved if it is a temporary, otherwise copied, before this function returns.
template <address Address, class Message>
auto send_request(Address to, Message&& message) {
  return detail::request_with(std::move(to), infinite, std::forward<Message>(message));
}

/// Sends a request with a timeout of its own, after which the response is `errc::timeout`, whether or not a
/// wait is in progress. All else as above.
///
/// @param to       The server: any `address`.
/// @param message  As above.
/// @param timeout  How long the server may take, counted from now. It runs in the server's context,
///                 independently of that of a wait.
template <address Address, class Message, detail::timeout_like Duration>
auto send_request(Address to, Message&& message, Duration timeout) {
  return detail::request_with(std::move(to), detail::saturate(timeout), std::forward<Message>(message));
}

} // namespace otpp

#pragma GCC visibility pop
