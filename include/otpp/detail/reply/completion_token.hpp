// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/outcome.hpp>

#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class R>
struct completion_signature {
  using type = void(std::exception_ptr, R);
};
template <>
struct completion_signature<void> {
  using type = void(std::exception_ptr);
};
template <class R>
using completion_signature_t = typename completion_signature<R>::type;

template <class Token>
inline constexpr bool is_use_awaitable = false;
template <class Executor>
inline constexpr bool is_use_awaitable<asio::use_awaitable_t<Executor>> = true;
template <class Token>
inline constexpr bool is_use_future = false;
template <class Allocator>
inline constexpr bool is_use_future<asio::use_future_t<Allocator>> = true;

// Can a verb that completes with an R take this token? The usual tokens are recognized without asking Asio,
// whose check compiles slowly.
template <class R, class Token>
consteval bool fits_token() {
  if constexpr (is_use_awaitable<std::decay_t<Token>> || is_use_future<std::decay_t<Token>>) {
    return true;
  } else {
    return completion_token_for<Token, completion_signature_t<R>>;
  }
}

// True if it can; else the compiler says why not. A handler gets a default-made R beside an error.
template <class R, class Token>
consteval bool check_token() {
  constexpr bool has_default = std::is_void_v<R> || std::default_initializable<stored_t<R>> ||
                               is_use_awaitable<std::decay_t<Token>> || is_use_future<std::decay_t<Token>>;
  static_assert(
      fits_token<R, Token>(),
      "otpp: this is no completion token for this verb: it takes asio::use_awaitable, asio::use_future and "
      "the like, or a function of (std::exception_ptr, Reply), without Reply where that is void");
  static_assert(
      has_default || !fits_token<R, Token>(),
      "otpp: this token's handler takes an answer even where there is an error, so that the answer's "
      "type must be default-constructible; asio::use_awaitable and asio::use_future ask for less");
  return fits_token<R, Token>() && has_default;
}

// Of the type that a verb returns where the compiler has reported a mistake, so that it has no more to report.
struct anything {
  template <class T>
  operator T() const noexcept {
    std::terminate();
  }
};
template <class R>
asio::awaitable<R> refused() {
  return {};
}

// Asio's coroutines move an answer in places where an exception would leave its event loop. So an answer whose
// move may throw is awaited in a std::unique_ptr: `await_boxed` takes it out, and throws in the caller.
template <class R, class Token>
inline constexpr bool is_boxed = !std::is_void_v<R> && is_use_awaitable<std::decay_t<Token>> &&
                                 !std::is_nothrow_move_constructible_v<stored_t<R>>;

// True for the completion handler of `await_boxed`, which is that of use_awaitable.
template <class R, class Handler>
inline constexpr bool takes_box = false;
template <class R, template <class...> class Handler, class Executor>
inline constexpr bool takes_box<R, Handler<Executor, std::exception_ptr, std::unique_ptr<R>>> = true;

template <class R, class Executor, class Initiation, class... Args>
asio::awaitable<R, Executor> await_boxed(
    asio::use_awaitable_t<Executor> token, Initiation initiation, Args... args) {
  using box = std::unique_ptr<R>;
  box value = co_await asio::async_initiate<asio::use_awaitable_t<Executor>, void(std::exception_ptr, box)>(
      std::move(initiation), token, std::move(args)...);
  co_return std::move(*value);
}

// Initiates an operation that completes with an R, if the token can be used for it.
template <class R, class Initiation, class Token, class... Args>
auto initiate(Initiation initiation, Token&& token, Args&&... args) {
  if constexpr (is_boxed<R, Token>) {
    return await_boxed<R>(token, std::move(initiation), std::forward<Args>(args)...);
  } else if constexpr (check_token<R, Token>()) {
    return asio::async_initiate<Token, completion_signature_t<R>>(
        std::move(initiation), token, std::forward<Args>(args)...);
  } else {
    return refused<R>();
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
