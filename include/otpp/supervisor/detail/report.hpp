// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/process/self.hpp>
#include <otpp/supervisor/report.hpp>

#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Reports an event of a child, in the name of the supervisor whose handler is running.
inline void report(
    supervisor_report::kind what, std::string child, const pid& who, const exit_reason& reason) noexcept {
  try {
    supervisor_report said(
        what, self().describe(), std::move(child), who ? who.describe() : std::string(), reason);
    bool is_of_an_end =
        what == supervisor_report::kind::child_terminated || what == supervisor_report::kind::shutdown_error;
    said.is_known = is_of_an_end && who && who.has_ended() && access::core(who)->is_reported();
    topic<supervisor_report>::tell(said);
  } catch (...) {
    // Without memory nothing is reported.
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
