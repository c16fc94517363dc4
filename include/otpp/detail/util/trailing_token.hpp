// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <tuple>
#include <utility>

#pragma GCC visibility push(default)

// For functions that take any number of arguments, of which the last may be a completion token.

namespace otpp::detail {

// Is Fits<Args...> true, without the last of them?
template <template <class...> class Fits, class... Args>
consteval bool fits_without_last() {
  if constexpr (sizeof...(Args) == 0) {
    return false;
  } else {
    return []<std::size_t... At>(std::index_sequence<At...>) {
      return Fits<std::tuple_element_t<At, std::tuple<Args...>>...>::value;
    }(std::make_index_sequence<sizeof...(Args) - 1>());
  }
}

// Is Fits true of all arguments, or of all but the last, which is the token then?
template <template <class...> class Fits, class... Args>
consteval bool fits_with_trailing_token() {
  if constexpr (Fits<Args...>::value) {
    return true;
  } else {
    return fits_without_last<Fits, Args...>();
  }
}

// Calls make(token, arguments...), with the default token if Fits is true of all arguments.
template <template <class...> class Fits, class Token, class Make, class... Args>
  requires(fits_with_trailing_token<Fits, Args...>())
decltype(auto) with_trailing_token(const Token& default_token, Make&& make, Args&&... args) {
  if constexpr (Fits<Args...>::value) {
    return make(default_token, std::forward<Args>(args)...);
  } else {
    constexpr std::size_t last = sizeof...(Args) - 1;
    std::tuple<Args&&...> all(std::forward<Args>(args)...);
    return [&]<std::size_t... At>(std::index_sequence<At...>) -> decltype(auto) {
      return make(std::get<last>(std::move(all)), std::get<At>(std::move(all))...);
    }(std::make_index_sequence<last>());
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
