// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/supervisor/child_spec.hpp>
#include <otpp/timeout.hpp>

#include <cstddef>
#include <deque>
#include <stdexcept>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Counts the restarts within the period.
class restart_budget {
 public:
  // Throws std::invalid_argument for a period in which nothing can be counted.
  restart_budget(std::size_t intensity, duration period) : intensity_(intensity), period_(period) {
    if (period <= duration::zero()) {
      throw std::invalid_argument("otpp: the period of a supervisor's intensity must be longer than zero");
    }
  }

  // Counts one restart. Returns false if that is too many.
  bool take(deadline::time_point now) {
    while (!spent_.empty() && now - spent_.front() > period_) {
      spent_.pop_front();
    }
    spent_.push_back(now);
    return spent_.size() <= intensity_;
  }

 private:
  std::size_t intensity_;
  duration period_;
  std::deque<deadline::time_point> spent_;
};

// Returns how long to wait before the next start of a child that has run for `has_run`; that is zero if its
// start has failed.
inline duration next_delay(const child_spec& spec, duration last, duration has_run) noexcept {
  if (last == duration::zero() || (has_run > duration::zero() && has_run >= spec.longest_delay())) {
    return spec.first_delay();
  }
  return last > spec.longest_delay() / 2 ? spec.longest_delay() : last * 2;
}

} // namespace otpp::detail

#pragma GCC visibility pop
