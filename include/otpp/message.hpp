// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otpp {

/// True for types that only point at what somebody else owns, which a message must not.
///
/// A message waits in a mailbox while its sender goes on, so that a view of the sender's memory would
/// dangle. Specialise it as false for a view that is safe because what it views is never destroyed.
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

namespace detail {

// Probes for the members of an aggregate. Each stands where one member's initialiser would, and
// converts to exactly what its name says, so that a requires-expression can ask about that member. (They
// are never called; without a body clang warns about messages of unnamed namespaces.)
struct any_probe {
  template <class T>
  operator T() const noexcept {
    std::terminate();
  }
};
struct no_probe {};
struct borrowed_probe {
  template <class T>
    requires borrows<T>
  operator T() const noexcept {
    std::terminate();
  }
};
// A `const X&` member deduces T as const X; a member of type X never does.
struct const_reference_probe {
  template <class T>
    requires std::is_const_v<T>
  operator T&() const noexcept {
    std::terminate();
  }
};
struct lvalue_probe {
  template <class T>
  operator T&() const noexcept {
    std::terminate();
  }
};

template <std::size_t>
using any_probe_at = any_probe;

template <class M, class Probe, class Before>
inline constexpr bool member_takes = false;
template <class M, class Probe, std::size_t... Before>
inline constexpr bool member_takes<M, Probe, std::index_sequence<Before...>> =
    requires { M{any_probe_at<Before>{}..., Probe{}}; };

template <class M, std::size_t At>
consteval bool member_borrows() {
  using before = std::make_index_sequence<At>;
  if constexpr (member_takes<M, no_probe, before>) {
    return false; // takes anything, such as std::any: it says nothing
  } else {
    return member_takes<M, borrowed_probe, before> || member_takes<M, const_reference_probe, before> ||
           (member_takes<M, lvalue_probe, before> && !member_takes<M, any_probe, before>);
  }
}

// Looks at the first members of an aggregate; of a class with constructors nothing can be known.
template <class M>
consteval bool message_borrows() {
  if constexpr (borrows<M>) {
    return true;
  } else if constexpr (std::is_aggregate_v<M> && !std::is_array_v<M>) {
    return []<std::size_t... At>(std::index_sequence<At...>) {
      return (member_borrows<M, At>() || ...);
    }(std::make_index_sequence<6>{});
  } else {
    return false;
  }
}

} // namespace detail

/// What can be sent: an object that can be moved, whose destructor does not throw.
template <class M>
concept message = std::is_object_v<M> && std::same_as<M, std::remove_cv_t<M>> && std::move_constructible<M> &&
                  std::is_nothrow_destructible_v<M>;

/// A message that asks for an answer: it names the answer's type as `reply_type`.
template <class M>
concept call_message = message<M> && requires { typename M::reply_type; };

/// The type of the answer to a call message.
template <call_message M>
using reply_t = typename M::reply_type;

/// The messages that a server takes from senders who know only its name.
///
/// @code
/// using messages = otpp::message_list<get, add>;
/// @endcode
template <class... Messages>
struct message_list {};

} // namespace otpp
