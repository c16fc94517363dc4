// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

namespace otpp {

/// True for types that only refer to an object owned elsewhere; a message must not be one.
///
/// A message waits in a mailbox while its sender continues, so a view of the sender's memory would dangle.
/// Specialize it as false for a view whose target is never destroyed.
template <class T>
inline constexpr bool borrows = std::is_reference_v<T>;
template <class Char, class Traits>
inline constexpr bool borrows<std::basic_string_view<Char, Traits>> = true;
template <class T, std::size_t Extent>
inline constexpr bool borrows<std::span<T, Extent>> = true;
template <class T>
inline constexpr bool borrows<std::reference_wrapper<T>> = true;
template <class T>
inline constexpr bool borrows<std::initializer_list<T>> = true;

/// A type that can be sent: an object that can be moved, and whose destructor does not throw.
///
/// Its moves should not throw. One that throws while the message is made or sent reaches the sender, and nothing is
/// sent; one that throws later, where a handler takes the message by value, is an exception of that handler, and ends
/// the server, as any other does.
template <class M>
concept message = std::is_object_v<M> && std::same_as<M, std::remove_cv_t<M>> && std::move_constructible<M> &&
                  std::is_nothrow_destructible_v<M>;

/// A message that has an answer: it declares the answer's type as `reply_type`.
template <class M>
concept call_message = message<M> && requires { typename M::reply_type; };

/// The type of the answer to a call message.
template <call_message M>
using reply_t = typename M::reply_type;

/// The messages that a server accepts from senders that know only its name.
///
/// @code
/// using messages = otpp::message_list<get, add>;
/// @endcode
template <class... Messages>
struct message_list {};

} // namespace otpp
