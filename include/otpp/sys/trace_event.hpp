// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/exit_reason.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp {

/// An event that is traced (`otpp::trace`, in sys.hpp). OTP's system events.
struct trace_event {
  enum class kind : std::uint8_t {
    started,  ///< `init` is about to run.
    received, ///< A call, a cast or an info is about to be handled.
    replied,  ///< The handler has answered a call.
    timeout,  ///< Its own timeout has expired, and is about to be handled.
    ended,    ///< `terminate` has run.
  };

  kind what;
  std::uint64_t id;         ///< The server's id.
  std::string server;       ///< The server's name: `"counter"`, or `counter#7`.
  std::string_view message; ///< The type of what was received or answered.
  source_location where;    ///< Where it was sent; line 0 if that is not known.
  exit_reason reason;       ///< Why it ended.

  /// Returns the event as text: `"counter" takes counter::add, sent in line 12`.
  std::string text() const {
    std::string said = server;
    switch (what) {
      case kind::started: said += " starts"; break;
      case kind::received: said.append(" takes ").append(message); break;
      case kind::replied: said.append(" answers ").append(message); break;
      case kind::timeout: said += " takes its timeout"; break;
      case kind::ended: said += " ends: " + reason.message(); break;
    }
    if (where.line() != 0) {
      said += ", sent in line " + std::to_string(where.line());
    }
    return said;
  }
};

} // namespace otpp

#pragma GCC visibility pop
