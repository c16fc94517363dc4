// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/dropped_message.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/process_report.hpp>

#pragma GCC visibility push(default)

// What is told of a process to those who have subscribed. While nobody has, this costs a look at a counter.

namespace otpp::detail {

inline void tell_started(const server_core& server) noexcept {
  if (!topic<process_started>::is_heard()) [[likely]] {
    return;
  }
  try {
    topic<process_started>::tell(
        {server.id(), server.describe(), server.type_name(), relations::parent_of(server)});
  } catch (...) {
    // Without memory nothing is reported.
  }
}

inline void tell_ended(const server_core& server, const exit_reason& reason) noexcept {
  if (!topic<process_ended>::is_heard()) [[likely]] {
    return;
  }
  try {
    topic<process_ended>::tell({server.id(), server.describe(), server.type_name(), reason});
  } catch (...) {
    // Without memory nothing is reported.
  }
}

inline void tell_dropped(const server_core& server, const envelope& item) noexcept {
  if (!topic<dropped_message>::is_heard()) [[likely]] {
    return;
  }
  try {
    topic<dropped_message>::tell({server.id(), server.describe(), item.message_type(), item.where()});
  } catch (...) {
    // Without memory nothing is reported.
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
