// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/server/loop.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/sys/server_statistics.hpp>

#include <optional>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline std::optional<server_statistics> statistics_of(server_core& server) noexcept {
  const observation::observer* watch = server.observed().get();
  if (!watch || !watch->counts) {
    return std::nullopt;
  }
  server_statistics result = watch->counted;
  if (auto lengths = server.queue().length()) {
    result.queue_length = lengths->now;
    result.longest_queue = lengths->longest;
  }
  result.dropped = server.queue().dropped() - result.dropped; // which is what had been dropped at first
  result.skipped = server.queue().skipped() - result.skipped;
  return result;
}

} // namespace otpp::detail

#pragma GCC visibility pop
