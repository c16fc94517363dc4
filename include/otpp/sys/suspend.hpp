// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/sys/detail/sys_request.hpp>

#include <utility>

namespace otpp {

/// Makes a server wait: its messages stay queued, in their order, until `resume`. OTP's `sys:suspend/1,2`.
///
/// System messages are handled meanwhile: those of <otpp/sys.hpp>, `stop`, an exit signal that ends it, and the
/// end of its parent. In a mailbox with a limit, what waits keeps its room. A plain timeout begins anew at
/// `resume`. Suspending one that is suspended changes nothing, and one `resume` ends it.
///
/// @param to    Any address.
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
/// While a server is suspended, a system message costs it time linear in the messages that wait.
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
      },
      std::forward<Rest>(rest)...);
}

/// Lets a server go on that `suspend` has stopped, with what came first. Does nothing to another. OTP's
/// `sys:resume/1,2`. All else as `suspend`.
template <class Address, class... Rest>
auto resume(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "resume", std::move(to),
      [](detail::server_core& server) {
        if (detail::observation::observer* watch = server.observed().get()) {
          watch->is_suspended = false;
          server.observed().update(server);
        }
      },
      std::forward<Rest>(rest)...);
}

} // namespace otpp
