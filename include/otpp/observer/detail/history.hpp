// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/ring.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// One second of a plot. A number that is not known is NaN.
struct history_point {
  float messages = 0; // a second
  float busy = 0;     // 1: one handler all the time
  float queue = 0;
  float processes = 0; // of all only

  static history_point unknown() noexcept {
    constexpr float nothing = std::numeric_limits<float>::quiet_NaN();
    return {nothing, nothing, nothing, nothing};
  }
};

// Ten minutes at most. Seconds in which nobody looked are unknown.
class history {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::size_t most = 600;

  void add(const history_point& point, time_point now) {
    using std::chrono::seconds;
    if (points_.empty()) {
      end_ = now - seconds(1);
    }
    const seconds slots =
        (std::max)(std::chrono::round<seconds>(now - end_), seconds(1)); // with that of the point
    for (long long i = 1; i < (std::min)(static_cast<long long>(slots.count()), static_cast<long long>(most));
         ++i) {
      points_.push(history_point::unknown());
    }
    points_.push(point);
    end_ += slots;
    if (now - end_ > seconds(1) || end_ - now > seconds(1)) {
      end_ = now;
    }
  }

  const ring<history_point>& points() const noexcept { return points_; }
  time_point end() const noexcept { return end_; }

 private:
  ring<history_point> points_{most};
  time_point end_;
};

// The plots of single processes: of those that somebody looks at, and of those that are at the top of a column. At most
// 64 of them, each of up to 10 KB; the one that was wanted longest ago goes first.
class process_histories {
 public:
  using time_point = history::time_point;
  static constexpr std::size_t most = 64;

  struct kept {
    std::uint64_t id;
    time_point wanted;
    history points;
  };

  // Begins a plot, or has it kept: until then at least, if there is room.
  void want(std::uint64_t id, time_point until) {
    auto found = std::find_if(kept_.begin(), kept_.end(), [&](const kept& one) { return one.id == id; });
    if (found != kept_.end()) {
      found->wanted = (std::max)(found->wanted, until);
      return;
    }
    if (kept_.size() == most) {
      auto oldest = std::min_element(
          kept_.begin(), kept_.end(), [](const kept& a, const kept& b) { return a.wanted < b.wanted; });
      if (oldest->wanted >= until) {
        return;
      }
      kept_.erase(oldest);
    }
    kept_.push_back({id, until, history()});
  }

  // Has the plots kept of those at the top of a column, which somebody may look at next.
  template <class Rows, class Column>
  void want_top(const Rows& rows, Column column, time_point until) {
    struct best {
      double value;
      std::uint64_t id;
    };
    std::array<best, 8> top{};
    for (const auto& row : rows) {
      const double value = column(row);
      if (value <= top.back().value) {
        continue;
      }
      std::size_t i = top.size() - 1;
      for (; i != 0 && top[i - 1].value < value; --i) {
        top[i] = top[i - 1];
      }
      top[i] = {value, row.id};
    }
    for (const best& one : top) {
      if (one.id != 0) {
        want(one.id, until);
      }
    }
  }

  const history* find(std::uint64_t id) const noexcept {
    auto found = std::find_if(kept_.begin(), kept_.end(), [&](const kept& one) { return one.id == id; });
    return found == kept_.end() ? nullptr : &found->points;
  }

  template <class Visit>
  void visit(Visit visit) {
    for (kept& one : kept_) {
      visit(one.id, one.points);
    }
  }

  std::size_t size() const noexcept { return kept_.size(); }

 private:
  std::vector<kept> kept_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
