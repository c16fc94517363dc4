// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/one_line.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/subscription.hpp>

#include <cstdint>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// A report of a supervisor. OTP's supervisor report.
///
/// It goes to those who `subscribe` to it; without any, it is one line on stderr, except for an end of which a crash report
/// has told.
struct supervisor_report {
  /// What has happened.
  enum class kind : std::uint8_t {
    child_terminated, ///< A child has failed.
    start_error,      ///< A child could not be started.
    shutdown_error,   ///< A child that was shut down has ended for another reason.
    overdue,          ///< A child that was shut down did not end in time, and was killed.
    gave_up,          ///< More restarts than the intensity allows: the supervisor ends.
  };

  kind what;              ///< What has happened.
  std::string supervisor; ///< Its name, or `otpp::supervisor#7`.
  std::string child;      ///< The child's id.
  std::string process;    ///< The child's name and id; empty if it never ran.
  exit_reason reason;     ///< Why the child ended, or was not started.
  bool is_known = false;  ///< A crash report has told of this end, so that it is not printed a second time.

  supervisor_report(kind w, std::string s, std::string c, std::string p, exit_reason r)
      : what(w), supervisor(std::move(s)), child(std::move(c)), process(std::move(p)), reason(std::move(r)) {}

  /// Returns the report as one line. Control characters are escaped, and long texts are cut.
  std::string text() const {
    std::string shown = '"' + child + '"';
    if (!process.empty() && process != shown) {
      shown += " (" + process + ')';
    }
    std::string line = detail::one_line("otpp: supervisor " + supervisor + ": child " + shown);
    std::string why = detail::one_line(reason.message());
    switch (what) {
      case kind::child_terminated: return line + " ended: " + why;
      case kind::start_error: return line + " was not started: " + why;
      case kind::shutdown_error: return line + " was shut down, and ended: " + why;
      case kind::overdue: return line + " did not shut down in time, and was killed";
      case kind::gave_up: return line + " ended too often; the supervisor ends: " + why;
    }
    return line;
  }
};

template <>
inline constexpr bool detail::is_report<supervisor_report> = true;

} // namespace otpp

#pragma GCC visibility pop
