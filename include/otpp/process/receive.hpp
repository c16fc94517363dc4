// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/message.hpp>
#include <otpp/process/detail/receive_request.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Waits for a message of one of these types, and returns it: of several types as a `std::variant`. Erlang's
/// `receive`.
///
/// Takes the first message that matches; messages of other types stay in the mailbox, in order, for a later
/// receive. Must be awaited in the body of a process that `spawn` has started. If several receives wait at
/// once, as in `receive<a>() || receive<b>()`, a message goes to the first that takes its type. There both may have got one
/// before `||` looks, and it drops the second: `receive<a, b>()` takes just one.
///
/// @tparam M       The message types, which may include `otpp::down` and `otpp::exit_signal`.
/// @param timeout  How long to wait; `otpp::infinite` waits forever. Zero or less takes only a message that
///                 is already queued.
/// @param token    A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr, M)`, or `void(std::exception_ptr, std::variant<M...>)`
///
/// @par Errors
/// - `errc::timeout`: no message came in time.
/// - `errc::no_process`: the caller is not the body of such a process.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`; no message is lost: one that has come by then is
/// returned. `stop`, an exit signal to the process, and the end of its body have the same effect.
///
/// But `receive<M>() || timer` loses messages, by Asio's doing: if both are over before the coroutine goes on, `||`
/// keeps the result of one, and drops that of the other. `receive<M>(timeout)` returns the message, or leaves it in
/// the mailbox. To wait for something else beside a message, have that sent as a message, too, as
/// `send_after` does, and receive either: `receive<M, other>()` takes one, and the other stays in the mailbox.
///
/// @par Thread safety
/// Affects the process whose body calls it.
///
/// @par Lifetime
/// The wait ends with the process.
///
/// @par Complexity
/// Linear in the number of messages skipped.
///
/// @par Example
/// @code
/// line next = co_await otpp::receive<line>();
/// std::variant<line, otpp::down> either = co_await otpp::receive<line, otpp::down>(1s);
/// @endcode
template <message... M, detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  requires(sizeof...(M) > 0)
auto receive(Duration timeout, Token&& token = {}) {
  return detail::initiate<detail::received_t<M...>>(
      detail::initiate_receive<M...>(), std::forward<Token>(token), detail::saturate(timeout));
}

/// Waits for a message however long that takes. All else as above.
///
/// @param token  A completion token; `asio::use_awaitable` by default.
template <message... M, class Token = asio::use_awaitable_t<>>
  requires(sizeof...(M) > 0 && !detail::timeout_like<Token>)
auto receive(Token&& token = {}) {
  return otpp::receive<M...>(infinite, std::forward<Token>(token));
}

} // namespace otpp

#pragma GCC visibility pop
