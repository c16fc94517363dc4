// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/sys/detail/sys_request.hpp>
#include <otpp/sys/trace_event.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Has a hook called for each event of a server: the messages that it takes, the answers that its handlers
/// give, its timeouts, and its end. OTP's `sys:trace/2,3`, and `sys:install/2`.
///
/// There is one hook at a time. It runs on the server's executor, before the handler, and should be quick. A
/// hook that throws is removed, as in OTP; the server continues.
///
/// @param to    Any address.
/// @param hook  `void(const otpp::trace_event&)`. `nullptr` removes the one that is there. Destroyed on the
///              server's executor when it is replaced, or when the server ends.
/// @param rest  As for `inspect`: a timeout, `otpp::ahead`, a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr)`: from now on it is called.
///
/// @par Errors
/// As `suspend`.
///
/// All else as `inspect`.
///
/// @par Lifetime
/// What the hook refers to must live until it is replaced, or the server has ended.
///
/// @par Example
/// @code
/// co_await otpp::trace(server, [](const otpp::trace_event& event) { std::cerr << event.text() << '\n'; });
/// @endcode
template <class Address, class Hook, class... Rest>
  requires(
      std::same_as<std::decay_t<Hook>, std::nullptr_t> ||
      std::invocable<std::decay_t<Hook>&, const trace_event&>)
auto trace(Address to, Hook&& hook, Rest&&... rest) {
  using kept = std::function<void(const trace_event&)>;
  static_assert(detail::check_function<Hook>());
  return detail::ask_sys(
      "trace", std::move(to),
      [hook = kept(std::forward<Hook>(hook))](detail::server_core& server) mutable {
        detail::expect_loop("trace", server);
        server.observed().observe().hook = std::move(hook);
        server.observed().update(server);
      },
      std::forward<Rest>(rest)...);
}

} // namespace otpp

#pragma GCC visibility pop
