// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/server/drain_request.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <concepts>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Lets a server finish what it has, ends it, and waits for the end: as `server_ref::drain`, of any address of a process
/// in this program, such as a name.
///
/// @param to      The server. A name is looked up before this returns.
/// @param within  How long it may take, at most; `otpp::infinite` means as long as it takes.
/// @param reason  The reason that `terminate` gets.
/// @param token   A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// - `errc::no_process`: no process has that name, or the server has ended.
/// - `errc::bad_message`: a `server_name` or a `via` names a server with other callbacks.
/// - as `server_ref::drain`.
///
/// @par Cancellation
/// As `server_ref::drain`.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// As for `call`.
///
/// @par Example
/// @code
/// co_await otpp::drain("orders", 30s);
/// @endcode
template <address Address, detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
auto drain(Address to, Duration within, exit_reason reason, Token&& token = {}) {
  constexpr bool is_here = !detail::stands_for_another<Address>;
  static_assert(
      is_here, "otpp: a server on another node cannot be drained from here; stop it, or ask it to drain");
  if constexpr (detail::is_supervised_group<Address>) {
    return otpp::drain(to.supervisor(), within, std::move(reason), std::forward<Token>(token));
  } else if constexpr (is_here) {
    detail::destination target = detail::resolve(std::move(to), detail::purpose{"drain"});
    return detail::start_drain(
        std::move(target.server), std::move(reason), detail::saturate(within), std::forward<Token>(token),
        std::move(target.error));
  }
}

/// Drains a server, which then ends with the reason `normal`. All else as above.
///
/// @param to      As above.
/// @param within  As above.
/// @param token   A completion token; `asio::use_awaitable` by default.
template <address Address, detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
  requires(!std::convertible_to<Token, exit_reason>)
auto drain(Address to, Duration within, Token&& token = {}) {
  return otpp::drain(std::move(to), within, exit_reason::normal(), std::forward<Token>(token));
}

} // namespace otpp

#pragma GCC visibility pop
