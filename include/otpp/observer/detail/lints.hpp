// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What deserves a look.
enum class lint : std::uint8_t {
  stuck,         // a handler for longer than a second
  queue_grows,   // for 30 seconds
  mailbox_full,  // its senders wait
  restart_loop,  // a supervisor is about to give up
  child_overdue, // a supervisor had to kill a child that did not end in time
  deadlock,      // a cycle of handlers that wait for each other
};

inline constexpr std::array<std::string_view, 6> lint_names{"stuck",        "queue_grows",   "mailbox_full",
                                                            "restart_loop", "child_overdue", "deadlock"};
inline constexpr std::array<lint, 6> all_lints{lint::stuck,        lint::queue_grows,   lint::mailbox_full,
                                               lint::restart_loop, lint::child_overdue, lint::deadlock};

inline std::string_view name_of(lint one) noexcept { return lint_names[static_cast<std::size_t>(one)]; }

class lint_set {
 public:
  void set(lint one, bool is) noexcept {
    const unsigned bit = 1U << static_cast<unsigned>(one);
    bits_ = static_cast<std::uint8_t>(is ? bits_ | bit : bits_ & ~bit);
  }
  bool has(lint one) const noexcept { return ((bits_ >> static_cast<unsigned>(one)) & 1U) != 0; }
  bool empty() const noexcept { return bits_ == 0; }

  template <class Visit>
  void visit(Visit visit) const {
    for (lint one : all_lints) {
      if (has(one)) {
        visit(one);
      }
    }
  }

 private:
  std::uint8_t bits_ = 0;
};

// When a supervisor has restarted children, as far as its period may need it.
class recent_restarts {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::size_t most = 256;

  void add(time_point at, std::uint64_t number) {
    for (std::uint64_t i = 0; i != (std::min)(number, std::uint64_t{most}); ++i) {
      times_.push_back(at);
    }
    while (times_.size() > most) {
      times_.pop_front();
    }
  }

  std::size_t count(time_point now, std::chrono::steady_clock::duration period) const noexcept {
    return static_cast<std::size_t>(
        std::count_if(times_.begin(), times_.end(), [&](time_point at) { return now - at <= period; }));
  }

 private:
  std::deque<time_point> times_;
};

// Returns true if one or two more restarts make the supervisor give up.
inline bool is_near_intensity(std::size_t recent, std::size_t intensity) noexcept {
  return recent != 0 && recent + 1 >= intensity;
}

using wait_graph = std::unordered_map<std::uint64_t, std::vector<std::uint64_t>>; // whom each waits for

// Returns the shortest cycle through a process, which begins with it; empty if there is none.
inline std::vector<std::uint64_t> cycle_through(const wait_graph& waits, std::uint64_t from) {
  std::unordered_map<std::uint64_t, std::uint64_t> came_from;
  std::vector<std::uint64_t> reached{from};
  for (std::size_t i = 0; i != reached.size(); ++i) {
    const std::uint64_t here = reached[i];
    auto found = waits.find(here);
    if (found == waits.end()) {
      continue;
    }
    for (std::uint64_t next : found->second) {
      if (next == from) {
        std::vector<std::uint64_t> cycle;
        for (std::uint64_t at = here; at != from; at = came_from.find(at)->second) {
          cycle.push_back(at);
        }
        cycle.push_back(from);
        std::reverse(cycle.begin(), cycle.end());
        return cycle;
      }
      if (came_from.emplace(next, here).second) {
        reached.push_back(next);
      }
    }
  }
  return {};
}

} // namespace otpp::detail

#pragma GCC visibility pop
