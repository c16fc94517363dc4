// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <tuple>
#include <utility>

namespace otpp::detail {

// For functions whose completion token comes after any number of arguments.

// Calls function(last, rest...).
template <class Function, class... Args>
decltype(auto) apply_without_last(Function&& function, Args&&... args) {
  constexpr std::size_t last = sizeof...(Args) - 1;
  std::tuple<Args&&...> all(std::forward<Args>(args)...);
  return [&]<std::size_t... At>(std::index_sequence<At...>) -> decltype(auto) {
    return function(std::get<last>(std::move(all)), std::get<At>(std::move(all))...);
  }(std::make_index_sequence<last>());
}

// Is Predicate<rest...> true?
template <template <class...> class Predicate, class... Args>
consteval bool holds_without_last() {
  if constexpr (sizeof...(Args) == 0) {
    return false;
  } else {
    return []<std::size_t... At>(std::index_sequence<At...>) {
      return Predicate<std::tuple_element_t<At, std::tuple<Args...>>...>::value;
    }(std::make_index_sequence<sizeof...(Args) - 1>());
  }
}

} // namespace otpp::detail
