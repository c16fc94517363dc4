// SPDX-License-Identifier: BSL-1.0

// The one header that depends on the versions of Asio and of the compiler.

#pragma once

// Asio before 1.26 asks clang for the Coroutines TS (asio#939). With this macro it uses standard coroutines.
#if defined(__clang__) && !defined(ASIO_HAS_CO_AWAIT)
#define ASIO_HAS_CO_AWAIT 1
#endif
#if !defined(ASIO_STANDALONE)
#define ASIO_STANDALONE 1
#endif

#if defined(__GNUC__) && !defined(__cpp_rtti)
#error "otpp needs run-time type information: compile without -fno-rtti"
#elif defined(__GNUC__) && !defined(__cpp_exceptions)
#error "otpp needs exceptions: compile without -fno-exceptions"
#elif defined(ASIO_NO_TYPEID)
#error "otpp needs asio::any_io_executor::target_type: compile without ASIO_NO_TYPEID"
#elif defined(ASIO_USE_TS_EXECUTOR_AS_DEFAULT)
#error "otpp needs the executors of the standard's proposals: compile without ASIO_USE_TS_EXECUTOR_AS_DEFAULT"
#elif defined(BOOST_ASIO_DETAIL_CONFIG_HPP) && BOOST_VERSION >= 107400 && BOOST_VERSION < 107700
// These put asio_prefer_fn and others into the global namespace, as Asio itself does (asio#874).
#error \
    "Boost.Asio of Boost 1.74 to 1.76 cannot be in one translation unit with standalone Asio, which otpp needs: take Boost 1.77 or later, or keep the two in translation units of their own (docs/compilers.md)"
#endif

// Asio before 1.30 looks for macros of the standard library before it includes any of it, so that a file that begins with Asio
// frees with operator delete what another one has from std::aligned_alloc (asio#1082).
#include <version>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/execution.hpp>
#include <asio/io_context.hpp>
#include <asio/require.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/version.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>
#include <typeinfo>
#include <utility>

#if ASIO_VERSION < 102300
#include <asio/experimental/as_tuple.hpp>
#else
#include <asio/as_tuple.hpp>
#endif

#if ASIO_VERSION < 102201
#error "otpp needs Asio 1.22.1 or later (Debian: apt-get install libasio-dev)"
#endif
#if !defined(ASIO_HAS_THREADS)
// MinGW's -pthread takes _REENTRANT away, by which Asio knows.
#error \
    "otpp needs Asio with threads: compile without ASIO_DISABLE_THREADS, and with MinGW without -pthread or with ASIO_HAS_THREADS=1"
#endif
#if !defined(ASIO_HAS_CO_AWAIT)
#error \
    "otpp needs C++20 coroutines: compile with -std=c++20; with clang and Asio before 1.26 include otpp before Asio, or define ASIO_HAS_CO_AWAIT=1"
#endif

#if defined(__cpp_lib_source_location)
#include <source_location>
#endif
#if defined(__MINGW32__)
#include <shared_mutex>
#endif

#pragma GCC visibility push(default)

#if defined(__SANITIZE_ADDRESS__)
#define OTPP_HAS_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OTPP_HAS_ASAN
#endif
#endif
#if defined(OTPP_HAS_ASAN)
extern "C" void __asan_poison_memory_region(const volatile void*, std::size_t);
extern "C" void __asan_unpoison_memory_region(const volatile void*, std::size_t);
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

// Whether freed messages are kept for reuse (block_cache.hpp). Disabled if every block must come from the
// heap, so that AddressSanitizer detects a use after free, or a test can fail each allocation.
#if defined(OTPP_DISABLE_BLOCK_CACHE) || defined(OTPP_HAS_ASAN)
inline constexpr bool keeps_freed_blocks = false;
#else
inline constexpr bool keeps_freed_blocks = true;
#endif

// Makes AddressSanitizer report every use of memory that stays allocated, but whose object has been destroyed. It
// knows whole units of memory only.
#if defined(OTPP_HAS_ASAN)
inline constexpr std::size_t poison_unit = 8;
inline void poison(void* memory, std::size_t size) noexcept { __asan_poison_memory_region(memory, size); }
inline void unpoison(void* memory, std::size_t size) noexcept { __asan_unpoison_memory_region(memory, size); }
#else
inline constexpr std::size_t poison_unit = 1;
inline void poison(void*, std::size_t) noexcept {}
inline void unpoison(void*, std::size_t) noexcept {}
#endif

// Submits a function to an executor. Asio 1.24 was the last version with the customization point; in earlier
// versions the member is private.
template <class Executor, class Function>
void hand_to(const Executor& executor, Function&& function) {
#if ASIO_VERSION < 102400
  asio::execution::execute(executor, std::forward<Function>(function));
#else
  executor.execute(std::forward<Function>(function));
#endif
}

// Returns the wrapped executor if it is a T. Below Asio 1.26 target<T>() is an unchecked cast, so the type is
// compared first.
template <class T>
const T* executor_target(const asio::any_io_executor& executor) noexcept {
  if (executor.target_type() != typeid(T)) {
    return nullptr;
  }
  return executor.target<T>();
}

// Returns true if this is an executor of Asio's own, or a strand of one. Such an executor refers to its context
// and does not own it; of all others nothing is known.
inline bool is_asios_own(const asio::any_io_executor& executor) noexcept {
  if (const auto* strand = executor_target<asio::strand<asio::any_io_executor>>(executor)) {
    return is_asios_own(strand->get_inner_executor());
  }
  return executor_target<asio::io_context::executor_type>(executor) ||
         executor_target<asio::thread_pool::executor_type>(executor) ||
         executor_target<asio::strand<asio::io_context::executor_type>>(executor) ||
         executor_target<asio::strand<asio::thread_pool::executor_type>>(executor);
}

// Makes the service of a context's strands, if there is none yet, and returns the context. Asio shuts services down
// newest first: whoever must be shut down before a strand of this context is says this first.
inline asio::execution_context& with_strands(asio::execution_context& context) {
  asio::use_service<asio::detail::strand_executor_service>(context);
  return context;
}

// True if the token accepts a completion with this signature. Always true if Asio has no concepts.
#if defined(ASIO_HAS_CONCEPTS)
template <class Token, class Signature>
concept completion_token_for = asio::completion_token_for<Token, Signature>;
#else
template <class Token, class Signature>
concept completion_token_for = true;
#endif

// A token with which an operation completes in a coroutine and throws nothing: its error and its results are a tuple.
inline auto awaitable_tuple() {
#if ASIO_VERSION < 102300
  return asio::experimental::as_tuple(asio::use_awaitable);
#else
  return asio::as_tuple(asio::use_awaitable);
#endif
}

// The executor of use_future: each promise has its own.
template <class Executor>
inline constexpr bool is_promise_executor = false;
template <class T, class Blocking>
inline constexpr bool is_promise_executor<asio::detail::promise_executor<T, Blocking>> = true;

// True if the completion resumes a coroutine: the handler is that of use_awaitable, or wraps it, as that of
// redirect_error does. An exception thrown by such an initiation cannot be caught: Asio terminates the
// program.
template <class Executor>
std::true_type resumes_coroutine(const asio::detail::awaitable_thread<Executor>*);
std::false_type resumes_coroutine(...);

template <class Handler>
inline constexpr bool is_awaited = decltype(resumes_coroutine(std::add_pointer_t<Handler>()))::value;
template <template <class...> class Wrapper, class... Parts>
inline constexpr bool is_awaited<Wrapper<Parts...>> =
    decltype(resumes_coroutine(static_cast<Wrapper<Parts...>*>(nullptr)))::value ||
    (is_awaited<Parts> || ...);

// Does the handler of an awaited operation still own its coroutine? If a move of the result throws inside of it, it
// does; not any more, if the exception comes from what it has resumed.
template <class Executor>
struct opened_thread : asio::detail::awaitable_thread<Executor> {
  static bool has_coroutine(const asio::detail::awaitable_thread<Executor>& one) noexcept {
    return (one.*(&opened_thread::bottom_of_stack_)).valid();
  }
};
template <class Executor>
bool has_coroutine(const asio::detail::awaitable_thread<Executor>* handler) noexcept {
  return opened_thread<Executor>::has_coroutine(*handler);
}
template <class Handler>
bool owns_coroutine(const Handler& wrapper) noexcept {
  if constexpr (decltype(resumes_coroutine(std::add_pointer_t<Handler>()))::value) {
    return has_coroutine(std::addressof(wrapper));
  } else if constexpr (requires { wrapper.handler_; }) {
    return owns_coroutine(wrapper.handler_);
  } else {
    return false; // an adapter of somebody else's
  }
}

// A mutex for what is used before and after main: it is there from the beginning, and is never destroyed. The
// std::mutex of libstdc++ on Windows is initialized at run time.
#if defined(__MINGW32__)
using static_mutex = std::shared_mutex;
#else
using static_mutex = std::mutex;
#endif

// Whether a thread of the library's own looks after turns that stand still (watchdog.hpp).
#if defined(OTPP_DISABLE_WATCHDOG)
inline constexpr bool has_watchdog = false;
#else
inline constexpr bool has_watchdog = true;
#endif

// Used in a loop that waits a few nanoseconds for another thread.
inline void pause_briefly() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Applied to functions that read a thread_local. Compilers keep its address across a suspension, so both the
// optimizer and ThreadSanitizer need it to be read afresh afterwards.
#if defined(__GNUC__) || defined(__clang__)
#define OTPP_NOINLINE __attribute__((noinline))
#elif defined(_MSC_VER)
#define OTPP_NOINLINE __declspec(noinline)
#else
#define OTPP_NOINLINE
#endif

// Forces inlining of small functions on the message path. GCC's inliner has a budget per translation unit, so
// code for features that are switched off would otherwise slow down every message.
#if defined(__GNUC__) || defined(__clang__)
#define OTPP_INLINE inline __attribute__((always_inline))
#else
#define OTPP_INLINE inline
#endif

// A friend function of a class template that is no template itself, for each specialization another one. GCC warns that
// this may not be what was meant, and GCC 14 that one of a class in an unnamed namespace is nowhere defined.
#if defined(__GNUC__) && !defined(__clang__)
#define OTPP_PLAIN_FRIEND(...)                                                               \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wnon-template-friend\"") \
      _Pragma("GCC diagnostic ignored \"-Wunused-function\"") __VA_ARGS__ _Pragma("GCC diagnostic pop")
#else
#define OTPP_PLAIN_FRIEND(...) __VA_ARGS__
#endif

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop
