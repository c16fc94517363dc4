// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/util/one_line.hpp>
#include <otpp/error.hpp>
#include <otpp/subscription.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp {

/// A call, or another way of sending a message, has ended with one of the library's errors, such as `errc::timeout`.
///
/// It goes to those who `subscribe` to it, where the error is delivered: on the executor of whoever waits for the answer,
/// before that is resumed; of a request, also as one of a `multi_call`, on the server's context when its answer arrives
/// there. A `wait` for a request that is over without an answer is told only if it has given the request up.
///
/// What a server itself answers with, `otpp::fail` or an exception of its handler's that is passed on, is no failure of the
/// call. Not told either: timers, whose error is thrown; `try_cast` and `try_send`, which only return false; operations
/// without a message, such as `stop` and `start`; a cancellation; and what is destroyed with its context.
///
/// @par Example
/// @code
/// otpp::subscription failures = otpp::subscribe<otpp::failed_call>(
///     [](const otpp::failed_call& failed) { std::cerr << failed.text() << '\n'; });
/// @endcode
struct failed_call {
  errc code{}; ///< Why.
  /// `"call"`, `"cast"`, `"send"`, `"send_request"` (that of a `multi_call`, too) or `"multi_call"` (too late).
  std::string_view operation;
  std::string_view message; ///< The type of the message.
  std::string server;       ///< The server's name, or `counter#7`; `nobody` if the address was empty.
  std::string_view
      type; ///< The server's callbacks: `"counter"`. Empty if an untyped address led to no server.
  std::uint64_t id = 0; ///< The server's id; zero if no server was found.

  /// Returns the report as one line.
  std::string text() const {
    std::string line = "otpp: " + std::string(operation) + " of " + std::string(message) + " at ";
    return line + detail::one_line(server) + " has failed: " + make_error_code(code).message();
  }
};

template <>
inline constexpr bool detail::is_report<failed_call> = true;
template <>
inline constexpr bool detail::is_silent<failed_call> = true;

} // namespace otpp

#pragma GCC visibility pop
