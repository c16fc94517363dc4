// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <atomic>
#include <cstdint>

#pragma GCC visibility push(default)

namespace otpp::detail {

// How many want to know of every process in the program. Each loop looks at the sum before each message, and whoever
// sends a message looks at those who trace: constants of a cache line that is hardly ever written.
struct alignas(64) watcher_counts {
  std::atomic<std::uint32_t> all{0};
  std::atomic<std::uint32_t> counting{0}; // otpp::counting
  std::atomic<std::uint32_t> tracing{0};  // subscribe<trace_event>, subscribe<trace_capture>

  void change(std::atomic<std::uint32_t>& which, int by) noexcept {
    which.fetch_add(static_cast<std::uint32_t>(by), std::memory_order_relaxed);
    all.fetch_add(static_cast<std::uint32_t>(by), std::memory_order_relaxed);
  }
};
inline constinit watcher_counts watchers;

inline bool is_anybody_watching() noexcept { return watchers.all.load(std::memory_order_relaxed) != 0; }
inline bool is_counting() noexcept { return watchers.counting.load(std::memory_order_relaxed) != 0; }
inline bool is_tracing() noexcept { return watchers.tracing.load(std::memory_order_relaxed) != 0; }

} // namespace otpp::detail

#pragma GCC visibility pop
