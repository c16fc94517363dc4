// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/start_request.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/coroutine_body.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/detail/inbox.hpp>
#include <otpp/process/detail/result.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/process_ref.hpp>
#include <otpp/process/self.hpp>

#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>

#include <memory>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The callbacks of a process that is one coroutine, as started by `spawn`. Users name it only in
/// `server_ref<otpp::spawned>`, which `spawn` returns and to which any message can be sent with `send`.
struct spawned {
  using takes_any_message = void;

  class state_type {
   public:
    explicit state_type(asio::awaitable<void> body)
        : inbox(std::make_unique<detail::inbox>(*detail::running_process("spawn"))), body_(std::move(body)) {}

    asio::awaitable<void> take_body() noexcept { return std::move(body_); }

    std::unique_ptr<detail::inbox> inbox;

   private:
    asio::awaitable<void> body_;
  };

  class begin {};
  using messages = message_list<begin>;

  init_result<state_type> init(asio::awaitable<void> body) {
    return init_result<state_type>(state_type(std::move(body))).then(begin());
  }

  // A template, so that only translation units that use spawn compile it.
  template <class State>
  asio::awaitable<outcome<>> handle_continue(begin, State& state) {
    asio::awaitable<void> body = state.take_body();
    co_await std::move(body);
    co_return stop();
  }

  // Never called: the body runs as long as the process, and messages wait for receive().
  template <message M>
  void handle_info(M, state_type&) {}
};

namespace detail {

// Can this body be spawned with this token? If not, the compiler says why.
template <class Body, class Token>
consteval bool check_spawned() {
  if constexpr (!check_body<Body>()) {
    return false;
  } else {
    using result = body_result_t<Body>;
    constexpr bool is_kept = std::is_void_v<result> || std::is_object_v<result>;
    static_assert(
        is_kept, "otpp: what a process returns is kept until it is joined, so that it must be a value");
    if constexpr (is_use_awaitable<std::decay_t<Token>>) {
      return check_function<Body>() && is_kept;
    } else {
      return is_kept;
    }
  }
}

template <class Body, class Token>
auto start_spawned(options how, Body&& body, Token&& token) {
  using result = body_result_t<Body>;
  if constexpr (std::is_void_v<result>) {
    return start_server<spawned, server_ref<spawned>>(
        std::move(how), std::forward<Token>(token), coroutine_of(std::forward<Body>(body)));
  } else {
    return start_server<spawned, process_ref<result>>(
        std::move(how), std::forward<Token>(token),
        returning_body<result>::run(coroutine_of(std::forward<Body>(body))));
  }
}

template <class Body>
concept not_options = !std::is_same_v<std::remove_cvref_t<Body>, options>;

} // namespace detail

/// Makes a coroutine a process: it has a `pid`, links, monitors, and a mailbox of any message type. Erlang's
/// `spawn/1`.
///
/// The body runs on the process's own serial executor, as a server's handler does. Inside it `self()`,
/// `receive`, `monitor`, `link` and `trap_exit` work. The process ends when the body returns, with the reason
/// `normal`, or with the exception that it throws, which is reported as a crash. Exit signals and `stop`
/// cancel the operation that the body awaits (`asio::cancellation_type::terminal`).
///
/// @param how   Name, executor and mailbox limit, as for `start`.
/// @param body  The coroutine, an `asio::awaitable`; or a function object without parameters that returns
///              one. Its copy is kept until the coroutine has ended, so that a lambda may capture what its
///              coroutine uses; the coroutine that a temporary lambda has returned would outlive its captures.
///              On GCC before 13 a lambda with captures in a `co_await` expression must have a name.
/// @param token  A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::server_ref<otpp::spawned>)`, when the body is about to begin; with a
/// `process_ref<T>` in its place if the coroutine returns a `T`, which `process_ref::join` then completes with.
///
/// @par Errors
/// `errc::name_taken`, `errc::no_process` as `start`.
///
/// @par Cancellation
/// As `start`.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// The process lives until its body has ended, or its context is destroyed. Like an idle server, a process
/// that waits in `receive` without a timeout does not keep a context's `run()` from returning.
///
/// @par Example
/// @code
/// otpp::pid printer = co_await otpp::spawn(otpp::named("printer"), print_lines);
/// co_await otpp::send<line>(printer, "hello");
/// @endcode
template <class Body, class Token = asio::use_awaitable_t<>>
auto spawn(options how, Body&& body, Token&& token = {}) {
  if constexpr (detail::check_spawned<Body, Token>()) {
    return detail::start_spawned(std::move(how), std::forward<Body>(body), std::forward<Token>(token));
  }
}

/// Spawns a process without a name, on the executor of the caller. All else as above.
///
/// @param body   As above.
/// @param token  A completion token; `asio::use_awaitable` by default.
template <detail::not_options Body, class Token = asio::use_awaitable_t<>>
auto spawn(Body&& body, Token&& token = {}) {
  return otpp::spawn(options(), std::forward<Body>(body), std::forward<Token>(token));
}

/// Spawns a process that is linked with this one. Erlang's `spawn_link/1`. Must be called inside a callback
/// or another process's body. All else as `spawn`.
///
/// When this process ends, an exit signal ends the spawned one; if that traps exits, it receives an
/// `exit_signal` instead, and goes on until its body returns.
///
/// @param how    Name, executor and mailbox limit, as for `start`.
/// @param body   As for `spawn`.
/// @param token  A completion token; `asio::use_awaitable` by default.
template <class Body, class Token = asio::use_awaitable_t<>>
auto spawn_link(options how, Body&& body, Token&& token = {}) {
  if constexpr (detail::check_spawned<Body, Token>()) {
    return detail::start_spawned(
        detail::access::link_to(std::move(how), self()), std::forward<Body>(body),
        std::forward<Token>(token));
  }
}

/// Spawns a linked process without a name, on the executor of the caller. All else as above.
///
/// @param body   As for `spawn`.
/// @param token  A completion token; `asio::use_awaitable` by default.
template <detail::not_options Body, class Token = asio::use_awaitable_t<>>
auto spawn_link(Body&& body, Token&& token = {}) {
  return otpp::spawn_link(options(), std::forward<Body>(body), std::forward<Token>(token));
}

/// Spawns a process that this one monitors, without a name, on the executor of the caller; returns an
/// awaitable of a `monitored`. Erlang's `spawn_monitor/1`.
///
/// @param body  As for `spawn`.
template <class Body>
auto spawn_monitor(Body&& body) {
  if constexpr (detail::check_spawned<Body, asio::use_awaitable_t<>>()) {
    auto starting = detail::start_spawned(options(), std::forward<Body>(body), asio::use_awaitable);
    using ref = typename decltype(starting)::value_type;
    return detail::monitored_start<spawned, ref>::run(std::move(starting));
  }
}

} // namespace otpp

#pragma GCC visibility pop
