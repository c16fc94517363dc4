// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>

#include <exception>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

// Returns the process whose step is running, for verbs that only a process may use.
inline intrusive_ptr<server_core> running_process(std::string_view verb) {
  turn* here = turn::current();
  auto* found = here ? dynamic_cast<server_core*>(here->running()) : nullptr;
  if (!found) {
    std::rethrow_exception(make_error(
        errc::no_process,
        std::string(verb) + ", which only a process may use (a callback, or a coroutine that "
                            "otpp::spawn has started),",
        {}, {}));
  }
  return intrusive_ptr<server_core>(found);
}

} // namespace detail

/// Returns the process whose callback or body is running. OTP's `self/0`. Elsewhere throws `errc::no_process`.
inline pid self() { return detail::access::make<pid>(detail::running_process("self")); }

/// Returns the server whose callback is running, with its type.
///
/// Must be called inside a callback, or in a coroutine on the server's own executor. Elsewhere, and in a
/// server with other callbacks, throws `errc::no_process`.
template <class Callbacks>
server_ref<Callbacks> self() {
  detail::turn* here = detail::turn::current();
  auto* server = here ? dynamic_cast<detail::server_core*>(here->running()) : nullptr;
  if (!server || !detail::has_callbacks<Callbacks>(*server)) {
    std::rethrow_exception(
        detail::make_error(errc::no_process, "self, which is asked outside of its own callbacks,", {}, {}));
  }
  return detail::access::make<server_ref<Callbacks>>(detail::intrusive_ptr<detail::server_core>(server));
}

} // namespace otpp

#pragma GCC visibility pop
