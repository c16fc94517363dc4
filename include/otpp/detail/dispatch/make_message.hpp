// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/util/narrowing.hpp>
#include <otpp/detail/util/trailing_token.hpp>

#include <asio/use_awaitable.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Can a message be made of these arguments, by a constructor or member by member?
template <class M, class... Args>
concept makes =
    std::is_constructible_v<M, Args...> || requires(Args&&... args) { M{std::forward<Args>(args)...}; };

template <class M>
struct is_made_of {
  template <class... Args>
  struct these {
    static constexpr bool value = makes<M, Args...>;
  };
};

template <class M, class... Args>
concept makes_in_braces =
    std::is_aggregate_v<M> && requires(Args&&... args) { M{std::forward<Args>(args)...}; };

// Member by member where it has no constructor; else a constructor decides.
template <class M, class... Args>
M make_message(Args&&... args) {
  static_assert(
      !loses_arguments<is_made_of<M>::template these, Args...>(),
      "otpp: the message cannot keep an argument: a fraction is given for an integer, or a number for one of "
      "smaller range or other sign; where that is meant, static_cast it");
  if constexpr (std::is_constructible_v<M, Args...> && !makes_in_braces<M, Args...>) {
    return M(std::forward<Args>(args)...);
  } else {
    return M{std::forward<Args>(args)...};
  }
}

// Can the last of them be a completion token at all? A number cannot, which is one argument too many.
template <class... Args>
consteval bool may_end_in_token() {
  if constexpr (sizeof...(Args) == 0) {
    return false;
  } else {
    using last = std::decay_t<std::tuple_element_t<sizeof...(Args) - 1, std::tuple<Args...>>>;
    return std::is_class_v<last> || std::is_function_v<std::remove_pointer_t<last>>;
  }
}

// Calls send(message, token). The last argument is the token if the message cannot be made of all of them.
template <class M, class Send, class... Args>
auto make_and_send(Send send, Args&&... args) {
  if constexpr (makes<M, Args...>) { // like with_trailing_token, but with less to compile for each message
    return send(make_message<M>(std::forward<Args>(args)...), asio::use_awaitable);
  } else {
    constexpr bool fits =
        may_end_in_token<Args...>() && fits_without_last<is_made_of<M>::template these, Args...>();
    static_assert(
        fits,
        "otpp: the message cannot be made from these arguments, nor from all but the last with that as the "
        "completion token");
    if constexpr (fits) {
      return with_trailing_token<is_made_of<M>::template these>(
          asio::use_awaitable,
          [&]<class Token, class... Rest>(Token&& token, Rest&&... rest) {
            return send(make_message<M>(std::forward<Rest>(rest)...), std::forward<Token>(token));
          },
          std::forward<Args>(args)...);
    } else {
      return refused<anything>();
    }
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
