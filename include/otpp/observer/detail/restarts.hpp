// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/lints.hpp>
#include <otpp/observer/detail/reports.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// How often the children of supervisors have been restarted, which each new process of a child says.
class restart_log {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using labels = std::pair<std::string, std::string>; // supervisor, child
  static constexpr std::size_t most_children = 1000;  // of one supervisor whose restarts are told apart

  // A process was seen for the first time, the child of a supervisor. Returns how many restarts are new.
  //
  // @param all_seen  False where some may have been before anybody looked: only the last one's time is known then.
  std::uint64_t add(
      std::uint64_t supervisor, std::string_view supervisor_name, std::uint64_t position,
      const std::string& child, std::uint64_t restarts, time_point started, bool all_seen) {
    if (restarts == 0) {
      return 0;
    }
    known& of = supervisors_[supervisor];
    std::uint64_t before = restarts - 1;
    if (of.children.size() < most_children || of.children.contains(position)) {
      before = std::exchange(of.children[position], restarts);
    }
    const std::uint64_t more = restarts - (std::min)(before, restarts);
    const std::uint64_t seen = all_seen ? more : (std::min)(more, std::uint64_t{1});
    of.recent.add(started, seen);
    labels whose(supervisor_name, child);
    if (totals_.size() >= reported::most_labels - 1 && !totals_.contains(whose)) {
      whose = labels("other", "other");
    }
    totals_[std::move(whose)] += more;
    return seen;
  }

  std::size_t recent(
      std::uint64_t supervisor, time_point now, std::chrono::steady_clock::duration period) const {
    auto found = supervisors_.find(supervisor);
    return found == supervisors_.end() ? 0 : found->second.recent.count(now, period);
  }

  // Forgets the supervisors that have ended.
  template <class IsAlive>
  void keep_only(IsAlive is_alive) {
    std::erase_if(supervisors_, [&](const auto& one) { return !is_alive(one.first); });
  }

  const std::map<labels, std::uint64_t>& totals() const noexcept { return totals_; }

 private:
  struct known {
    recent_restarts recent;
    std::unordered_map<std::uint64_t, std::uint64_t> children; // how often each, by its position
  };

  std::unordered_map<std::uint64_t, known> supervisors_;
  std::map<labels, std::uint64_t> totals_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
