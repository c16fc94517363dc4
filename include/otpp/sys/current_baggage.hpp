// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/tracing.hpp>
#include <otpp/sys/trace_event.hpp>

#pragma GCC visibility push(default)

namespace otpp {

/// Returns what travels with the message that is being handled: what a `trace_capture` has kept for it, such
/// as the id of a request, a span, or who has asked. Null if there is none.
///
/// It travels on by itself: with what the handler sends and calls, unless a `trace_capture` keeps something
/// else; to what the handler leaves for its own server (`then`, and of a `gen_statem` the events that it
/// inserts and the state that it enters); and to the coroutines of `otpp::co_spawn` and the results of
/// `otpp::pipe` that the handler starts, also when it has returned and the server handles other messages. What
/// a `gen_statem` postpones keeps its own. So a log line anywhere below can name the request that it belongs
/// to.
///
/// It exists while somebody subscribes to `trace_capture` or `trace_event`; otherwise servers pay nothing for
/// it. A message of a timer has none, nor has a process that the handler starts: its `init`, and what a spawned
/// coroutine receives. In a coroutine of `asio::co_spawn` it is kept where that runs on the executor of a
/// coroutine of `otpp::co_spawn`, and awaits nothing of otpp.
///
/// @par Thread safety
/// Called in a callback, or in what it has started on the server's executor. Elsewhere it returns null.
///
/// @par Example
/// @code
/// struct request { std::string id; };
///
/// std::string request_id() {  // in a handler, or in what it has started
///   auto found = std::static_pointer_cast<const request>(otpp::current_baggage());
///   return found ? found->id : "none";
/// }
/// @endcode
///
/// OTP: `seq_trace:get_token/0`.
inline trace_context current_baggage() noexcept { return detail::context_here(detail::turn::current()); }

} // namespace otpp

#pragma GCC visibility pop
