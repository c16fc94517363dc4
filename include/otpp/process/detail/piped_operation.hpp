// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/util/coroutine_body.hpp>
#include <otpp/outcome.hpp>

#include <asio/awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// The operations that pipe and pipe_each take, and how they end: with what a completion handler would be
// given, as a tuple.

namespace otpp::detail {

template <class Operation>
using tuple_of_operation = decltype(std::declval<Operation>()(awaitable_tuple()));

// An operation of Asio that waits for its token, as what asio::deferred returns.
template <class Operation>
concept deferred_operation = !coroutine_body<Operation> && requires {
  typename tuple_of_operation<std::decay_t<Operation>>;
} && is_coroutine<tuple_of_operation<std::decay_t<Operation>>>;

template <class Operation>
concept pipeable = coroutine_body<Operation> || deferred_operation<Operation>;

// A coroutine completes as in asio::co_spawn. A class template for the same reason as
// handler_coroutine::job_of.
template <class T>
struct settled_coroutine {
  using result = std::tuple<std::exception_ptr, T>;

  static asio::awaitable<result> run(asio::awaitable<T> work) {
    std::exception_ptr error;
    try {
      T value = co_await std::move(work);
      co_return result(nullptr, std::move(value));
    } catch (...) {
      error = std::current_exception();
    }
    co_return result(std::move(error), T());
  }
};
template <>
struct settled_coroutine<void> {
  using result = std::tuple<std::exception_ptr>;

  static asio::awaitable<result> run(asio::awaitable<void> work) {
    std::exception_ptr error;
    try {
      co_await std::move(work);
    } catch (...) {
      error = std::current_exception();
    }
    co_return result(std::move(error));
  }
};

template <class T>
consteval bool check_piped_result() {
  constexpr bool has_default = std::is_void_v<T> || std::default_initializable<stored_t<T>>;
  static_assert(
      has_default,
      "otpp: to_message takes a result even where there is an error, so that the result of a coroutine that "
      "is "
      "piped must be default-constructible; let it return a std::optional");
  return has_default;
}

template <class Operation>
consteval bool check_operation() {
  static_assert(
      pipeable<Operation>,
      "otpp: this is no operation: pass an asio::awaitable (a named one by std::move), a function without "
      "parameters "
      "that returns one, or an operation of Asio whose token is asio::deferred");
  if constexpr (coroutine_body<Operation>) {
    return check_piped_result<body_result_t<Operation>>();
  } else {
    return pipeable<Operation>;
  }
}

// Starts an operation that check_operation() has let pass.
template <class Operation>
auto settle_operation(Operation&& operation) {
  if constexpr (coroutine_body<Operation>) {
    using result = body_result_t<Operation>;
    return settled_coroutine<result>::run(coroutine_of(std::forward<Operation>(operation)));
  } else {
    return std::forward<Operation>(operation)(awaitable_tuple());
  }
}

// The tuple with which it completes.
template <class Operation>
using piped_results_t =
    typename decltype(settle_operation(std::declval<std::decay_t<Operation>>()))::value_type;

// The message that is made of it.
template <class ToMessage, class Results>
inline constexpr bool makes_message = false;
template <class ToMessage, class... Results>
inline constexpr bool makes_message<ToMessage, std::tuple<Results...>> =
    std::invocable<ToMessage&, Results...>;

template <class ToMessage, class Results>
consteval bool check_to_message() {
  static_assert(
      makes_message<ToMessage, Results>,
      "otpp: to_message takes what a completion handler of the operation would be given: of a coroutine "
      "(std::exception_ptr, T), without T where that is void; of an operation of Asio mostly "
      "(std::error_code, ...)");
  return makes_message<ToMessage, Results>;
}

template <class ToMessage, class Results>
using piped_message_t =
    std::decay_t<decltype(std::apply(std::declval<ToMessage&>(), std::declval<Results>()))>;

// Does a stream end with this? With an error, or with an optional that has no value.
inline bool is_end(const std::exception_ptr& error) noexcept { return error != nullptr; }
inline bool is_end(const std::error_code& error) noexcept { return static_cast<bool>(error); }
template <class T>
bool is_end(const std::optional<T>& value) noexcept {
  return !value.has_value();
}

template <class... Results>
bool ends_stream(const std::tuple<Results...>& results) noexcept {
  constexpr std::size_t size = sizeof...(Results);
  bool is_over = false;
  if constexpr (size != 0) {
    if constexpr (requires { detail::is_end(std::get<0>(results)); }) {
      is_over = detail::is_end(std::get<0>(results));
    }
    if constexpr (size > 1 && requires { detail::is_end(std::get<size - 1>(results)); }) {
      is_over = is_over || detail::is_end(std::get<size - 1>(results));
    }
  }
  return is_over;
}

} // namespace otpp::detail

#pragma GCC visibility pop
