// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/sys/detail/statistics_of.hpp>
#include <otpp/sys/detail/sys_request.hpp>
#include <otpp/sys/server_statistics.hpp>

#include <concepts>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Starts or stops collecting a server's statistics. OTP's `sys:statistics(Server, true | false)`.
///
/// While it is on, each message costs two reads of the clock, and sending locks a mutex briefly, as it always
/// does with a mailbox limit.
///
/// @param to    Any address.
/// @param on    True starts the collection, and resets it if it is on; false stops it, and drops what was
///              collected.
/// @param rest  As for `inspect`: a timeout, `otpp::ahead`, a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// As `suspend`; std::bad_alloc.
///
/// All else as `inspect`.
///
/// @par Example
/// @code
/// co_await otpp::statistics(server, true);
/// std::optional<otpp::server_statistics> seen = co_await otpp::statistics(server);
/// @endcode
template <class Address, std::same_as<bool> Switch, class... Rest>
auto statistics(Address to, Switch on, Rest&&... rest) {
  return detail::ask_sys(
      "statistics", std::move(to),
      [on](detail::server_core& server) {
        detail::expect_loop("statistics", server);
        if (!on && !server.observed().get()) {
          return;
        }
        detail::observation::observer& watch = server.observed().observe();
        server.count_messages(on);
        watch.counts = on;
        watch.counted = {};
        watch.counted.since = server.context().now();
        watch.counted.dropped = server.queue().dropped();
        watch.counted.skipped = server.queue().skipped();
        server.observed().update(server);
      },
      std::forward<Rest>(rest)...);
}

/// Returns the statistics since `statistics(server, true)`; nothing if they are off. OTP's
/// `sys:statistics(Server, get)`.
///
/// @param to    Any address.
/// @param rest  As for `inspect`: a timeout, `otpp::ahead`, a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr, std::optional<otpp::server_statistics>)`
///
/// All else as `inspect`.
///
/// @par Example
/// @code
/// std::optional<otpp::server_statistics> seen = co_await otpp::statistics(server);
/// @endcode
template <class Address, class... Rest>
auto statistics(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "statistics", std::move(to), [](detail::server_core& server) { return detail::statistics_of(server); },
      std::forward<Rest>(rest)...);
}

} // namespace otpp

#pragma GCC visibility pop
