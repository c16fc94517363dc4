// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/detail/util/watchers.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/subscription.hpp>
#include <otpp/timeout.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// What a tracer lets travel with a message, such as the ids of a span (`trace_capture`).
using trace_context = std::shared_ptr<const void>;

/// Something that has happened in a process. OTP's system events, and its trace messages.
///
/// `otpp::trace` reports those of one server, `otpp::subscribe<otpp::trace_event>` those of all. From then on each message
/// that a handler is to get has a number, and says who has sent it and when; the library's own messages and those of timers
/// do not.
///
/// A `sent` that is not followed by a `received` was refused, or dropped; or it went to a coroutine (`spawn`), whose
/// `receive` is not traced. What a function sends that hears of events is not traced itself, but what its receivers do with
/// it is: a tracer that sends to a server leaves that server's events out.
///
/// @par Lifetime
/// The texts are valid while the function runs that is called with the event.
///
/// @par Example
/// @code
/// otpp::subscription spans = otpp::subscribe<otpp::trace_event>([](const otpp::trace_event& event) {
///   if (event.what == otpp::trace_event::kind::handled) {
///     std::cerr << event.text() << '\n';
///   }
/// });
/// @endcode
struct trace_event {
  /// What has happened.
  enum class kind : std::uint8_t {
    started,  ///< `init` is about to run.
    received, ///< A call, a cast or an info is about to be handled.
    replied,  ///< The handler has answered a call.
    timeout,  ///< Its own timeout has expired, and is about to be handled.
    ended,    ///< `terminate` has run.
    sent, ///< A message is about to be put into its mailbox, on the sender's thread. Only for those who trace all.
    handled, ///< The handler has returned or thrown, and if it is a coroutine has completed.
  };

  kind what = kind::started; ///< What has happened.
  std::uint64_t id = 0;      ///< The server's id.
  std::string_view server;   ///< The server's name: `"counter"`, or `counter#7`.
  std::string_view type;     ///< The server's callbacks: `"counter"`.
  std::string_view
      message;           ///< The type of what was sent, received, answered or handled; empty for a timeout.
  bool is_call = false;  ///< The message is a call, and no cast or info.
  source_location where; ///< Where it was sent; line 0 if that is not known.
  exit_reason reason =
      exit_reason::normal(); ///< Why it ended; of `handled`, why the handler ends it. Else `normal`.
  std::chrono::steady_clock::time_point time; ///< When.
  std::uint64_t sequence = 0; ///< The number of the message, by which its events belong together; zero: none.
  std::uint64_t from = 0;     ///< The id of the process that has sent it; zero if none, or not known.
  duration waited{};     ///< Of `received` and `handled`: from the sending to the handler; zero if not known.
  duration ran{};        ///< Of `handled`: from the handler's beginning, with what a coroutine waits.
  trace_context context; ///< What a `trace_capture` has kept.

  /// Returns the event as text: `"counter" takes counter::add, sent in line 12`.
  std::string text() const {
    std::string said(server);
    switch (what) {
      case kind::started: said += " starts"; break;
      case kind::received: said.append(" takes ").append(message); break;
      case kind::replied: said.append(" answers ").append(message); break;
      case kind::timeout: said += " takes its timeout"; break;
      case kind::ended: said += " ends: " + reason.message(); break;
      case kind::sent: said.append(" is sent ").append(message); break;
      case kind::handled:
        said.append(" has handled ").append(message.empty() ? "its timeout" : message).append(" in ");
        said += std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(ran).count()) + " us";
        break;
    }
    if (where.line() != 0) {
      said += ", sent in line " + std::to_string(where.line());
    }
    return said;
  }
};

/// A message is about to be sent, and something may travel with it. `subscribe` to it to put trace contexts into messages;
/// OTP's `seq_trace:set_token/2`.
///
/// It is told before the event `sent`, on the sender's thread.
///
/// @par Example
/// @code
/// struct span { std::shared_ptr<const span> parent; };
/// otpp::subscription capture = otpp::subscribe<otpp::trace_capture>([](const otpp::trace_capture& message) {
///   auto parent = std::static_pointer_cast<const span>(message.event.context); // of what the sender handles, or null
///   message.keep(std::make_shared<const span>(span{parent}));
/// });
/// @endcode
struct trace_capture {
  /// Of kind `sent`. Its context is that of the message which the sender handles; null if there is none.
  const trace_event& event;

  /// Sets the context of the message. Of several calls the last one counts; without any it has the sender's.
  ///
  /// @param value  What travels; null takes away what the sender has.
  void keep(trace_context value) const noexcept { *kept = std::move(value); }

  trace_context* kept; ///< For `keep`.
};

namespace detail {

template <>
inline constexpr bool is_report<trace_event> = true;
template <>
inline constexpr bool is_silent<trace_event> = true;
template <>
inline constexpr bool is_report<trace_capture> = true;
template <>
inline constexpr bool is_silent<trace_capture> = true;

template <>
struct listeners<trace_event> {
  static void change(int by) noexcept { watchers.change(watchers.tracing, by); }
};
template <>
struct listeners<trace_capture> : listeners<trace_event> {};

} // namespace detail

} // namespace otpp

#pragma GCC visibility pop
