// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline constexpr std::size_t most_term_members = 16;

// Whatever a member may be initialized with.
struct any_term_member {
  template <class T>
  operator T() const noexcept {
    std::terminate(); // never called; Clang wants a body where T is a type of an unnamed namespace
  }
};

template <class T, std::size_t... At>
constexpr bool takes_term_members(std::index_sequence<At...>) {
  return requires { T{(static_cast<void>(At), any_term_member())...}; };
}

// The number of members of an aggregate. One more than there may be means too many.
template <class T, std::size_t N = most_term_members + 1>
constexpr std::size_t number_of_term_members() {
  if constexpr (N == 0 || takes_term_members<T>(std::make_index_sequence<N>())) {
    return N;
  } else {
    return number_of_term_members<T, N - 1>();
  }
}

template <class T>
consteval bool check_term_members() {
  using type = std::remove_const_t<T>;
  static_assert(
      std::is_aggregate_v<type>,
      "otpp: only an aggregate shows its members; name them in the form: as::tagged(\"name\", &T::member)");
  if constexpr (std::is_aggregate_v<type>) {
    static_assert(
        number_of_term_members<type>() <= most_term_members,
        "otpp: more than 16 members; name them in the form: as::tagged(\"name\", &T::member)");
    return number_of_term_members<type>() <= most_term_members;
  }
  return false;
}

// Calls `visit` with all members of an aggregate.
template <class T, class Visit>
constexpr decltype(auto) with_term_members(T& one, Visit&& visit) {
  constexpr std::size_t n = check_term_members<T>() ? number_of_term_members<std::remove_const_t<T>>() : 0;
  if constexpr (n == 0) {
    return visit();
  } else if constexpr (n == 1) {
    auto& [a] = one;
    return visit(a);
  } else if constexpr (n == 2) {
    auto& [a, b] = one;
    return visit(a, b);
  } else if constexpr (n == 3) {
    auto& [a, b, c] = one;
    return visit(a, b, c);
  } else if constexpr (n == 4) {
    auto& [a, b, c, d] = one;
    return visit(a, b, c, d);
  } else if constexpr (n == 5) {
    auto& [a, b, c, d, e] = one;
    return visit(a, b, c, d, e);
  } else if constexpr (n == 6) {
    auto& [a, b, c, d, e, f] = one;
    return visit(a, b, c, d, e, f);
  } else if constexpr (n == 7) {
    auto& [a, b, c, d, e, f, g] = one;
    return visit(a, b, c, d, e, f, g);
  } else if constexpr (n == 8) {
    auto& [a, b, c, d, e, f, g, h] = one;
    return visit(a, b, c, d, e, f, g, h);
  } else if constexpr (n == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = one;
    return visit(a, b, c, d, e, f, g, h, i);
  } else if constexpr (n == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = one;
    return visit(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (n == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = one;
    return visit(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (n == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = one;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (n == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = one;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (n == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o] = one;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l, m, o);
  } else if constexpr (n == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p] = one;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p);
  } else {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q] = one;
    return visit(a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q);
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
