// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/util/hook.hpp>
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
    hook<supervisor_report>::tell(supervisor_report(
        what, self().describe(), std::move(child), who ? who.describe() : std::string(), reason));
  } catch (...) {
    // Without memory nothing is reported.
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
