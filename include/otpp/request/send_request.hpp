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

namespace otpp {

/// A request that was sent, and its answer when that has come. OTP's `request_id()`.
///
/// Destroying or overwriting it abandons the request: the server still handles it, and its answer reaches
/// nobody. A wait that is in progress goes on all the same, and abandons the request if it is in vain.
///
/// One that is made without anything, or moved from, refers to no request: it converts to false, and a wait ends with
/// `std::logic_error` (docs/architecture.md, "Handles").
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe; one wait at a time. A second one ends the first with
/// `asio::error::operation_aborted`.
///
/// @par Lifetime
/// May outlive the server, its context, and that in which the request was sent. While a request is neither
/// answered nor abandoned, it counts as work of the server's context.
template <class Reply>
class request_handle {
 public:
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

  /// False if it refers to no request. One whose answer was taken may still refer to it: see `is_open`.
  explicit operator bool() const noexcept { return static_cast<bool>(request_); }

  /// Returns true if there is an answer to wait for, or to be taken.
  bool is_open() const noexcept { return request_ && request_->is_open(); }

  /// Waits for the answer; when the time is over the request stays, and can be waited for again. OTP's
  /// `gen_server:wait_response/2`.
  ///
  /// @param timeout  How long. Forever where nothing is said. Zero takes an answer that is there at once.
  /// @param token    How the answer is told.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr, Reply)`; for `void`, `void(std::exception_ptr)`
  ///
  /// @par Errors
  /// - `errc::timeout`: no answer in time.
  /// - what a `call` may end with: `no_process`, `exited`, `no_reply`, `bad_message`, and any exception
  ///   that the handler answers with. Then the request is over.
  /// - `errc::calling_self`: a handler cannot wait for its own server.
  /// - `std::logic_error`: there is no request, or its answer was taken. OTP's `no_request`.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the request stays.
  ///
  /// @par Thread safety
  /// Distinct handles: safe.
  ///
  /// @par Lifetime
  /// The wait keeps what it needs of the handle.
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
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto wait(Duration timeout, Token&& token = {}) {
    return detail::start_wait<Reply>(request_, detail::saturate(timeout), false, std::forward<Token>(token));
  }

  /// Waits for the answer for the last time: when the time is over, or the wait is cancelled, the request
  /// is abandoned. OTP's `gen_server:receive_response/1,2`. All else as `wait`.
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
  template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  auto receive(Duration timeout, Token&& token = {}) {
    return detail::start_wait<Reply>(request_, detail::saturate(timeout), true, std::forward<Token>(token));
  }

  /// Takes the answer if it is there: a value or an error. Never waits. OTP's
  /// `gen_server:check_response/2`.
  std::optional<response<Reply>> poll() noexcept {
    if (!request_ || !request_->is_ready() || !request_->is_open()) {
      return std::nullopt;
    }
    return request_->take();
  }

  /// Abandons the request: a late answer reaches nobody.
  void abandon() noexcept {
    if (request_) {
      std::exchange(request_, {})->orphan();
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
/// The message goes to the end of the server's mailbox, as that of a `call`. The answer stays with the
/// returned handle until it is waited for or taken; it comes in any case, also when the server or its context
/// ends. Nothing here waits: in a mailbox with a limit the request stands in line.
///
/// @param to    Whom to ask: any `address`.
/// @param args  What the message is made of.
/// @return a `request_handle<Message::reply_type>`.
///
/// @par Errors
/// What the making of the message throws, and `std::bad_alloc`. Everything else, an unknown name too, is the
/// response.
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
/// @see request_set for many at once, whichever answers first; multi_call for one question to many.
template <class Message, class Address, class... Args>
auto send_request(Address to, Args&&... args) {
  static_assert(detail::makes<Message, Args...>, "otpp: the message cannot be made from these arguments");
  if constexpr (detail::makes<Message, Args...>) {
    return detail::make_request<Message>(
        std::move(to), infinite, [&] { return detail::make_message<Message>(std::forward<Args>(args)...); });
  }
}

/// As above, with a message that is made already.
template <address Address, class Message>
auto send_request(Address to, Message&& message) {
  return detail::request_with(std::move(to), infinite, std::forward<Message>(message));
}

/// As above, with a time after which the response is `errc::timeout`, whether anybody waits or not. It is
/// measured in the server's context; a wait has a time of its own.
template <address Address, class Message, detail::timeout_like Duration>
auto send_request(Address to, Message&& message, Duration timeout) {
  return detail::request_with(std::move(to), detail::saturate(timeout), std::forward<Message>(message));
}

} // namespace otpp
