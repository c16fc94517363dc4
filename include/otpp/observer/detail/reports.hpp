// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/crash_report.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/failed_call.hpp>
#include <otpp/observer/detail/crash_log.hpp>
#include <otpp/observer/detail/moment.hpp>
#include <otpp/observer/detail/ring.hpp>
#include <otpp/process_report.hpp>
#include <otpp/subscription.hpp>
#include <otpp/supervisor/report.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a plot shows at one moment, beside restarts.
struct observer_mark {
  enum class kind : std::uint8_t { restart, crash, gave_up };

  std::chrono::steady_clock::time_point at;
  kind what;
  std::string text;

  std::string_view name() const noexcept {
    return what == kind::restart ? "restart" : what == kind::crash ? "crash" : "gave_up";
  }
};

// What a supervisor has reported, or done.
struct supervisor_event {
  enum class kind : std::uint8_t { terminated, start_error, shutdown_error, overdue, gave_up, restarted };

  observer_moment at;
  kind what;
  std::string supervisor; // `"main"`, or `otpp::supervisor#7`
  std::string child;
  std::string reason;

  std::string_view name() const noexcept {
    constexpr std::array<std::string_view, 6> names{"terminated", "start_error", "shutdown_error",
                                                    "overdue",    "gave_up",     "restarted"};
    return names[static_cast<std::size_t>(what)];
  }

  static kind kind_of(supervisor_report::kind what) noexcept {
    switch (what) {
      case supervisor_report::kind::child_terminated: return kind::terminated;
      case supervisor_report::kind::start_error: return kind::start_error;
      case supervisor_report::kind::shutdown_error: return kind::shutdown_error;
      case supervisor_report::kind::overdue: return kind::overdue;
      case supervisor_report::kind::gave_up: break;
    }
    return kind::gave_up;
  }
};

struct process_end {
  std::uint64_t id;
  std::string reason;
  std::chrono::steady_clock::time_point at;
};

// Why processes ended, as the label of a metric says it.
inline constexpr std::array<std::string_view, 4> exit_classes{"normal", "shutdown", "killed", "error"};
inline std::size_t exit_class(const exit_reason& why) noexcept {
  return why.is_shutdown() ? 1 : why.is_clean() ? 0 : why == exit_reason::killed() ? 2 : 3;
}

// The library's errors, as the label of a metric says them.
inline constexpr std::array<std::string_view, 19> failure_codes{
    "unknown",      "no_process",      "exited",          "timeout",   "no_reply",
    "calling_self", "bad_message",     "name_taken",      "ignored",   "mailbox_full",
    "deadlock",     "already_started", "already_present", "not_found", "running",
    "max_children", "no_connection",   "bad_reply",       "draining"};
static_assert(failure_codes.size() == static_cast<std::size_t>(errc::draining) + 1);

// What is known of what was reported. Of fixed size, whatever the names are.
struct reported {
  static constexpr std::size_t most_labels = 200;
  static constexpr std::size_t most_recent = 1000;
  using exits = std::array<std::uint64_t, exit_classes.size()>;
  using failures = std::array<std::uint64_t, failure_codes.size()>;

  crash_log crashes;
  ring<supervisor_event> supervisors{100};
  ring<observer_mark> marks{100};
  std::vector<process_end> ends;                   // since the last sample; while somebody looks
  ring<std::uint64_t> ended_recently{most_recent}; // ids, also while nobody looks
  std::map<std::string, exits, std::less<>> exits_by_type;
  std::map<std::string, failures, std::less<>> failures_by_type;
  std::map<std::string, std::uint64_t, std::less<>> dropped_by_type;
  std::map<std::string, std::uint64_t, std::less<>> gave_up_by_supervisor;
  std::uint64_t ended = 0;

  // The number that belongs to a label. Once there are too many labels, the rest share one.
  template <class T>
  static T& counted(std::map<std::string, T, std::less<>>& in, std::string_view label) {
    auto found = in.find(label);
    if (found != in.end()) {
      return found->second;
    }
    return in[in.size() < most_labels ? shorten(label, 255) : std::string("other")];
  }
};

// What was known of ends at one moment.
struct ends_told {
  std::vector<process_end> since; // since the last call
  std::vector<std::uint64_t> ids; // of the newest, sorted: these may still be visited
  std::map<std::string, reported::exits, std::less<>> by_type;

  bool has(std::uint64_t id) const noexcept { return std::binary_search(ids.begin(), ids.end(), id); }
};

// Hears of crashes, of supervisors, of ends and of calls that fail, on any thread, from its construction to its
// destruction. This is all that the observer does while nobody looks and no histograms were asked for.
class observer_reports {
 public:
  using clock = observer_moment (*)();
  static constexpr std::size_t most_ends = 1000;

  explicit observer_reports(clock now = &observer_moment::now)
      : now_(now),
        crashes_(access::make<subscription>(topic<crash_report>::subscribe_beside_line(
            [this](const crash_report& report) { hear(report); }))),
        supervisors_(access::make<subscription>(topic<supervisor_report>::subscribe_beside_line(
            [this](const supervisor_report& report) { hear(report); }))),
        ends_(subscribe<process_ended>([this](const process_ended& report) { hear(report); })),
        failures_(subscribe<failed_call>([this](const failed_call& report) { hear(report); })) {}

  observer_reports(const observer_reports&) = delete;
  observer_reports& operator=(const observer_reports&) = delete;

  // Calls a function with what is known, under the lock.
  template <class Read>
  auto read(Read read) const {
    std::lock_guard lock(mutex_);
    return read(std::as_const(known_));
  }

  // Returns what is known of ends; those since the last call were kept if keep_ends(true).
  ends_told take_ends() {
    ends_told taken;
    {
      std::lock_guard lock(mutex_);
      taken.by_type = known_.exits_by_type;
      taken.ids.reserve(known_.ended_recently.size());
      known_.ended_recently.visit([&](std::uint64_t id) { taken.ids.push_back(id); });
      taken.since = std::exchange(known_.ends, {}); // last, because the others need memory
    }
    std::sort(taken.ids.begin(), taken.ids.end());
    return taken;
  }

  void keep_ends(bool keep) noexcept {
    keeps_ends_.store(keep, std::memory_order_relaxed);
    if (!keep) {
      std::lock_guard lock(mutex_);
      known_.ends.clear();
    }
  }

 private:
  void hear(const crash_report& report) {
    observer_moment now = now_();
    std::string reason = shorten(report.reason.message()); // the user's code, so not under the lock
    std::lock_guard lock(mutex_);
    if (!report.reason.is_clean()) { // else the report is of what was dropped
      known_.crashes.add(report, reason, now.unix_time);
      const folded_crash& newest = known_.crashes.crashes().front();
      known_.marks.push({now.steady, observer_mark::kind::crash, newest.server + ": " + newest.reason});
    }
    if (report.dropped != 0) {
      reported::counted(known_.dropped_by_type, report.callbacks) += report.dropped;
    }
  }

  void hear(const supervisor_report& report) {
    observer_moment now = now_();
    std::string reason = shorten(report.reason.message());
    std::lock_guard lock(mutex_);
    if (report.what == supervisor_report::kind::gave_up) {
      known_.marks.push({now.steady, observer_mark::kind::gave_up, shorten(report.supervisor)});
      reported::counted(known_.gave_up_by_supervisor, label_of(report.supervisor)) += 1;
    }
    known_.supervisors.push(
        {now, supervisor_event::kind_of(report.what), shorten(report.supervisor), shorten(report.child),
         std::move(reason)});
  }

  // `main` of `"main"`, and `otpp::supervisor` of `otpp::supervisor#7`: an id is no label.
  static std::string_view label_of(std::string_view described) noexcept {
    if (described.size() > 1 && described.front() == '"') {
      return described.substr(1, described.size() - 2);
    }
    return described.substr(0, described.rfind('#'));
  }

  void hear(const process_ended& report) {
    bool keeps = keeps_ends_.load(std::memory_order_relaxed);
    std::string reason = keeps ? shorten(report.reason.message()) : std::string();
    observer_moment now = keeps ? now_() : observer_moment();
    std::lock_guard lock(mutex_);
    known_.ended += 1;
    known_.ended_recently.push(report.id);
    reported::counted(known_.exits_by_type, report.type)[exit_class(report.reason)] += 1;
    if (keeps && known_.ends.size() < most_ends) {
      known_.ends.push_back({report.id, std::move(reason), now.steady});
    }
  }

  void hear(const failed_call& report) {
    const auto code = static_cast<std::size_t>(report.code);
    std::lock_guard lock(mutex_);
    reported::counted(known_.failures_by_type, report.type)[code < failure_codes.size() ? code : 0] += 1;
  }

  const clock now_;
  mutable std::mutex mutex_;
  reported known_;
  std::atomic<bool> keeps_ends_{false};
  subscription crashes_; // the last members: they end first
  subscription supervisors_;
  subscription ends_;
  subscription failures_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
