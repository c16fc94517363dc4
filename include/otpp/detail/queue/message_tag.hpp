// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What travels with a message while somebody traces every process.
struct message_tag {
  std::uint64_t sequence = 0;
  std::uint64_t from = 0;
  std::chrono::steady_clock::time_point sent;
  std::shared_ptr<const void> context;
};

} // namespace otpp::detail

#pragma GCC visibility pop
