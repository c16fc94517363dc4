// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/reply/await_or_spawn.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <concepts>
#include <exception>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

template <class Range>
concept process_range = requires(const Range& all) {
  { *std::begin(all) } -> std::convertible_to<pid>;
  std::end(all);
};

inline asio::awaitable<std::vector<exit_reason>> join_each(std::vector<pid> all) {
  asio::any_io_executor mine = co_await asio::this_coro::executor;
  const auto* serial = executor_target<serial_executor>(mine);
  for (const pid& one : all) {
    if (!one) {
      std::rethrow_exception(make_error(errc::no_process, "join_all", {}, "nobody"));
    }
    if (serial && serial->owner().get() == access::core(one).get()) {
      std::rethrow_exception(make_error(errc::calling_self, "join_all", {}, one.describe()));
    }
  }
  std::vector<exit_reason> reasons;
  reasons.reserve(all.size());
  for (const pid& one : all) {
    exit_reason why = co_await one.join();
    reasons.push_back(std::move(why));
  }
  co_return reasons;
}

template <class Range>
consteval bool check_joined() {
  static_assert(
      process_range<Range>,
      "otpp: join_all takes a range of processes, such as a std::vector of pids or of server_refs");
  return process_range<Range>;
}

} // namespace detail

/// Waits until all processes of a range have ended, whatever the cause, and returns their reasons, in the range's
/// order.
///
/// @param processes  A range of what converts to `pid`: of `pid`s, `server_ref`s or `process_ref`s.
/// @param token      A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr, std::vector<otpp::exit_reason>)`
///
/// @par Errors
/// - `errc::no_process`: one of them is nobody.
/// - `errc::calling_self`: one of them is the server on whose executor this is awaited.
/// - `errc::deadlock`: as for `join`, once the wait is for the process that would close the cycle; only with the
///   token `asio::use_awaitable`.
///
/// @par Cancellation
/// All types that the coroutine reacts to, `asio::cancellation_type::terminal` unless it says otherwise, end the
/// wait with `asio::error::operation_aborted`.
///
/// @par Thread safety
/// Safe from any thread. A handler that has no executor of its own has the `asio::system_executor`, or that of the
/// process in whose step this is called.
///
/// @par Lifetime
/// The range is copied before this returns.
///
/// @par Example
/// @code
/// std::vector<otpp::exit_reason> reasons = co_await otpp::join_all(workers);
/// @endcode
template <class Range, class Token = asio::use_awaitable_t<>>
auto join_all(const Range& processes, Token&& token = {}) {
  if constexpr (detail::check_joined<Range>()) {
    std::vector<pid> all(std::begin(processes), std::end(processes));
    return detail::await_or_spawn(detail::join_each(std::move(all)), std::forward<Token>(token));
  }
}

} // namespace otpp

#pragma GCC visibility pop
