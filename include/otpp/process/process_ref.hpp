// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/process/detail/result.hpp>

#include <asio/use_awaitable.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

struct spawned;

/// A reference to a process whose coroutine returns a `T`, as `spawn` returns it: a `server_ref<spawned>` whose
/// `join` completes with what the coroutine has returned.
///
/// Converts to `pid`, and is an address for every verb, as a `server_ref` is.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading.
///
/// @par Lifetime
/// May outlive the process and its context. The value is kept until the last reference to the process, of whatever
/// kind, is destroyed; so a coroutine that returns its own `pid` is never freed.
template <class T>
class process_ref : public server_ref<spawned> {
 public:
  /// The type of what the coroutine returns.
  using result_type = T;

  /// Refers to nobody.
  process_ref() noexcept = default;

  /// Waits until the process has ended, and returns what its coroutine has returned. Each join gets a copy; a value
  /// that cannot be copied goes to the first. `pid::join` returns the reason instead.
  ///
  /// @param token  A completion token; `asio::use_awaitable` by default.
  ///
  /// @par Completion signature
  /// `void(std::exception_ptr, T)`
  ///
  /// @par Errors
  /// - the exception that has ended the process: the one that its coroutine has thrown, or that of an exit signal.
  /// - `errc::exited`: it has ended without a value, because it was stopped or killed; `error::reason()` says why. Or
  ///   the value, which cannot be copied, has gone to another join.
  /// - `errc::no_process`: this refers to nobody.
  /// - `errc::calling_self`, `errc::deadlock`: as `server_ref::join`.
  /// - whatever copying the value throws.
  ///
  /// @par Cancellation
  /// All types end the wait with `asio::error::operation_aborted`; the process goes on, and its value is kept.
  ///
  /// @par Thread safety
  /// Safe from any thread. The value is copied on the thread on which the process ends, or on that of this call if it
  /// has ended.
  ///
  /// @par Lifetime
  /// This object may be destroyed at once.
  ///
  /// @par Example
  /// @code
  /// otpp::process_ref<int> sum = co_await otpp::spawn(add_up);
  /// int total = co_await sum.join();
  /// @endcode
  template <class Token = asio::use_awaitable_t<>>
  auto join(Token&& token = {}) const {
    return detail::initiate<T>(
        detail::initiate_wait_for_end<detail::result_request<T>, T>(), std::forward<Token>(token),
        detail::access::core(static_cast<const server_ref<spawned>&>(*this)));
  }

 private:
  friend struct detail::access;

  explicit process_ref(detail::intrusive_ptr<detail::server_core> core) noexcept
      : server_ref<spawned>(detail::access::make<server_ref<spawned>>(std::move(core))) {}
};

namespace detail {

template <class T>
inline constexpr bool is_server_ref<process_ref<T>> = true;

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop
