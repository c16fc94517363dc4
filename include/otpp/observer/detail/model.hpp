// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/handled_log.hpp>
#include <otpp/observer/detail/handler_times.hpp>
#include <otpp/observer/detail/metrics.hpp>
#include <otpp/observer/detail/moment.hpp>
#include <otpp/observer/detail/reports.hpp>
#include <otpp/observer/detail/sampler.hpp>
#include <otpp/sys/counting.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What the observer knows, and whether anybody wants to know it. While nobody does, nothing is counted or sampled, and only
// reports are heard; with histograms each message, too.
class observer_model {
 public:
  // Somebody who has made a request is taken to look on for so long.
  static constexpr std::chrono::seconds attention{15};
  // Metrics are fetched every 15 to 60 s, and want counters that have counted all along.
  static constexpr std::chrono::seconds scrape_attention{120};

  // @param histograms  Whether each message is measured, all the time.
  explicit observer_model(observer_reports::clock now = &observer_moment::now, bool histograms = false)
      : reports_(now), now_(now) {
    if (histograms) {
      times_.emplace();
    }
  }

  // Somebody looks. The first one gets a sample at once. Returns true if tick() is to be called from now on, each second.
  bool look(std::chrono::seconds for_how_long = attention) {
    const observer_moment now = now_();
    until_ = (std::max)(until_, now.steady + for_how_long);
    if (counting_) {
      return false;
    }
    counting_.emplace();
    return sample(now);
  }

  // Returns false if nobody looks any more: it need not be called before somebody does.
  //
  // @param has_streams  Somebody listens to events.
  bool tick(bool has_streams) {
    const observer_moment now = now_();
    if (has_streams) {
      until_ = (std::max)(until_, now.steady + attention);
    }
    handled_.expire(now.steady);
    if (counting_ && now.steady >= until_) {
      stop();
    }
    return counting_ && sample(now);
  }

  const observer_reports& reports() const noexcept { return reports_; }
  const sampler& seen() const noexcept { return sampler_; }
  sampler& seen() noexcept { return sampler_; }
  observer_metrics& metrics() noexcept { return metrics_; }
  const handler_times* times() const noexcept { return times_ ? &*times_ : nullptr; }

  // Returns true if tick() is to be called.
  bool is_looked_at() const noexcept { return counting_.has_value(); }
  handled_log& handled() noexcept { return handled_; }
  observer_moment moment() const { return now_(); }

 private:
  bool sample(const observer_moment& now) {
    try {
      sampler_.sample(now);
      return true;
    } catch (const std::exception&) { // no memory: the next who looks may have more luck
      stop();
      return false;
    }
  }

  void stop() noexcept {
    counting_.reset();
    sampler_.pause();
    handled_.forget_all();
  }

  observer_reports reports_;
  const observer_reports::clock now_;
  sampler sampler_{reports_};
  observer_metrics metrics_;
  std::optional<handler_times> times_;
  std::optional<counting> counting_;
  handled_log handled_;
  std::chrono::steady_clock::time_point until_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
