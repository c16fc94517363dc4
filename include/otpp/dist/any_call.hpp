// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/value.hpp>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// A call from another node whose request fits no message on the server's list: for a server that takes any request.
///
/// Its answer is any term. Casts and plain messages that fit nothing go to `handle_cast(otpp::term, State&)` and
/// `handle_info(otpp::term, State&)`, if there are such. Without these handlers a call fails with `bad_message`, and the
/// others are dropped, counted and reported (`unknown_message`).
///
/// @par Example
/// @code
/// otpp::term handle_call(otpp::dist::any_call call, state&) { return call.request; }   // an echo
/// @endcode
struct any_call {
  otpp::term request;

  using reply_type = otpp::term;
};

} // namespace otpp::dist

#pragma GCC visibility pop
