// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// The value of `borrows` for a type of which nothing is said: detail/util/borrows.hpp looks into the type.
struct unsaid {
  constexpr operator bool() const noexcept { return false; }
};

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

} // namespace detail

/// True for types that only refer to an object owned elsewhere; a message must not be one, nor hold one.
///
/// A message waits in a mailbox while its sender continues, so a view of the sender's memory would dangle. The
/// library looks into aggregates and their bases, into pairs, tuples, variants and arrays, and into whatever has a
/// `value_type`. Other classes with constructors, and a reference to something that can only be moved, are taken as
/// they are; specialize it as true for views of your own.
///
/// What is said of a type decides, and nothing is looked at inside of it. So specialize it as false, for the message
/// or for the type of a member, where the target is never destroyed, or where a message is refused that owns all it
/// has. The specialization must stand before the message is first sent.
///
/// @code
/// struct log_line {
///   int level;
///   const char* text; // a string literal
/// };
/// template <>
/// inline constexpr bool otpp::borrows<log_line> = false;
/// @endcode
template <class T>
inline constexpr detail::unsaid borrows{};
template <class T>
inline constexpr bool borrows<T&> = true;
template <class T>
inline constexpr bool borrows<T&&> = true;
template <detail::character Char>
inline constexpr bool borrows<const Char*> = true;
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
///
/// The library gives a message the alignment that its type asks for. Coroutine frames do not: what is over-aligned and
/// stands in one, be it a variable, a parameter by value, or what `co_await call(...)` is given or returns, may be
/// misaligned (docs/compilers.md). Send it with another token, take it by `M&&`, or put it into a `std::unique_ptr`.
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

#pragma GCC visibility pop
