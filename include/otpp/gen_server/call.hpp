// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/lease.hpp>
#include <otpp/detail/dispatch/make_message.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/deadlock.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/error.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <exception>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

template <call_message M, class Address>
class initiate_call : public initiation {
 public:
  // Has a constructor, so that it is not an aggregate: it is used in a co_await expression (GCC PR 101976).
  initiate_call(Address address, duration patience) : to_(std::move(address)), timeout_(patience) {}

  template <class Handler>
  void operator()(Handler&& handler, M&& content) {
    using reply = reply_t<M>;
    using lease_type = lease_of<Address>;
    using request = operation<leased<call_request<M>, lease_type>, reply, std::decay_t<Handler>>;
    [[maybe_unused]] lease_type lease;
    destination target = resolve_call<M>(std::move(to_), lease);
    duration patience = timeout_;
    unregistered<request> call = make_operation<request>(
        std::forward<Handler>(handler), target.server.get(), target.open, std::move(content), target.where);
    // From here on neither this object nor the handler may be touched: both may be destroyed with the caller.
    if (!call) {
      return;
    }
    if (target.error) {
      refuse(std::move(call), std::move(target.error));
      return;
    }
    server_core& server = *target.server;
    if constexpr (lends<Address>) {
      call->keep(std::move(lease));
    }
    call->timeout = patience;
    call->server = std::move(target.server);
    if (std::exception_ptr why = why_not_wait(*call, server)) {
      refuse(std::move(call), std::move(why));
    } else {
      server.send_call(std::move(call));
    }
  }

 private:
  Address to_;
  duration timeout_;
};

// Precondition: the message has been checked.
template <class M, class Address, class Token>
auto start_call(Address&& to, duration timeout, M&& content, Token&& token) {
  return initiate<reply_t<M>>(
      initiate_call<M, Address>(std::move(to), timeout), std::forward<Token>(token), std::move(content));
}

template <class Address, class Message, class Token>
auto call_with(Address&& to, Message&& content, duration timeout, Token&& token) {
  using M = std::decay_t<Message>;
  static_assert(check_temporary<Message, Token>());
  if constexpr (check_sent<server_core::verb::call, M, Address>()) {
    return start_call(std::move(to), timeout, M(std::forward<Message>(content)), std::forward<Token>(token));
  } else {
    return refused_call<M>();
  }
}

template <class M, class Given, class... Args>
auto call_in_place(Given&& to, duration timeout, Args&&... args) {
  using kept = std::decay_t<Given>;
  if constexpr (check_sent<server_core::verb::call, M, kept>()) {
    return make_and_send<M>(
        [&]<class Token>(M&& content, Token&& token) {
          return start_call(
              keep_address(std::forward<Given>(to)), timeout, std::move(content), std::forward<Token>(token));
        },
        std::forward<Args>(args)...);
  } else {
    return refused_call<M>();
  }
}

} // namespace detail

/// Sends a server a request and waits for its answer; builds the message in place. OTP's
/// `gen_server:call/2,3`.
///
/// The message goes to the end of the server's mailbox; `handle_call` gets it after every earlier message has
/// been handled. The server answers by returning a value, or later through an `otpp::caller`. A call always
/// completes, exactly once.
///
/// @param to    The server: any `address`.
/// @param args  The arguments from which the message is constructed: its members, or those of a constructor. If it
/// cannot be constructed from all of them, the last is a completion token. A fraction for an integer, or a number for
/// one of smaller range, does not compile; an `int` may become any number, as a literal may.
///
/// @par Completion signature
/// `void(std::exception_ptr, Message::reply_type)`; for `void`, `void(std::exception_ptr)`
///
/// @par Errors
/// - `errc::no_process`: no process has that name, or the server has ended.
/// - `errc::exited`: the server ended before it answered; `error::reason()` says why.
/// - `errc::timeout`: no answer within five seconds, or the given time. The server still handles the message;
/// its late answer is dropped. At a full mailbox the call waits for room, within the same time; a message that
/// has found none by then is not handled.
/// - `errc::mailbox_full`: there was no room for the message, and the server does not let callers wait for it
/// (`options::when_full`), or no worker of a `pool` may have another call (`pool_options::in_flight`). It is not handled.
/// - `errc::draining`: the server drains, and takes nothing new (`server_ref::drain`). Nothing is sent.
/// - `errc::no_reply`: the handler dropped the `otpp::caller`.
/// - `errc::calling_self`: a handler called its own server, which would never complete.
/// - `errc::deadlock`: a handler called a server that waits for this one, inside a handler of its own,
/// directly or through others, in whatever way it waits; the text names them. Nothing is sent. OTP waits for the timeout here. The
/// error is reported only if the deadlock is certain: each handler itself waits for its call (in `a || b`
/// neither counts), and none of the calls has an `otpp::caller`. Then only a timeout, a cancellation or an
/// exit signal could end it.
/// - `errc::bad_message`: the server does not take this message (string addresses), or the name belongs
///   to a server of another type.
/// - `errc::no_connection`, `errc::bad_reply`: of a process on another node only.
/// - any exception with which the handler answers, by `otpp::fail`.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`. As with a timeout, the server still handles
/// the message. `call || timer` may drop an answer that has come, as `||` drops what is second; `call_for` returns it.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler. The caller is resumed on its own executor, never inside
/// this call or inside another caller's handler. A server that is woken by code that the library has resumed
/// runs when that code suspends: a blocking `std::future::get` there would wait for its answer forever, as on
/// any Asio thread.
///
/// @par Lifetime
/// The address may be destroyed at once; a `server_name` views its text. If the caller's context is destroyed
/// during the wait, the caller is destroyed with it.
///
/// @par Example
/// @code
/// int count = co_await otpp::call<counter::add>(server, 5);
/// @endcode
///
/// @see call_for for another timeout; cast for a message that needs no answer.
template <class Message, class Address, class... Args>
auto call(Address&& to, Args&&... args) {
  return detail::call_in_place<Message>(
      std::forward<Address>(to), detail::unsaid_timeout, std::forward<Args>(args)...);
}

/// Sends a server a request and waits for its answer with another timeout than five seconds; builds the
/// message in place. All else as `call`.
///
/// @param to       The server: any `address`.
/// @param timeout  How long to wait at most. Zero sends the message and takes only an answer that is
///                 available at once; a negative one is `errc::timeout` and nothing is sent; `otpp::infinite`
///                 waits forever.
/// @param args     As for `call`.
///
/// @par Completion signature
/// `void(std::exception_ptr, Message::reply_type)`
///
/// @par Example
/// @code
/// int count = co_await otpp::call_for<counter::add>(server, 100ms, 5);
/// @endcode
template <class Message, class Address, detail::timeout_like Duration, class... Args>
auto call_for(Address&& to, Duration timeout, Args&&... args) {
  return detail::call_in_place<Message>(
      std::forward<Address>(to), detail::saturate(timeout), std::forward<Args>(args)...);
}

/// Calls a server with an existing message.
///
/// On GCC before 13 a message that is an aggregate must be a named variable (docs/compilers.md); the overload
/// that builds the message has no such restriction. All else as `call` with arguments.
///
/// @param to       The server: any `address`.
/// @param message  Moved if it is a temporary, otherwise copied, before this function returns.
/// @param token    A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr, Message::reply_type)`
///
/// @par Lifetime
/// As there.
///
/// @par Example
/// @code
/// counter::add five{5};
/// int count = co_await otpp::call(server, five, 100ms);
/// otpp::call(server, five, [](std::exception_ptr error, int count) { ... });
/// @endcode
template <address Address, class Message, class Token = asio::use_awaitable_t<>>
  requires(!detail::timeout_like<Token>)
auto call(Address to, Message&& message, Token&& token = {}) {
  return detail::call_with(
      std::move(to), std::forward<Message>(message), detail::unsaid_timeout, std::forward<Token>(token));
}

/// Calls a server with an existing message and another timeout than five seconds. All else as above.
///
/// @param to       The server: any `address`.
/// @param message  Moved if it is a temporary, otherwise copied, before this function returns.
/// @param timeout  How long to wait at most, as for `call_for`.
/// @param token    A completion token; `asio::use_awaitable` by default.
template <
    address Address, class Message, detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
auto call(Address to, Message&& message, Duration timeout, Token&& token = {}) {
  return detail::call_with(
      std::move(to), std::forward<Message>(message), detail::saturate(timeout), std::forward<Token>(token));
}

} // namespace otpp

#pragma GCC visibility pop
