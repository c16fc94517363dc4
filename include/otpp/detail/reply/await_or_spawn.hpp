// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/runtime/turn.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/system_executor.hpp>
#include <asio/use_awaitable.hpp>

#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Runs a coroutine where its completion handler runs.
struct initiate_coroutine : initiation {
  template <class Handler, class R>
  void operator()(Handler&& handler, asio::awaitable<R> body) {
    asio::any_io_executor executor;
    if constexpr (has_own_executor<std::decay_t<Handler>>) {
      executor = executor_for(handler, no_fallback());
    } else {
      fallback otherwise(asio::any_io_executor(asio::system_executor()), turn::current());
      executor = executor_for(handler, otherwise.executor());
    }
    asio::co_spawn(std::move(executor), std::move(body), std::forward<Handler>(handler));
  }
};

// A verb that takes several steps, as a coroutine: awaited itself where that is what the token asks for, so that it
// waits as the caller does (deadlock.hpp).
template <class R, class Token>
auto await_or_spawn(asio::awaitable<R> body, Token&& token) {
  if constexpr (std::is_same_v<std::decay_t<Token>, asio::use_awaitable_t<>>) {
    return body;
  } else {
    return initiate<R>(initiate_coroutine(), std::forward<Token>(token), std::move(body));
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
