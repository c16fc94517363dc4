// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/reports.hpp>
#include <otpp/subscription.hpp>
#include <otpp/sys/trace_event.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// How many times were how long.
struct duration_histogram {
  // Up to so many seconds each, this included; the last number is of what is longer.
  static constexpr std::array<double, 13> bounds{1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01,
                                                 0.05, 0.1,  0.5,  1,    5,    10};
  static constexpr std::array<std::string_view, bounds.size()> labels{
      "1e-05", "5e-05", "0.0001", "0.0005", "0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "10"};

  void add(duration time) noexcept {
    const double seconds = std::chrono::duration<double>(time).count();
    const auto above = std::lower_bound(bounds.begin(), bounds.end(), seconds);
    counts[static_cast<std::size_t>(above - bounds.begin())] += 1;
    sum += seconds;
  }

  std::array<std::uint64_t, bounds.size() + 1> counts{};
  double sum = 0; // in seconds
};

// Measures each message of every process, from the construction of this to its destruction: how long it has waited in the
// mailbox, and how long its handler has run. Hears of them on any thread.
class handler_times {
 public:
  struct of_type {
    duration_histogram ran;
    duration_histogram waited;
  };
  using by_type = std::map<std::string, of_type, std::less<>>;

  handler_times() : events_(subscribe<trace_event>([this](const trace_event& event) { hear(event); })) {}
  handler_times(const handler_times&) = delete;
  handler_times& operator=(const handler_times&) = delete;

  // Returns what is known.
  by_type copy() const {
    std::lock_guard lock(mutex_);
    return known_;
  }

 private:
  void hear(const trace_event& event) {
    if (event.what != trace_event::kind::handled) {
      return;
    }
    std::lock_guard lock(mutex_);
    of_type& its = reported::counted(known_, event.type);
    its.ran.add(event.ran);
    if (event.sequence != 0) { // else nobody knows when it was sent
      its.waited.add(event.waited);
    }
  }

  mutable std::mutex mutex_;
  by_type known_;
  subscription events_; // the last member: it ends first
};

} // namespace otpp::detail

#pragma GCC visibility pop
