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
  topic<process_started>::tell_if_heard([&] {
    return process_started{server.id(), server.describe(), server.type_name(), relations::parent_of(server)};
  });
}

inline void tell_ended(const server_core& server, const exit_reason& reason) noexcept {
  topic<process_ended>::tell_if_heard(
      [&] { return process_ended{server.id(), server.describe(), server.type_name(), reason}; });
}

inline void tell_dropped(const server_core& server, const envelope& item, bool was_full = false) noexcept {
  topic<dropped_message>::tell_if_heard([&] {
    return dropped_message{server.id(), server.describe(), item.message_type(), item.where(), was_full};
  });
}

} // namespace otpp::detail

#pragma GCC visibility pop
