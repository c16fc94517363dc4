// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/start_request.hpp>
#include <otpp/detail/util/trailing_token.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/options.hpp>

#include <asio/use_awaitable.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Starts a server, and returns a reference to it after its `init` has succeeded. OTP's
/// `gen_server:start/3,4`.
///
/// It runs on the executor that `how` names, or else on that of the completion handler, which for a coroutine
/// is the coroutine's own. A handler without an executor, such as a plain function or that of
/// `asio::use_future`, has `asio::system_executor`: the server then runs on threads of the global
/// `asio::system_context`, beside everything else. Say `options().on(executor)` with those.
///
/// What a callback spawns on its own executor does not end with the server, and so may outlive its state:
/// such a coroutine takes no reference to the state, or owns what it refers to.
///
/// @param how   Name, executor and mailbox limit: `named("counter")`, or `options{}`.
/// @param args  The arguments of `init`. If it does not take all of them, the last is a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::server_ref<Callbacks>)`; with an error, the reference is to nobody.
///
/// @par Errors
/// - any exception that `init` threw, unchanged. `terminate` is not called, and the name is free again.
/// - `errc::name_taken`: another server has that name; `init` is not run.
/// - `errc::ignored`: `init` returned `otpp::ignore`.
/// - `errc::exited`: `init` returned `otpp::stop` with a reason that is no exception.
/// - `errc::no_process`: the context on which it was to run is being destroyed, or has been since
///   `options().on(executor)`.
///
/// @par Cancellation
/// All types cancel an `init` that is a coroutine; the start completes when `init` has, with its exception,
/// usually `asio::error::operation_aborted`. If `init` ignores the cancellation, the server is started. `start || timer`
/// may drop the reference of a server that has started, which runs on.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// The arguments are moved or copied before this function returns. The server lives until it is stopped, ends
/// by itself, or its context is destroyed; no reference keeps it alive.
///
/// @par Example
/// @code
/// auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);
/// @endcode
template <class Callbacks, class... Args>
auto start(options how, Args&&... args) {
  static_assert(detail::check_callbacks<Callbacks>());
  using state [[maybe_unused]] = state_t<Callbacks>;
  constexpr bool fits = detail::fits_with_trailing_token<detail::inits<Callbacks>::template with, Args...>();
  static_assert(
      fits || !detail::shows_init<Callbacks>(), // else state_t has said so
      "otpp: init does not take these arguments; start passes what it gets on to init");
  static_assert(detail::check_init_arguments<Callbacks, Args...>());
  if constexpr (fits) {
    return detail::with_trailing_token<detail::inits<Callbacks>::template with>(
        asio::use_awaitable,
        [&]<class Token, class... Rest>(Token&& token, Rest&&... rest) {
          return detail::start_server<Callbacks, server_ref<Callbacks>>(
              std::move(how), std::forward<Token>(token), std::forward<Rest>(rest)...);
        },
        std::forward<Args>(args)...);
  } else {
    return detail::refused<server_ref<Callbacks>>();
  }
}

/// Starts a server without a name, on the starter's executor. All else as above.
///
/// @param args  The arguments of `init`. If it does not take all of them, the last is a completion token.
template <class Callbacks, class... Args>
  requires(
      sizeof...(Args) == 0 ||
      !std::is_same_v<std::remove_cvref_t<std::tuple_element_t<0, std::tuple<Args..., int>>>, options>)
auto start(Args&&... args) {
  return otpp::start<Callbacks>(options(), std::forward<Args>(args)...);
}

} // namespace otpp

#pragma GCC visibility pop
