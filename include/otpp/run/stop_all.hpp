// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/await_or_spawn.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/run/detail/stop_all.hpp>
#include <otpp/timeout.hpp>

#include <asio/execution_context.hpp>
#include <asio/use_awaitable.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Stops all servers and processes of an execution context, such as an `io_context` of one's own, so that the
/// `terminate` of each runs before the context is destroyed. `otpp::run` does this at its end by itself.
///
/// They are stopped one after the other with `exit_reason::shutdown()`, newest first, including those that are started
/// meanwhile. Those that were started with a link come after all others, if they still run then: usually their parents
/// have ended them, as a supervisor ends its children. Servers on other contexts are not touched, whoever has started
/// them.
///
/// Each has its time to end; a supervisor may take as long as its children may, while it is seen at work. One
/// that has not ended in time has been told to, and ends when it comes to that; the others are stopped all
/// the same. But if it has not even begun, nobody runs the context, and this gives up.
///
/// The context must be running, by another thread or by the one that awaits this, until this has completed.
///
/// @param context  Whose servers end; it stays usable.
/// @param timeout  How long each may take; `otpp::infinite` waits forever.
/// @param token    A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// - `errc::timeout`: some have not ended in time; the text names them. It is reported at the end.
/// - `errc::calling_self`: this is awaited by a server of that context, or on its executor. Nothing is stopped.
/// - `errc::deadlock`: a server that is awaited here waits for the handler that awaits this, on another context.
///   Those that are older than it have not been stopped. Only with the token `asio::use_awaitable`.
///
/// @par Cancellation
/// All types that the coroutine reacts to, `asio::cancellation_type::terminal` unless it says otherwise, end it with
/// `asio::error::operation_aborted`; the server that is awaited still ends, and those that are older go on.
///
/// @par Thread safety
/// Safe from any thread. A handler that has no executor of its own has the `asio::system_executor`, or that of the
/// process in whose step this is called.
///
/// @par Lifetime
/// The context must not be destroyed before this has returned; if it is destroyed later, its servers have ended.
///
/// @par Example
/// @code
/// asio::io_context context;
/// auto program = [&]() -> asio::awaitable<void> {
///   co_await client();
///   co_await otpp::stop_all(context);
/// };
/// asio::co_spawn(context, program, rethrow);
/// context.run();
/// @endcode
template <detail::timeout_like Duration, class Token = asio::use_awaitable_t<>>
auto stop_all(asio::execution_context& context, Duration timeout, Token&& token = {}) {
  return detail::await_or_spawn(
      detail::stop_context(detail::context_state::of(context), detail::saturate(timeout)),
      std::forward<Token>(token));
}

/// Stops all servers and processes of an execution context, with five seconds for each. All else as above.
///
/// @param context  As above.
/// @param token    A completion token; `asio::use_awaitable` by default.
template <class Token = asio::use_awaitable_t<>>
  requires(!detail::timeout_like<Token>)
auto stop_all(asio::execution_context& context, Token&& token = {}) {
  return otpp::stop_all(context, detail::shutdown_time, std::forward<Token>(token));
}

} // namespace otpp

#pragma GCC visibility pop
