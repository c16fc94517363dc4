// SPDX-License-Identifier: BSL-1.0

#pragma once

#pragma GCC visibility push(default)

namespace otpp {

/// The message by which a server hears that it drains (`server_ref::drain`), if its callbacks have a
/// `handle_info(otpp::draining, State&)`; it need not be listed in `messages`.
///
/// It comes once, after the messages that were in the mailbox when draining began. A server uses it to end what would
/// otherwise go on until the deadline: a coroutine that accepts connections, or callers that wait for something that
/// will not come any more. It may end the server at once by `otpp::stop()`.
///
/// @par Example
/// @code
/// void handle_info(otpp::draining, state& mine) { mine.acceptor.close(); }
/// @endcode
struct draining {};

} // namespace otpp

#pragma GCC visibility pop
