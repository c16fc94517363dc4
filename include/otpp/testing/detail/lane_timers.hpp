// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::testing::detail {

// The timers of a simulated context: at most one for each lane.
class lane_timers {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  struct armed {
    otpp::detail::intrusive_ptr<otpp::detail::lane> for_lane;
    time_point at;
  };

  // May throw std::bad_alloc.
  void arm(otpp::detail::lane& here, time_point at) {
    disarm(here);
    timers_.push_back({otpp::detail::intrusive_ptr<otpp::detail::lane>(&here), at});
  }

  void disarm(const otpp::detail::lane& here) noexcept {
    std::erase_if(timers_, [&](const armed& one) { return one.for_lane.get() == &here; });
  }

  std::optional<time_point> earliest() const noexcept {
    auto first = find_earliest();
    return first == timers_.end() ? std::nullopt : std::optional<time_point>(first->at);
  }

  // Takes the earliest timer, if it is due exactly then.
  std::optional<armed> take_if_at(time_point at) {
    auto first = find_earliest();
    if (first == timers_.end() || first->at != at) {
      return std::nullopt;
    }
    armed fired = *first;
    timers_.erase(first);
    return fired;
  }

 private:
  std::vector<armed>::const_iterator find_earliest() const noexcept {
    return std::min_element(
        timers_.begin(), timers_.end(), [](const armed& a, const armed& b) { return a.at < b.at; });
  }

  std::vector<armed> timers_;
};

} // namespace otpp::testing::detail

#pragma GCC visibility pop
