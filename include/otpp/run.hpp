// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/stop_request.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// How long run() waits for each server to end; a supervisor's default is the same.
inline constexpr duration shutdown_time = std::chrono::seconds(5);

// Stops the servers, newest first, including any that are started meanwhile. A server that takes too long is
// left to the context's destruction. Servers that were started with a link are ended by their parents, and
// are stopped here only if they outlive those; a supervisor may take as long as its children may.
inline asio::awaitable<void> stop_all(intrusive_ptr<context_state> context) {
  std::vector<const process*> killed;
  auto is_left = [&](const process& one) {
    return std::find(killed.begin(), killed.end(), &one) == killed.end();
  };
  while (true) {
    intrusive_ptr<process> newest = context->newest([&](const process& one) {
      return is_left(one) && relations::parent_of(static_cast<const server_core&>(one)) == 0;
    });
    newest = newest ? newest : context->newest(is_left);
    if (!newest) {
      break;
    }
    intrusive_ptr<server_core> server(static_cast<server_core*>(newest.get()));
    relations* its = server->related();
    duration patience = its && its->supervises() ? infinite : shutdown_time;
    try {
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
          initiate_stop(), asio::use_awaitable, server, exit_reason::shutdown(), patience);
    } catch (const error& e) {
      if (e.code() == errc::timeout) {
        std::fprintf(
            stderr, "otpp: server %s did not end within 5 s; it is killed\n", server->describe().c_str());
        killed.push_back(newest.get());
      }
      // Otherwise it ended for another reason, which has been reported.
    }
  }
}

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
      std::fprintf(stderr, "%s\n", error.what());
    }
  } catch (const std::exception& error) {
    status = EXIT_FAILURE;
    std::fprintf(stderr, "%s\n", error.what());
  } catch (...) {
    status = EXIT_FAILURE;
    std::fprintf(stderr, "otpp::run: an exception of an unknown type\n");
  }
}

template <class T>
asio::awaitable<void> run_main(asio::awaitable<T> body, int& status, const bool& interrupted) {
  co_await run_body(std::move(body), status, interrupted);
  // A signal that arrives now must not prevent the servers from ending in order.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  co_await stop_all(context_state::of(executor));
}

} // namespace detail

/// Runs a coroutine as a whole program, on its own `io_context` and thread, and returns the exit status.
///
/// When the coroutine has returned, the servers that are still running are stopped with
/// `exit_reason::shutdown()`, newest first; a server that has not ended within five seconds is named on
/// stderr and destroyed with the context. SIGINT and SIGTERM cancel the coroutine, and so end the program in
/// the same order; a second signal ends it at once. Everything else that was spawned on the context is
/// destroyed with it.
///
/// Returns the coroutine's int if it has one, otherwise 0; 1 if an exception escapes it, which is printed on
/// stderr.
///
/// @par Example
/// @code
/// int main() { return otpp::run(client()); }
/// @endcode
template <class T>
  requires(std::is_void_v<T> || std::is_same_v<T, int>)
int run(asio::awaitable<T> body) {
  int status = EXIT_FAILURE;
  bool interrupted = false;
  asio::io_context context(1);
  asio::cancellation_signal cancel;
  asio::signal_set interrupts(context, SIGINT, SIGTERM);
  auto on_signal = [&](auto& again, std::error_code error) -> void {
    if (error) {
      return;
    }
    if (std::exchange(interrupted, true)) {
      context.stop();
      return;
    }
    cancel.emit(asio::cancellation_type::terminal);
    interrupts.async_wait([&](std::error_code next, int) { again(again, next); });
  };
  interrupts.async_wait([&](std::error_code error, int) { on_signal(on_signal, error); });
  asio::co_spawn(
      context, detail::run_main(std::move(body), status, interrupted),
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
