// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/trailing_token.hpp>

#include <asio/use_awaitable.hpp>

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
M make_message(Args&&... args) {
  if constexpr (std::is_constructible_v<M, Args...>) {
    return M(std::forward<Args>(args)...);
  } else {
    return M{std::forward<Args>(args)...};
  }
}

// Calls send(message, token). The last argument is the token if the message cannot be made of all of them.
template <class M, class Send, class... Args>
auto make_and_send(Send send, Args&&... args) {
  if constexpr (makes<M, Args...>) { // like with_trailing_token, but with less to compile for each message
    return send(make_message<M>(std::forward<Args>(args)...), asio::use_awaitable);
  } else {
    constexpr bool fits = fits_without_last<is_made_of<M>::template these, Args...>();
    static_assert(fits, "otpp: the message cannot be made from these arguments");
    if constexpr (fits) {
      return with_trailing_token<is_made_of<M>::template these>(
          asio::use_awaitable,
          [&]<class Token, class... Rest>(Token&& token, Rest&&... rest) {
            return send(make_message<M>(std::forward<Rest>(rest)...), std::forward<Token>(token));
          },
          std::forward<Args>(args)...);
    }
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
