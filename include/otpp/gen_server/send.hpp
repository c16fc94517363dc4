// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/make_message.hpp>
#include <otpp/detail/dispatch/post_message.hpp>
#include <otpp/detail/server/server_core.hpp>

#include <asio/use_awaitable.hpp>

#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Sends a message to a server's `handle_info`; builds it in place. Erlang's `Pid ! Message`.
///
/// Completes when the mailbox has taken the message; `handle_info` gets it after every earlier message has
/// been handled. With the default token and no mailbox limit the calling coroutine is not suspended, as with `cast`.
///
/// @param to    The server: any `address`.
/// @param args  The arguments from which the message is constructed. If it cannot be constructed from all of
/// them, the last is a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// - `errc::no_process`: no process has that name, or the server has ended. In OTP it is an error for a name
/// only.
/// - `errc::exited`: the server ended while this operation waited for room.
/// - `errc::mailbox_full`: a handler cannot wait for room in its own mailbox; or there is no room, and the server was
/// started with `overflow::refuse`. With `overflow::drop_newest` it is no error: the message is dropped.
/// - `errc::draining`: the server drains, and takes nothing new. Nothing is sent.
/// - `errc::deadlock`: as for `cast`.
/// - `errc::bad_message`: as for `call`.
///
/// @par Cancellation
/// All types end a wait for room with `asio::error::operation_aborted`; then nothing was sent.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Lifetime
/// As for `call`.
///
/// @par Example
/// @code
/// co_await otpp::send<ticker::tick>(server);
/// @endcode
template <class Message, class Address, class... Args>
auto send(Address&& to, Args&&... args) {
  return detail::post_in_place<detail::server_core::verb::info, Message>(
      std::forward<Address>(to), std::forward<Args>(args)...);
}

/// Sends an existing message. All else as above.
///
/// @param to       The server: any `address`.
/// @param message  Moved if it is a temporary, otherwise copied, before this function returns.
/// @param token    A completion token; `asio::use_awaitable` by default.
template <address Address, class Message, class Token = asio::use_awaitable_t<>>
auto send(Address to, Message&& message, Token&& token = {}) {
  return detail::post_message<detail::server_core::verb::info>(
      std::move(to), std::forward<Message>(message), std::forward<Token>(token));
}

/// Sends a message if that is possible at once: never waits, never throws. Returns false if there is no such
/// server, the server does not take the message, its mailbox is full, or there is no memory.
///
/// @param to       The server: any `address` but a `server_ref`, for which there is an overload of its own.
/// @param message  Moved if it is a temporary, which may be so even if it is not sent; otherwise copied.
///
/// @par Thread safety
/// Safe from any thread.
template <address Address, class Message>
  requires(!detail::is_server_ref<Address>)
bool try_send(Address to, Message&& message) noexcept {
  return detail::try_post<detail::server_core::verb::info, std::decay_t<Message>>(
      std::move(to), std::forward<Message>(message));
}

/// Sends a message if that is possible at once; builds it in place. All else as above.
///
/// @param to    As above.
/// @param args  The arguments from which the message is constructed.
template <class Message, class Address, class... Args>
  requires(!detail::is_server_ref<Address> && detail::makes<Message, Args...>)
bool try_send(Address to, Args&&... args) noexcept {
  return detail::try_post<detail::server_core::verb::info, Message>(
      std::move(to), std::forward<Args>(args)...);
}

/// Sends a message to a `server_ref` if that is possible at once. The message is checked at compile time; all
/// else as above.
///
/// @param to       A `server_ref`, which is only borrowed: it is neither copied nor counted.
/// @param message  As above.
template <class Callbacks, class Message>
bool try_send(detail::borrowed_ref<Callbacks> to, Message&& message) noexcept {
  return detail::try_post_to<detail::server_core::verb::info, std::decay_t<Message>>(
      to, std::forward<Message>(message));
}

/// Sends a message to a `server_ref` if that is possible at once; builds it in place. All else as above.
///
/// @param to    As above.
/// @param args  The arguments from which the message is constructed.
template <class Message, class Callbacks, class... Args>
  requires detail::makes<Message, Args...>
bool try_send(detail::borrowed_ref<Callbacks> to, Args&&... args) noexcept {
  return detail::try_post_to<detail::server_core::verb::info, Message>(to, std::forward<Args>(args)...);
}

} // namespace otpp

#pragma GCC visibility pop
