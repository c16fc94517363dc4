// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/coroutine_body.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/process/detail/typed_coroutine.hpp>
#include <otpp/process/self.hpp>

#include <exception>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

inline intrusive_ptr<server_core> owner_of_coroutine() {
  intrusive_ptr<server_core> server = running_process("co_spawn");
  if (server->has_ended()) {
    std::rethrow_exception(make_error(errc::no_process, "co_spawn", {}, server->describe()));
  }
  return server;
}

} // namespace detail

/// Starts a coroutine that belongs to the server whose callback calls this, and ends with it. It may use the state.
///
/// The coroutine runs on the server's own executor, beside the callbacks and never at the same time as one: whatever it
/// does between two `co_await`s, it does alone. It begins after the callback has returned, or waits. The server goes on
/// handling messages meanwhile; nothing keeps the state as it is across a `co_await`. In `init` there is no state
/// yet: return one with `.then(message)`, and start the coroutine in `handle_continue`.
///
/// When the server ends, its coroutines are cancelled first (`asio::cancellation_type::terminal`), newest first, and the
/// server waits until they are over; only then `terminate` runs, and then the state is destroyed. What `terminate`
/// starts itself is ended in the same way when it has returned. A coroutine that ignores its cancellation holds up the
/// end, as a handler does that waits for long: a supervisor kills the server after its shutdown time, and a `kill`
/// cancels again what has withstood. In a server that is ending, none begins.
///
/// If the coroutine throws, the server ends as if a callback had thrown: with this exception as its reason, a crash
/// report, and `terminate`. A callback that waits is cancelled. What a coroutine throws after its server has begun to
/// end is dropped. If the operation for which it waits destroys it, the server ends as `killed`. With a completion
/// token, the exception is given to that instead (below).
///
/// Works in every process: in the callbacks of a server, in the body of a process that `spawn` has started, and in a
/// coroutine that this has started, whose coroutines belong to the same process. What runs on other executors, such as
/// a coroutine of `asio::co_spawn` on a pool, belongs to nobody, and must not touch the state.
///
/// @param work  An `asio::awaitable<T>`; or a function without parameters that returns one, which is kept until the
///              coroutine is over, so that it may be a lambda with captures. The result is dropped.
///
/// @par Errors
/// Throws `errc::no_process` if it is not called inside a process, or if that has ended; then nothing is started.
///
/// @par Cancellation
/// Only with the server. With a completion token also by that.
///
/// @par Thread safety
/// Called in a callback, or elsewhere on the executor of the process.
///
/// @par Lifetime
/// The frame, and what `work` captures, is destroyed before the state. If the server's context is destroyed, the
/// operation for which the coroutine waits destroys the frame, and the state is destroyed after it. The coroutine keeps
/// a context's `run()` from returning only by what it waits for.
///
/// OTP: a process that is linked with the server. This one shares its state.
///
/// @par Example
/// @code
/// asio::awaitable<void> poll(state& s);  // waits, and then uses the state, again and again
///
/// void handle_cast(begin, state& s) { otpp::co_spawn(poll(s)); }
/// @endcode
template <detail::coroutine_body Work>
void co_spawn(Work&& work) {
  using coroutine = detail::typed_coroutine<detail::body_result_t<Work>>;
  detail::intrusive_ptr<coroutine> made(
      new coroutine(detail::owner_of_coroutine(), detail::coroutine_of(std::forward<Work>(work))));
  made->start();
}

/// Starts a coroutine that belongs to the server, and tells when it has ended, and with what.
///
/// Its exception is the token's, and does not end the server. With `asio::use_awaitable` a callback waits for the
/// result; meanwhile the server handles nothing else. All else as `co_spawn(work)`.
///
/// @param work   As above; the result goes to the token.
/// @param token  A completion token: it gets the result, or the exception.
///
/// @par Completion signature
/// `void(std::exception_ptr, T)` for an `asio::awaitable<T>`, `void(std::exception_ptr)` for one of void; when the frame
/// has been destroyed. A handler that runs on the server's executor, as one that names no other, is called before
/// the state is destroyed.
///
/// @par Errors
/// Throws `errc::no_process`, as `co_spawn(work)`, from the call itself. To the token goes what the coroutine throws;
/// `asio::error::operation_aborted` if the server ends before it begins; `errc::exited` if
/// the server's context is destroyed.
///
/// @par Cancellation
/// Every type of cancellation cancels the coroutine (`asio::cancellation_type::terminal`); the operation completes when
/// that has ended.
template <detail::coroutine_body Work, class Token>
auto co_spawn(Work&& work, Token&& token) {
  using result = detail::body_result_t<Work>;
  return detail::initiate<result>(
      detail::initiate_co_spawn<result>(), std::forward<Token>(token), detail::owner_of_coroutine(),
      detail::coroutine_of(std::forward<Work>(work)));
}

} // namespace otpp

#pragma GCC visibility pop
