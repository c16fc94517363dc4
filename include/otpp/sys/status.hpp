// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/sys/detail/statistics_of.hpp>
#include <otpp/sys/detail/sys_request.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/sys/server_statistics.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp {

/// The result of `get_status`.
struct server_status {
  pid who;                        ///< The server.
  std::string name;               ///< For use in messages: `"counter"`, or `counter#7`.
  std::vector<std::string> names; ///< All its registered names.
  std::string type;               ///< Its callbacks type.
  std::uint64_t parent = 0;       ///< The id of the process that started it with a link; else zero.
  bool is_suspended = false;      ///< Its messages wait for `resume`.
  bool is_traced = false;         ///< Its events are reported to the function that `trace` was given.
  std::size_t queue_length = 0;   ///< Messages that waited at that moment, including those of the library.
  std::optional<server_statistics> statistics; ///< If they are on.
  std::string state; ///< The result of its `format_status`, otherwise only the type of its state.
};

/// Returns a description of a server. OTP's `sys:get_status/1,2`.
///
/// The state is shown only by its `format_status(const State&)`, which should omit secrets. If that throws,
/// the description has its error instead.
///
/// @param to    Any address, including that of a coroutine that `otpp::spawn` has started.
/// @param rest  As for `inspect`: a timeout, `otpp::ahead`, a completion token.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::server_status)`
///
/// All else as `inspect`.
///
/// @par Complexity
/// Linear in the number of queued messages, which are counted.
///
/// @par Example
/// @code
/// struct vault {
///   static std::string format_status(const state& s) { return std::to_string(s.keys.size()) + " keys"; }
///   ...
/// };
/// otpp::server_status status = co_await otpp::get_status(server);
/// @endcode
template <class Address, class... Rest>
auto get_status(Address to, Rest&&... rest) {
  return detail::ask_sys(
      "get_status", std::move(to),
      [](detail::server_core& server) {
        server_status result;
        const detail::observation::observer* watch = server.observed().get();
        result.who = detail::access::make<pid>(detail::intrusive_ptr<detail::server_core>(&server));
        result.name = server.describe();
        result.names = detail::names_of(server);
        result.type = server.type_name();
        result.parent = detail::relations::parent_of(server);
        result.is_suspended = watch && watch->is_suspended;
        result.is_traced = watch && watch->hook;
        result.queue_length = server.queue().count_own_up_to(~std::size_t{0});
        result.statistics = detail::statistics_of(server);
        result.state = server.show_state(true);
        return result;
      },
      std::forward<Rest>(rest)...);
}

} // namespace otpp

#pragma GCC visibility pop
