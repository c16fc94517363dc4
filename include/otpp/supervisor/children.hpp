// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/detail/child_requests.hpp>
#include <otpp/timeout.hpp>

#include <asio/use_awaitable.hpp>

#include <cstddef>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// A child, as returned by `which_children`.
struct child_info {
  std::string id;             ///< What its specification calls it.
  pid who;                    ///< Nobody if it is not running.
  bool is_restarting = false; ///< Its start has failed or is delayed, and will be tried again.
  bool is_supervisor = false; ///< Its callbacks are those of a supervisor.
  std::string callbacks;      ///< The callbacks type.
};

/// What `count_children` returns.
struct child_counts {
  std::size_t specs = 0;       ///< Children whose specification the supervisor has.
  std::size_t active = 0;      ///< Those that are running.
  std::size_t supervisors = 0; ///< Those that are supervisors, running or not.
  std::size_t workers = 0;     ///< The others.
};

/// Starts a child of a supervisor, which keeps its specification, and returns the child's process: nobody if
/// its `init` returned `otpp::ignore`. OTP's `supervisor:start_child/2`.
///
/// @param supervisor  An address of a `supervisor`, or of a `dynamic_supervisor`.
/// @param spec        What `otpp::child` or `otpp::temporary_child` returns.
/// @param token       A completion token; `asio::use_awaitable` by default.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::pid)`
///
/// @par Errors
/// - any exception that the child's `init` threw; the specification is not kept then.
/// - `errc::already_started`, `errc::already_present`: there is a child of that id. Not reported by a dynamic
/// supervisor.
/// - `errc::max_children`: a dynamic supervisor is full.
/// - as `call`, but without a timeout, as for every request to a supervisor: a supervisor that is starting or
/// ending another child answers afterwards.
/// @par Cancellation
/// As `call`.
///
/// @par Thread safety
/// Safe from any thread.
///
/// @par Lifetime
/// As `call`. The child ends with its supervisor.
///
/// @par Example
/// @code
/// auto spec = otpp::temporary_child<session>("session", std::move(socket));
/// otpp::pid who = co_await otpp::start_child(sessions, spec);
/// @endcode
template <address Address, class Token = asio::use_awaitable_t<>>
auto start_child(Address supervisor, child_spec spec, Token&& token = {}) {
  return otpp::call_for<detail::start_child_request>(
      std::move(supervisor), infinite, std::move(spec), std::forward<Token>(token));
}

/// Restarts a child that was terminated, or that has ended and was not restarted. OTP's
/// `supervisor:restart_child/2`. Fails with `errc::running` and `errc::not_found`; all else as `start_child`.
///
/// @param supervisor  An address of a `supervisor`; a dynamic one keeps no child that has ended.
/// @param id          The child's id.
/// @param token       A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
auto restart_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::restart_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// Shuts a child down, and completes when it has ended. Its specification is kept unless it is temporary.
/// OTP's `supervisor:terminate_child/2`. Fails with `errc::not_found`; all else as `start_child`.
///
/// @param supervisor  An address of a `supervisor`.
/// @param id          The child's id. Has no effect on a child that is not running; a pending restart is
///                    cancelled.
/// @param token       A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
auto terminate_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::terminate_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// Shuts down a child of a `dynamic_supervisor`, which drops its specification. All else as above.
///
/// @param supervisor  An address of a `dynamic_supervisor`.
/// @param who         The child's process. Has no effect if it has ended; fails with `errc::not_found` if it
///                    runs and is not its child.
/// @param token       A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
auto terminate_child(Address supervisor, pid who, Token&& token = {}) {
  return otpp::call_for<detail::terminate_process_request>(
      std::move(supervisor), infinite, std::move(who), std::forward<Token>(token));
}

/// Drops the specification of a child that is not running. OTP's `supervisor:delete_child/2`. Fails with
/// `errc::running` and `errc::not_found`; all else as `start_child`.
///
/// @param supervisor  An address of a `supervisor`.
/// @param id          The child's id.
/// @param token       A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
auto delete_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::delete_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// Returns a supervisor's children as `std::vector<otpp::child_info>`, in start order, except for a dynamic
/// supervisor. OTP's `supervisor:which_children/1`. All else as `start_child`. Linear in the number of
/// children.
///
/// @param supervisor  An address of a `supervisor`, or of a `dynamic_supervisor`.
/// @param token       A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
auto which_children(Address supervisor, Token&& token = {}) {
  return otpp::call_for<detail::which_children_request>(
      std::move(supervisor), infinite, std::forward<Token>(token));
}

/// Returns the number of children as `otpp::child_counts`. OTP's `supervisor:count_children/1`. All else as
/// `start_child`.
///
/// @param supervisor  An address of a `supervisor`, or of a `dynamic_supervisor`.
/// @param token       A completion token; `asio::use_awaitable` by default.
template <address Address, class Token = asio::use_awaitable_t<>>
auto count_children(Address supervisor, Token&& token = {}) {
  return otpp::call_for<detail::count_children_request>(
      std::move(supervisor), infinite, std::forward<Token>(token));
}

} // namespace otpp

#pragma GCC visibility pop
