// SPDX-License-Identifier: BSL-1.0

/// Servers: their callbacks, and the verbs for using them. OTP's module gen_server.

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/address/via.hpp>
#include <otpp/detail/dispatch/gen_server.hpp>
#include <otpp/draining.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/callbacks.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/drain.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/overflow.hpp>
#include <otpp/gen_server/reply.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/gen_server/stop.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/timeout.hpp>

#pragma GCC visibility push(default)

namespace otpp {

/// The server of a callbacks class, as a type: `start` creates one, and a `server_ref` refers to it.
///
/// Users name it only to declare the state of a callbacks class; they use the server through a `server_ref`.
template <class Callbacks, class State = state_t<Callbacks>>
using gen_server = detail::gen_server<Callbacks, State>;

} // namespace otpp

#pragma GCC visibility pop
