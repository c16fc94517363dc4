// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/coroutine_body.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/run/detail/end_report.hpp>
#include <otpp/run/detail/interrupts.hpp>
#include <otpp/run/detail/stop_all.hpp>
#include <otpp/run/options.hpp>
#include <otpp/run/stop_all.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/this_coro.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

template <class T>
asio::awaitable<void> run_body(asio::awaitable<T> body, int& status, const bool& interrupted) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(body);
      status = EXIT_SUCCESS;
    } else {
      int value = co_await std::move(body);
      status = value;
    }
  } catch (const std::system_error& error) {
    bool was_cancelled = interrupted && error.code() == asio::error::operation_aborted;
    status = was_cancelled ? EXIT_SUCCESS : EXIT_FAILURE;
    if (!was_cancelled) {
      std::fprintf(stderr, "%s\n", detail::what_of(error));
    }
  } catch (const std::exception& error) {
    status = EXIT_FAILURE;
    std::fprintf(stderr, "%s\n", detail::what_of(error));
  } catch (...) {
    status = EXIT_FAILURE;
    std::fprintf(stderr, "otpp::run: an exception of an unknown type\n");
  }
}

template <class T>
asio::awaitable<void> run_main(
    asio::awaitable<T> body, int& status, const bool& interrupted, intrusive_ptr<context_state> program,
    end_report* report) {
  co_await run_body(std::move(body), status, interrupted);
  if (report) {
    report->body_has_returned();
  }
  // A signal that arrives now must not prevent the servers from ending in order.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await detail::stop_all(std::move(program));
}

template <class T>
int run_program(asio::awaitable<T> body, const run_options& how);

template <class Body>
consteval bool check_program() {
  if constexpr (!check_body<Body>()) {
    return false;
  } else {
    using result = body_result_t<Body>;
    constexpr bool is_status = std::is_void_v<result> || std::is_same_v<result, int>;
    static_assert(
        is_status, "otpp: a program is a coroutine that returns nothing, or its exit status, an int");
    return is_status;
  }
}

} // namespace detail

/// Runs a coroutine as a whole program, on its own `io_context` and thread, and returns the exit status.
///
/// When the coroutine has returned, the servers of the program that are still running are stopped with
/// `exit_reason::shutdown()`, newest first: those on this context, and those on other contexts, such as a
/// thread pool, that were started by a coroutine on this context or by such a server. What others have started
/// on other contexts is not touched. A server that has not ended within five seconds is named on stderr and
/// destroyed with the context; one on another context is left there. A supervisor may take as long as its
/// children may. Everything else that was spawned on this context is destroyed with it.
///
/// SIGINT and SIGTERM cancel the coroutine, and so end the program in the same order; a second signal ends it
/// at once. The actions that the program had set for them are in force again when this returns.
///
/// @param body  The coroutine, an `asio::awaitable` of void or int; or a function object without parameters that
///              returns one, which is kept until the coroutine has ended, as for `spawn`.
/// @param how   Whether to print what lives when the program does not end (`run_options::report_after`).
///
/// Returns the coroutine's int if it has one, otherwise 0; 1 if an exception escapes it, which is printed on
/// stderr.
///
/// @par Example
/// @code
/// int main() { return otpp::run(client); }
/// @endcode
template <class Body>
int run(Body&& body, const run_options& how = {}) {
  if constexpr (detail::check_program<Body>()) {
    return detail::run_program(detail::coroutine_of(std::forward<Body>(body)), how);
  } else {
    return EXIT_FAILURE;
  }
}

// ---- implementation ----

template <class T>
int detail::run_program(asio::awaitable<T> body, const run_options& how) {
  int status = EXIT_FAILURE;
  bool interrupted = false;
  asio::io_context context(1);
  asio::cancellation_signal cancel;
  interrupts of_user(context);
  // It has signals of its own, which must have gone before those of `of_user` do.
  const reporting_end report(access::report_after(how));
  intrusive_ptr<context_state> program = context_state::of(context.get_executor());
  program->become_program();
  auto on_signal = [&](auto& again, std::error_code error) -> void {
    if (error) {
      return;
    }
    if (std::exchange(interrupted, true)) {
      context.stop();
      return;
    }
    cancel.emit(asio::cancellation_type::terminal);
    of_user.async_wait([&](std::error_code next, int) { again(again, next); });
  };
  of_user.async_wait([&](std::error_code error, int) { on_signal(on_signal, error); });
  asio::co_spawn(
      context, run_main(std::move(body), status, interrupted, std::move(program), report.get()),
      asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr error) {
        if (error) {
          status = EXIT_FAILURE;
        }
        context.stop();
      }));
  context.run();
  return status;
}

} // namespace otpp

#pragma GCC visibility pop
