// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/sys/detail/sys_request.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Suspends a server: its messages stay queued, in order, until `resume`. OTP's `sys:suspend/1,2`.
///
/// System messages are handled meanwhile: those of <otpp/sys.hpp>, `stop`, an exit signal that ends it, and
/// the end of its parent. In a mailbox with a limit, the queued messages keep their places. A plain timeout
/// starts anew at `resume`. Suspending a suspended server has no effect, and one `resume` resumes it.
///
/// @param to    Any address.
/// @param rest  As for `inspect`: a timeout, `otpp::ahead`, a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr)`: from now on it handles no message.
///
/// @par Errors
/// As `inspect`; `errc::bad_message` also for a coroutine that `otpp::spawn` has started.
///
/// All else as `inspect`.
///
/// @par Complexity
/// While a server is suspended, each system message takes time linear in the number of queued messages.
///
/// @par Example
/// @code
/// co_await otpp::suspend(server);
/// co_await otpp::replace_state(server, upgrade);
/// co_await otpp::resume(server);
/// @endcode
template <class Address, class... Rest>
auto suspend(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "suspend", std::move(to),
      [](detail::server_core& server) {
        detail::expect_loop("suspend", server);
        server.observed().observe().is_suspended = true;
        server.observed().update(server);
        server.queue().let_pass(detail::mailbox::passing::system); // else a `resume` might wait for room
      },
      std::forward<Rest>(rest)...);
}

/// Resumes a server that `suspend` has stopped, with the oldest message. OTP's `sys:resume/1,2`. All else as
/// `suspend`.
///
/// @param to    Any address. Has no effect on a server that is not suspended.
/// @param rest  As for `inspect`: a timeout, `otpp::ahead`, a completion token.
template <class Address, class... Rest>
auto resume(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "resume", std::move(to),
      [](detail::server_core& server) {
        if (detail::observation::observer* watch = server.observed().get()) {
          watch->is_suspended = false;
          server.observed().update(server);
          server.queue().let_pass(detail::mailbox::passing::none);
        }
      },
      std::forward<Rest>(rest)...);
}

} // namespace otpp

#pragma GCC visibility pop
