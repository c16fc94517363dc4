// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// Conversions that lose a part of a number. Compilers warn of them in the user's code, but not where the library
// converts what the user has passed on.

namespace otpp::detail {

// Does a To lose a part of what a From can be? As in braces, where a constant that fits is no loss. What is passed on is
// no constant any more, so that an int, or what is promoted to one, may become any number, and a double any number with
// a fraction: the literals of a program are of these types.
template <class From, class To>
consteval bool loses() {
  if constexpr (!std::is_arithmetic_v<From> || !std::is_arithmetic_v<To>) {
    return false;
  } else if constexpr (std::is_floating_point_v<From> || std::is_floating_point_v<To>) {
    return !std::is_floating_point_v<To>;
  } else {
    return !std::is_same_v<decltype(+std::declval<From>()), int> && !requires(From number) { To{number}; };
  }
}

// Does it lose a fraction? An answer is asked no more than this: it is written in a function whose type is known to its
// author, as any other return value is.
template <class From, class To>
inline constexpr bool loses_fraction = std::is_floating_point_v<From> && std::is_integral_v<To>;

// Can there be such a To?
template <class From>
inline constexpr bool may_be_lost = false;
template <class From>
  requires std::is_arithmetic_v<From>
inline constexpr bool may_be_lost<From> = !std::is_same_v<decltype(+std::declval<From>()), int>;

// Stands for a From, and converts only to what keeps its value, or only to what does not.
template <class From, bool Lost>
struct number_probe {
  template <class To>
    requires(std::is_arithmetic_v<To> && loses<From, To>() == Lost)
  operator To() const noexcept {
    std::terminate();
  }
};

template <bool Which, class Probe, class Other>
using probe_or = std::conditional_t<Which, Probe, Other>;

// Fits<Args...> is true. Is it, because a part of the argument at One is lost? If it is not known what becomes of the
// argument, as where a class is made of anything, then not.
template <template <class...> class Fits, std::size_t One, class... Args, std::size_t... At>
consteval bool loses_argument(std::index_sequence<At...>) {
  using from = std::decay_t<std::tuple_element_t<One, std::tuple<Args...>>>;
  if constexpr (!may_be_lost<from>) {
    return false;
  } else {
    return !Fits<probe_or<At == One, number_probe<from, false>, Args>...>::value &&
           Fits<probe_or<At == One, number_probe<from, true>, Args>...>::value;
  }
}

template <template <class...> class Fits, class... Args>
consteval bool loses_arguments() {
  if constexpr ((may_be_lost<std::decay_t<Args>> || ...)) {
    return []<std::size_t... At>(std::index_sequence<At...> all) {
      return (loses_argument<Fits, At, Args...>(all) || ...);
    }(std::make_index_sequence<sizeof...(Args)>());
  } else {
    return false;
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
