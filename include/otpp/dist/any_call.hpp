// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/form.hpp>
#include <otpp/term/value.hpp>

#include <optional>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::dist {

/// A call of which any term is the request, and any the answer.
///
/// Sent to another node, it asks what no type of this program says. As a message of a server here, it is a call from another node
/// whose request fits none on the server's list. Casts and plain messages that fit nothing go to `handle_cast(otpp::term, State&)` and
/// `handle_info(otpp::term, State&)`, if there are such. Without these handlers a call fails with `bad_message`, and the
/// others are dropped, counted and reported (`unknown_message`).
///
/// @par Example
/// @code
/// otpp::term handle_call(otpp::dist::any_call call, state&) { return call.request; }   // an echo
///
/// otpp::term all = co_await otpp::call<otpp::dist::any_call>(node.remote("cache", "ex@host"), otpp::term::of(otpp::atom("all")));
/// @endcode
struct any_call {
  otpp::term request; ///< What is asked.

  using reply_type = otpp::term; ///< Any answer fits.
};

} // namespace otpp::dist

namespace otpp {

template <>
inline constexpr auto term_of<dist::any_call> = as::custom(
    [](const dist::any_call& call) { return call.request; },
    [](term request) { return std::optional(dist::any_call{std::move(request)}); });

} // namespace otpp

#pragma GCC visibility pop
