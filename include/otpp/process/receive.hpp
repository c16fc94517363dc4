// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/message.hpp>
#include <otpp/process/detail/receive_request.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <utility>

namespace otpp {

/// Waits for a message of one of these types, and returns it: of several types as a `std::variant`. Erlang's
/// `receive`.
///
/// The first that fits is taken; what is of another type stays in the mailbox, in its order, for a later
/// receive. To be awaited in the body of a process that `spawn` has started. Where several wait at once, as in
/// `receive<a>() || receive<b>()`, a message goes to the first that takes its type.
///
/// @tparam M       The types of message: also `otpp::down` and `otpp::exit_signal`.
/// @param timeout  How long to wait. Forever by default. With zero, or less, only what is there already is taken.
/// @param token    A completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr, M)`, or `void(std::exception_ptr, std::variant<M...>)`
///
/// @par Errors
/// - `errc::timeout`: none has come in time.
/// - `errc::no_process`: it is not such a body that asks.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`; no message is lost. So do `stop`, or an exit
/// signal, for the process, and the end of its body.
///
/// @par Thread safety
/// It is about the process whose body this is.
///
/// @par Lifetime
/// The wait ends with the process.
///
/// @par Complexity
/// Linear in the messages that were passed over.
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
template <message... M, class Token = asio::use_awaitable_t<>>
  requires(sizeof...(M) > 0 && !detail::timeout_like<Token>)
auto receive(Token&& token = {}) {
  return otpp::receive<M...>(infinite, std::forward<Token>(token));
}

} // namespace otpp
