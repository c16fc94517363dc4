// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/message.hpp>

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

namespace otpp::detail {

// Probes for the members of an aggregate. Each stands for one member's initializer, and converts to exactly
// what its name says, so that a requires-expression can test that member. (The conversions are never called;
// without a body clang warns about messages in unnamed namespaces.)
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
    return false; // takes anything, such as std::any, so it tells nothing
  } else {
    return member_takes<M, borrowed_probe, before> || member_takes<M, const_reference_probe, before> ||
           (member_takes<M, lvalue_probe, before> && !member_takes<M, any_probe, before>);
  }
}

// Checks the first members of an aggregate. Of a class with constructors nothing can be known.
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

} // namespace otpp::detail
