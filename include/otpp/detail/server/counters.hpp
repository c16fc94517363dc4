// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/timeout.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What is counted of one process. The process writes, any thread reads: each number by itself is exact, and two of them
// may be of different moments.
class counters {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  // ---- any thread ----

  std::uint64_t messages() const noexcept { return messages_.load(std::memory_order_relaxed); }
  std::size_t longest_queue() const noexcept { return longest_.load(std::memory_order_relaxed); }

  // In all handlers that have returned.
  duration in_handlers() const noexcept { return duration(in_handlers_.load(std::memory_order_relaxed)); }

  // When the handler began that runs or waits now; nothing if none does.
  std::optional<time_point> began() const noexcept {
    std::int64_t at = began_.load(std::memory_order_relaxed);
    return at == none ? std::nullopt : std::optional(time_point(duration(at)));
  }

  // ---- the process ----

  void count_message() noexcept { add(messages_, std::uint64_t{1}); }
  void begin_handler(time_point now) noexcept {
    began_.store(duration(now.time_since_epoch()).count(), std::memory_order_relaxed);
  }
  void end_handler(time_point now) noexcept {
    if (std::optional<time_point> since = began()) {
      add(in_handlers_, duration(now - *since).count());
      began_.store(none, std::memory_order_relaxed);
    }
  }
  void saw_queue(std::size_t length) noexcept {
    if (length > longest_queue()) {
      longest_.store(length, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr std::int64_t none = INT64_MIN;

  template <class T>
  static void add(std::atomic<T>& to, std::type_identity_t<T> more) noexcept {
    to.store(to.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> messages_{0};
  std::atomic<std::int64_t> in_handlers_{0};
  std::atomic<std::int64_t> began_{none};
  std::atomic<std::size_t> longest_{0};
};

} // namespace otpp::detail

#pragma GCC visibility pop
