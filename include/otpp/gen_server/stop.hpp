// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <concepts>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

template <class Address, class Token>
auto start_stop_at(Address to, exit_reason reason, duration timeout, bool is_ahead, Token&& token) {
  if constexpr (requires {
                  to.stop(reason, timeout, std::forward<Token>(token));
                } && stands_for_another<Address>) {
    return to.stop(std::move(reason), timeout, std::forward<Token>(token)); // it knows how to ask there
  } else if constexpr (is_supervised_group<Address>) {
    return start_stop_at(to.supervisor(), std::move(reason), timeout, is_ahead, std::forward<Token>(token));
  } else {
    destination target = resolve(std::move(to), purpose{"stop"});
    return start_stop(
        std::move(target.server), std::move(reason), timeout, is_ahead, std::forward<Token>(token),
        std::move(target.error));
  }
}

} // namespace detail

/// Asks a server to end, and waits for the end: as `server_ref::stop`, of any address, such as a name. OTP's
/// `gen_server:stop/1,3`.
///
/// A handler that ends its own server returns `otpp::stop()` or `otpp::stop(reason)`, which are no verbs.
///
/// @param to       The server: any `address`. A name is looked up before this returns.
/// @param reason   The reason that `terminate` gets.
/// @param timeout  How long to wait; `otpp::infinite` waits forever. After a timeout the server still ends.
/// @param token    A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// - `errc::no_process`: no process has that name, or the server has ended.
/// - `errc::bad_message`: a `server_name` or a `via` names a server with other callbacks.
/// - as `server_ref::stop`.
///
/// @par Cancellation
/// As `server_ref::stop`.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// As for `call`.
///
/// @par Example
/// @code
/// co_await otpp::stop("counter", otpp::exit_reason::shutdown(), 1s);
/// @endcode
template <address Address, detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  requires(!detail::is_ahead_tag<Token>)
auto stop(Address to, exit_reason reason, Duration timeout, Token&& token = {}) {
  return detail::start_stop_at(
      std::move(to), std::move(reason), detail::saturate(timeout), false, std::forward<Token>(token));
}

/// Stops a server, and waits for its end however long that takes. All else as above.
///
/// @param to      As above.
/// @param reason  The reason that `terminate` gets.
/// @param token   A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
  requires(!detail::timeout_like<Token> && !detail::is_ahead_tag<Token>)
auto stop(Address to, exit_reason reason, Token&& token = {}) {
  return otpp::stop(std::move(to), std::move(reason), infinite, std::forward<Token>(token));
}

/// Stops a server with the reason `normal`, and waits for its end however long that takes. All else as above.
///
/// @param to     As above.
/// @param token  A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
  requires(!std::convertible_to<Token, exit_reason> && !detail::is_ahead_tag<Token>)
auto stop(Address to, Token&& token = {}) {
  return otpp::stop(std::move(to), exit_reason::normal(), infinite, std::forward<Token>(token));
}

/// Stops a server before it handles what is queued: `server_ref::stop` with `otpp::ahead`. All else as above.
///
/// @param to       As above.
/// @param reason   The reason that `terminate` gets.
/// @param timeout  How long to wait; `otpp::infinite` waits forever. After a timeout the server still ends.
/// @param token    A completion token; `asio::use_awaitable` by default.
template <address Address, detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
auto stop(Address to, exit_reason reason, Duration timeout, ahead_t, Token&& token = {}) {
  return detail::start_stop_at(
      std::move(to), std::move(reason), detail::saturate(timeout), true, std::forward<Token>(token));
}

/// Stops a server before it handles what is queued, and waits however long that takes. All else as above.
///
/// @param to      As above.
/// @param reason  The reason that `terminate` gets.
/// @param token   A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
auto stop(Address to, exit_reason reason, ahead_t, Token&& token = {}) {
  return otpp::stop(std::move(to), std::move(reason), infinite, ahead, std::forward<Token>(token));
}

/// Stops a server with the reason `normal` before it handles what is queued, and waits however long that
/// takes. All else as above.
///
/// @param to     As above.
/// @param token  A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
auto stop(Address to, ahead_t, Token&& token = {}) {
  return otpp::stop(std::move(to), exit_reason::normal(), infinite, ahead, std::forward<Token>(token));
}

} // namespace otpp

#pragma GCC visibility pop
