// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <asio/awaitable.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// What run, spawn, co_spawn and the like take: a coroutine, or a function that starts one.

namespace otpp::detail {

template <class T>
inline constexpr bool is_coroutine = false;
template <class T>
inline constexpr bool is_coroutine<asio::awaitable<T>> = true;

enum class body_kind : std::uint8_t { none, coroutine, function };

template <class Body>
consteval body_kind kind_of_body() {
  using kept = std::decay_t<Body>;
  if constexpr (is_coroutine<kept>) {
    return std::constructible_from<kept, Body> ? body_kind::coroutine : body_kind::none;
  } else if constexpr (std::invocable<kept&> && std::constructible_from<kept, Body>) {
    return is_coroutine<std::invoke_result_t<kept&>> ? body_kind::function : body_kind::none;
  } else {
    return body_kind::none;
  }
}

template <class Body>
concept coroutine_body = kind_of_body<Body>() != body_kind::none;

// True if it is a body; else the compiler says what a body is.
template <class Body>
consteval bool check_body() {
  static_assert(
      coroutine_body<Body>,
      "otpp: this is no coroutine, and no function that starts one: pass an asio::awaitable (a named one by "
      "std::move), or a function object that takes no arguments and returns an asio::awaitable");
  return coroutine_body<Body>;
}

// GCC 12 destroys `[copied] {...}` twice in `co_await verb([copied] {...})`, whatever the callee does.
template <class Function>
consteval bool check_function() {
  static_assert(
      !destroys_awaited_aggregates_twice || std::is_lvalue_reference_v<Function> ||
          std::is_trivially_copyable_v<std::remove_cvref_t<Function>> ||
          std::default_initializable<std::remove_cvref_t<Function>>,
      "otpp: GCC before 13 destroys a lambda twice that is made inside a co_await expression and captures "
      "more than references and numbers: name the function first, and pass the name");
  return true;
}

// Runs a coroutine with the function that has started it in its frame: a lambda's coroutine uses the lambda's
// captures. A class template for the same reason as handler_coroutine::job_of.
template <class Function>
struct kept_function {
  using coroutine = std::invoke_result_t<Function&>;

  static coroutine run(Function function) {
    using result_type = typename coroutine::value_type;
    if constexpr (std::is_void_v<result_type>) {
      co_await function();
    } else {
      result_type result = co_await function();
      co_return result;
    }
  }
};

// The coroutine of a body. What was checked by check_body() is kept in its frame.
template <class Body>
auto coroutine_of(Body&& body) {
  if constexpr (kind_of_body<Body>() == body_kind::coroutine) {
    return std::decay_t<Body>(std::forward<Body>(body));
  } else {
    return kept_function<std::decay_t<Body>>::run(std::forward<Body>(body));
  }
}

// What a body returns.
template <class Body>
using body_result_t = typename decltype(coroutine_of(std::declval<Body>()))::value_type;

} // namespace otpp::detail

#pragma GCC visibility pop
