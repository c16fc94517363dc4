// SPDX-License-Identifier: BSL-1.0

// The door: the one header that knows which Asio and which compiler this is.

#pragma once

// Asio before 1.26 asks clang for the Coroutines TS (asio#939); told that it has coroutines, it uses
// the standard ones.
#if defined(__clang__) && !defined(ASIO_HAS_CO_AWAIT)
#define ASIO_HAS_CO_AWAIT 1
#endif
#if !defined(ASIO_STANDALONE)
#define ASIO_STANDALONE 1
#endif

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/execution.hpp>
#include <asio/io_context.hpp>
#include <asio/require.hpp>
#include <asio/thread_pool.hpp>
#include <asio/version.hpp>

#include <cstddef>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <version>

#if ASIO_VERSION < 102201
#error "otpp needs Asio 1.22.1 or later (Debian: apt-get install libasio-dev)"
#endif
#if !defined(ASIO_HAS_CO_AWAIT)
#error \
    "otpp needs C++20 coroutines: compile with -std=c++20; with clang and Asio before 1.26 include otpp before Asio, or define ASIO_HAS_CO_AWAIT=1"
#endif

#if defined(__cpp_lib_source_location)
#include <source_location>
#endif

namespace asio::detail {
template <class T, class Blocking>
class promise_executor;
}

namespace otpp {

#if defined(__cpp_lib_source_location)
using source_location = std::source_location;
#else
// Stands in for std::source_location where the compiler has none (clang 14 with libstdc++ 12).
struct source_location {
  static constexpr source_location current() noexcept { return {}; }
  constexpr const char* file_name() const noexcept { return ""; }
  constexpr const char* function_name() const noexcept { return ""; }
  constexpr unsigned line() const noexcept { return 0; }
};
#endif

namespace detail {

// GCC before 13 destroys an aggregate temporary of a co_await expression twice (PR 99576, 100611,
// 101367, 101976).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
inline constexpr bool destroys_awaited_aggregates_twice = true;
#else
inline constexpr bool destroys_awaited_aggregates_twice = false;
#endif

// Whether freed messages are kept for reuse (block_cache.hpp). Not where each block must be the heap's
// own: so that AddressSanitizer sees a use after free, or a test every allocation.
#if defined(OTPP_DISABLE_BLOCK_CACHE) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool keeps_freed_blocks = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool keeps_freed_blocks = false;
#else
inline constexpr bool keeps_freed_blocks = true;
#endif
#else
inline constexpr bool keeps_freed_blocks = true;
#endif

// Hands a function to an executor. The customization point went away after 1.24; before, the member
// was private.
template <class Executor, class Function>
void hand_to(const Executor& executor, Function&& function) {
#if ASIO_VERSION < 102400
  asio::execution::execute(executor, std::forward<Function>(function));
#else
  executor.execute(std::forward<Function>(function));
#endif
}

// The executor inside, if it is a T. Below Asio 1.26 target<T>() casts whatever is there unchecked,
// so the type is compared first.
template <class T>
const T* executor_target(const asio::any_io_executor& executor) noexcept {
  if (executor.target_type() != typeid(T)) {
    return nullptr;
  }
  return executor.target<T>();
}

// True if the token can be told of a completion with this signature. Where Asio has no concepts, anything passes.
#if defined(ASIO_HAS_CONCEPTS)
template <class Token, class Signature>
concept completion_token_for = asio::completion_token_for<Token, Signature>;
#else
template <class Token, class Signature>
concept completion_token_for = true;
#endif

// The executor of use_future: each promise has its own.
template <class Executor>
inline constexpr bool is_promise_executor = false;
template <class T, class Blocking>
inline constexpr bool is_promise_executor<asio::detail::promise_executor<T, Blocking>> = true;

// True if a coroutine is what gets the completion: Asio's own handler of use_awaitable, or another around
// it, such as that of redirect_error. Nobody can catch what an initiation throws there: Asio ends the program.
template <class Executor>
std::true_type resumes_coroutine(const asio::detail::awaitable_thread<Executor>*);
std::false_type resumes_coroutine(...);

template <class Handler>
inline constexpr bool is_awaited = decltype(resumes_coroutine(std::add_pointer_t<Handler>()))::value;
template <template <class...> class Wrapper, class... Parts>
inline constexpr bool is_awaited<Wrapper<Parts...>> =
    decltype(resumes_coroutine(static_cast<Wrapper<Parts...>*>(nullptr)))::value ||
    (is_awaited<Parts> || ...);

// What a thread does that waits for another, for some nanoseconds.
inline void pause_briefly() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Thread-sanitizer and the optimizer both need a thread_local to be read afresh after a suspension:
// compilers keep its address across one.
#if defined(__GNUC__) || defined(__clang__)
#define OTPP_NOINLINE __attribute__((noinline))
#elif defined(_MSC_VER)
#define OTPP_NOINLINE __declspec(noinline)
#else
#define OTPP_NOINLINE
#endif

// For what is a few instructions in the way of every message, and called from more than one place: g++ weighs
// that against all else that a translation unit has, so that a feature which is off would cost after all.
#if defined(__GNUC__) || defined(__clang__)
#define OTPP_INLINE inline __attribute__((always_inline))
#else
#define OTPP_INLINE inline
#endif

} // namespace detail
} // namespace otpp
