// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/borrows.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/sys/detail/state_access.hpp>
#include <otpp/sys/detail/sys_request.hpp>

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// Inspects a server: calls `look(const State&)` between two of its messages, and returns the result. OTP's
/// `sys:get_state/1,2`.
///
/// The request goes to the end of the mailbox, does not count toward its limit, and is handled even while the
/// server is suspended. It does not count as a message for the server: a timeout set by `outcome::timeout(d)`
/// starts anew, and one with a message continues.
///
/// @param to    An `address` that knows the callbacks: a `server_ref`, a `server_name`, or a `via` with `as`.
/// @param look  Called on the server's executor. It should return a copy, and be quick, because the server
/// waits for it. It may refer to the caller's objects, because it is called only while the caller waits.
/// @param rest  A timeout, by default five seconds; `otpp::ahead`, with which the request comes before all that is queued;
/// a completion token. Each may be left out; in this order.
///
/// @par Completion signature
/// `void(std::exception_ptr, R)`, where `look` returns `R` or a reference to it; for void,
/// `void(std::exception_ptr)`
///
/// @par Errors
/// - any exception that `look` throws. The server continues.
/// - `errc::no_process`: no process has that name, or the server has ended.
/// - `errc::exited`: the server ended before it handled this.
/// - `errc::timeout`: the server has not handled this in time; it then never does.
/// - `errc::calling_self`: a handler waits for its own server.
/// - `errc::deadlock`: as for `call`. Nothing is sent.
/// - `errc::bad_message`: the name belongs to a server of another type.
///
/// @par Cancellation
/// All types end the wait with `asio::error::operation_aborted`, and then `look` is not called. A running
/// call of `look` is not interrupted.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler.
///
/// @par Lifetime
/// The address may be destroyed at once. The destruction of the caller's context waits while `look` runs.
///
/// @par Example
/// @code
/// std::size_t size = co_await otpp::inspect(server, [](const state& s) { return s.table.size(); });
/// @endcode
template <class Address, class Function, class... Rest>
auto inspect(Address to, Function&& look, Rest&&... rest) {
  static_assert(detail::check_function<Function>());
  if constexpr (detail::check_state_of<Address>()) {
    using callbacks = detail::callbacks_of<Address>;
    using function = std::decay_t<Function>;
    constexpr bool fits = std::invocable<function&, const state_t<callbacks>&>;
    static_assert(fits, "otpp: inspect takes a function of `const State&`");
    if constexpr (fits) {
      using result = std::decay_t<std::invoke_result_t<function&, const state_t<callbacks>&>>;
      if constexpr (!std::is_void_v<result>) {
        static_assert(
            !detail::message_borrows<result>(),
            "otpp: what the function returns to inspect would dangle: it refers to the state; return a copy");
      }
      return detail::ask_sys(
          "inspect", std::move(to),
          [look = function(std::forward<Function>(look))](detail::server_core& server) mutable -> result {
            return std::invoke(look, std::as_const(detail::gen_server<callbacks>::state_of(server)));
          },
          std::forward<Rest>(rest)...);
    }
  }
}

/// Replaces a server's state between two messages. OTP's `sys:replace_state/2,3`.
///
/// The new state is stored at the same address as the old one.
///
/// @param to    As for `inspect`.
/// @param make  Called on the server's executor: as `State make(const State&)`, which returns the new state,
///              or as `void make(State&)`, which modifies a copy. If it throws, the state is unchanged.
/// @param rest  As for `inspect`.
///
/// @par Completion signature
/// `void(std::exception_ptr)`
///
/// @par Errors
/// Any exception that `make` throws; otherwise as `inspect`. After a timeout or a cancellation the state is
/// not changed.
///
/// All else as `inspect`.
///
/// @par Example
/// @code
/// co_await otpp::replace_state(server, [](const state& old) { return state{.limit = 2 * old.limit}; });
/// co_await otpp::replace_state(server, [](state& s) { s.limit *= 2; });
/// @endcode
template <class Address, class Function, class... Rest>
auto replace_state(Address to, Function&& make, Rest&&... rest) {
  static_assert(detail::check_function<Function>());
  if constexpr (detail::check_state_of<Address>()) {
    using callbacks = detail::callbacks_of<Address>;
    using state = state_t<callbacks>;
    using function = std::decay_t<Function>;
    constexpr bool makes_one = [] {
      if constexpr (std::invocable<function&, const state&>) {
        return std::convertible_to<std::invoke_result_t<function&, const state&>, state>;
      }
      return false;
    }();
    static_assert(
        makes_one || std::invocable<function&, state&>,
        "otpp: replace_state takes a function of `const State&` that returns the new state, or of `State&`");
    static_assert(
        makes_one || std::copy_constructible<state>,
        "otpp: replace_state changes a copy, and this state cannot be copied: take `const State&`, and "
        "return "
        "the new state");
    return detail::ask_sys(
        "replace_state", std::move(to),
        [make = function(std::forward<Function>(make))](detail::server_core& server) mutable {
          state& old = detail::gen_server<callbacks>::state_of(server);
          if constexpr (makes_one) {
            state made = std::invoke(make, std::as_const(old));
            detail::put_state(old, std::move(made));
          } else {
            state copy(std::as_const(old));
            std::invoke(make, copy);
            detail::put_state(old, std::move(copy));
          }
        },
        std::forward<Rest>(rest)...);
  }
}

} // namespace otpp

#pragma GCC visibility pop
