// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/self.hpp>

#include <asio/awaitable.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Starts a server that is linked with this process, which is its parent. OTP's `gen_server:start_link/3,4`.
///
/// The link exists before `init` runs, so neither process can miss the other's end. A failed start is
/// reported by the exception only, not by an exit signal as well, as OTP does. When the parent ends, a server
/// that traps exits ends too, after its `terminate`; a spawned coroutine that traps exits does not (`trap_exit`).
///
/// Must be called inside a callback, or in the body of a spawned coroutine; elsewhere throws
/// `errc::no_process`. All else as `start`.
///
/// @param how   Name, executor and the like, as for `start`.
/// @param args  The arguments of `init`. If it does not take all of them, the last is a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::server_ref<Callbacks>)`
///
/// @par Thread safety
/// Affects the process in whose step it is called; the server may run on any context.
///
/// @par Example
/// @code
/// auto connection = co_await otpp::start_link<session>(std::move(socket));
/// @endcode
template <class Callbacks, class... Args>
auto start_link(options how, Args&&... args) {
  return otpp::start<Callbacks>(detail::access::link_to(std::move(how), self()), std::forward<Args>(args)...);
}

/// Starts a linked server without a name, on the starter's executor. All else as above.
///
/// @param args  As above.
template <class Callbacks, class... Args>
  requires(
      sizeof...(Args) == 0 ||
      !std::is_same_v<std::remove_cvref_t<std::tuple_element_t<0, std::tuple<Args..., int>>>, options>)
auto start_link(Args&&... args) {
  return otpp::start_link<Callbacks>(options(), std::forward<Args>(args)...);
}

/// The result of `start_monitor`.
template <class Callbacks, class Ref = server_ref<Callbacks>>
struct monitored {
  monitored() noexcept = default;
  monitored(Ref s, monitor_ref m) noexcept : server(std::move(s)), ref(std::move(m)) {}

  Ref server;      ///< The server that was started.
  monitor_ref ref; ///< The monitor: `down::ref` when the server has ended.
};

namespace detail {

// A class template for the same reason as handler_coroutine::job_of.
template <class Callbacks, class Ref>
struct monitored_start {
  static asio::awaitable<monitored<Callbacks, Ref>> run(asio::awaitable<Ref> starting) {
    Ref server = co_await std::move(starting);
    monitor_ref ref = monitor(server);
    co_return monitored<Callbacks, Ref>(std::move(server), std::move(ref));
  }
};

} // namespace detail

/// Starts a server that this process monitors. OTP's `gen_server:start_monitor/3,4`.
///
/// Equivalent to `start` followed by `monitor`. No end is missed: if the server has ended in between, `down`
/// has the reason. Must be awaited inside a callback, or in the body of a spawned coroutine.
///
/// @param how   Name, executor and the like, as for `start`.
/// @param args  The arguments of `init`, all of them: there is no completion token.
///
/// @par Errors
/// As `start`, and `monitor`.
template <class Callbacks, class... Args>
asio::awaitable<monitored<Callbacks>> start_monitor(options how, Args... args) {
  return detail::monitored_start<Callbacks, server_ref<Callbacks>>::run(
      otpp::start<Callbacks>(std::move(how), std::move(args)...));
}

} // namespace otpp

#pragma GCC visibility pop
