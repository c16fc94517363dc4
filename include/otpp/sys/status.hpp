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

namespace otpp {

/// What `get_status` says of a server.
struct server_status {
  pid who;
  std::string name;               ///< In words: `"counter"`, or `counter#7`.
  std::vector<std::string> names; ///< All that are registered.
  std::string type;               ///< Its callbacks.
  std::uint64_t parent = 0;       ///< The id of who has started it with a link; else zero.
  bool is_suspended = false;
  bool is_traced = false;
  std::size_t queue_length = 0; ///< Messages that waited at that moment, those of the library too.
  std::optional<server_statistics> statistics; ///< Where they are on.
  std::string state; ///< What its `format_status` says; else the type of its state, and no more.
};

/// Returns what can be said of a server. OTP's `sys:get_status/1,2`.
///
/// Its state is in it only as its `format_status(const State&)` shows it, which leaves out what is secret. If
/// that throws, its error stands there instead.
///
/// @param to    Any address, also that of a coroutine that `otpp::spawn` has started.
///
/// @par Completion signature
/// `void(std::exception_ptr, otpp::server_status)`
///
/// All else as `inspect`.
///
/// @par Complexity
/// Linear in the messages that wait, which are counted.
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
        result.queue_length = server.count_queue();
        result.statistics = detail::statistics_of(server);
        result.state = server.show_state();
        return result;
      },
      std::forward<Rest>(rest)...);
}

} // namespace otpp
