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

namespace otpp {

/// A child, as `which_children` shows it.
struct child_info {
  std::string id;
  pid who;                    ///< Nobody, if it does not run.
  bool is_restarting = false; ///< Its start has failed, or is put off, and will be tried again.
  bool is_supervisor = false;
  std::string callbacks; ///< The callbacks type.
};

/// What `count_children` returns.
struct child_counts {
  std::size_t specs = 0;       ///< Children that the supervisor knows.
  std::size_t active = 0;      ///< Those that run.
  std::size_t supervisors = 0; ///< Those that are supervisors, whether they run or not.
  std::size_t workers = 0;     ///< The others.
};

/// Starts a child of a supervisor, which keeps its specification. OTP's `supervisor:start_child/2`.
///
/// @param supervisor  A `supervisor`, or a `dynamic_supervisor`.
/// @param spec        What `otpp::child` returns.
/// @param token       A completion token.
/// @returns           The child; nobody if its `init` returned `otpp::ignore`.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::pid)`
///
/// @par Errors
/// - what the child's `init` threw; nothing is kept then.
/// - `errc::already_started`, `errc::already_present`: there is a child of that id. A dynamic supervisor
///   does not mind.
/// - `errc::max_children`: a dynamic supervisor is full.
/// - as `call`. It waits for as long as it takes, as all that is asked of a supervisor: a supervisor that is
///   starting or ending another child answers when it has done.
///
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

/// Starts a child again that has been terminated, or has ended and was not restarted. OTP's
/// `supervisor:restart_child/2`. Fails with `errc::running` and `errc::not_found`; all else as `start_child`.
template <address Address, class Token = asio::use_awaitable_t<>>
auto restart_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::restart_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// Shuts a child down, and completes when it has ended. Its specification is kept, unless it is temporary.
/// OTP's `supervisor:terminate_child/2`. Fails with `errc::not_found`; all else as `start_child`.
///
/// A child that does not run is left as it is, and one that is to be restarted is not.
template <address Address, class Token = asio::use_awaitable_t<>>
auto terminate_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::terminate_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// The same, for a child of a `dynamic_supervisor`, which forgets it.
template <address Address, class Token = asio::use_awaitable_t<>>
auto terminate_child(Address supervisor, pid who, Token&& token = {}) {
  return otpp::call_for<detail::terminate_process_request>(
      std::move(supervisor), infinite, std::move(who), std::forward<Token>(token));
}

/// Forgets the specification of a child that does not run. OTP's `supervisor:delete_child/2`. Fails with
/// `errc::running` and `errc::not_found`; all else as `start_child`.
template <address Address, class Token = asio::use_awaitable_t<>>
auto delete_child(Address supervisor, std::string id, Token&& token = {}) {
  return otpp::call_for<detail::delete_child_request>(
      std::move(supervisor), infinite, std::move(id), std::forward<Token>(token));
}

/// Returns a supervisor's children: `std::vector<otpp::child_info>`, in start order, but for a dynamic
/// supervisor's. OTP's `supervisor:which_children/1`. All else as `start_child`. Linear in the children.
template <address Address, class Token = asio::use_awaitable_t<>>
auto which_children(Address supervisor, Token&& token = {}) {
  return otpp::call_for<detail::which_children_request>(
      std::move(supervisor), infinite, std::forward<Token>(token));
}

/// Returns how many children there are: `otpp::child_counts`. OTP's `supervisor:count_children/1`. All else
/// as `start_child`.
template <address Address, class Token = asio::use_awaitable_t<>>
auto count_children(Address supervisor, Token&& token = {}) {
  return otpp::call_for<detail::count_children_request>(
      std::move(supervisor), infinite, std::forward<Token>(token));
}

} // namespace otpp
