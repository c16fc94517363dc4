// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/server_core.hpp>
#include <otpp/server_ref.hpp>
#include <otpp/turn.hpp>

#include <exception>
#include <typeinfo>

namespace otpp {

/// Returns the server whose callback is running. OTP's `self/0`.
///
/// To be called inside a callback, or a coroutine on the server's own executor. Elsewhere, and in a
/// server with other callbacks, throws `errc::no_process`.
template <class Callbacks>
server_ref<Callbacks> self() {
  turn* here = turn::current();
  auto* server = here ? dynamic_cast<server_core*>(here->running()) : nullptr;
  if (!server || server->callbacks_type_info() != typeid(Callbacks)) {
    std::rethrow_exception(detail::make_error(
        errc::no_process, "self, which is asked outside of its own callbacks,", {}, {}));
  }
  return server_ref<Callbacks>(detail::intrusive_ptr<server_core>(server));
}

} // namespace otpp
