// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/lints.hpp>
#include <otpp/observer/detail/moment.hpp>
#include <otpp/supervisor/supervision.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Whether a queue grows: the shortest lengths within stretches of ten seconds rise. So bursts that are worked off do not
// count.
class queue_growth {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds stretch{10};

  void add(std::size_t length, time_point now) noexcept {
    if (length < before_) {
      rises_ = 0;
    }
    if (!end_ || now < *end_) {
      shortest_ = end_ ? (std::min)(shortest_, length) : length;
      end_ = end_ ? *end_ : now + stretch;
      return;
    }
    constexpr std::size_t uncounted = 100'000; // process_view counts no further
    rises_ = has_before_ && (shortest_ > before_ || shortest_ >= uncounted) ? rises_ + 1 : 0;
    before_ = shortest_;
    has_before_ = true;
    shortest_ = length;
    end_ = now + stretch;
  }

  // For 30 seconds at least.
  bool is_growing() const noexcept { return rises_ >= 2; }

 private:
  std::optional<time_point> end_; // of this stretch
  std::size_t shortest_ = 0;      // in this stretch
  std::size_t before_ = 0;        // in the one before
  unsigned rises_ = 0;
  bool has_before_ = false;
};

// What changes of a process from sample to sample.
struct process_sample {
  std::uint64_t messages = 0;
  duration in_handlers{}; // with that of the one which runs
  std::optional<duration> handling_for;
  std::size_t queue = 0;
  std::size_t longest = 0;
  std::string_view handling;
  bool is_asleep = true;
};

struct end_of_row {
  std::string reason;
  std::chrono::steady_clock::time_point at;
};

// What the observer keeps of a process, of each of 10^5. What it can ask for when a process is shown is not here.
struct process_row {
  using time_point = std::chrono::steady_clock::time_point;

  // What does not change.
  std::uint64_t id = 0;
  std::uint64_t parent = 0;
  std::string name; // `counter#7` if it has none
  std::string_view type;
  time_point started;
  std::string child; // its id in its supervisor; empty if it is no child
  restart_type restart{};
  std::uint64_t restarts = 0;
  std::uint64_t position = 0; // among the children of its supervisor
  std::size_t limit = 0;      // of its mailbox; zero if there is none
  std::uint32_t context = 0;
  bool is_supervisor = false;
  bool is_named = false;
  bool is_child = false;

  process_sample now;
  double rate = 0; // messages a second
  double busy = 0; // 0 to 1
  lint_set lints;
  std::unique_ptr<end_of_row> ended; // null while it lives
  bool is_placed = false;            // as a child, since the last sample
  std::uint32_t samples = 0;         // in which it was seen
  std::uint64_t round = 0;           // of samples: that in which it was seen last

  // Returns its name as reports have it: `"counter"`, or `counter#7`.
  std::string described() const { return is_named ? '"' + name + '"' : name; }

  // Returns how long its handler runs, as far as is known: it may have begun before anybody looked.
  std::optional<duration> handling_for(time_point at) const noexcept {
    if (now.handling_for || !is_in_handler()) {
      return now.handling_for;
    }
    return at - same_since_;
  }

  // Between two messages of a process that has more of them it seems to be in a handler, too.
  bool is_in_handler() const noexcept { return !ended && !now.is_asleep && !now.handling.empty(); }

  // `elapsed` is the time since the last sample; zero for the first one.
  void update(const process_sample& next, time_point at, double elapsed) {
    const bool is_first = elapsed <= 0;
    const bool is_same = !is_first && !next.is_asleep && next.messages == now.messages &&
                         next.handling.data() == now.handling.data();
    same_since_ = is_same ? same_since_ : at;
    if (!is_first) {
      rate = static_cast<double>(next.messages - (std::min)(now.messages, next.messages)) / elapsed;
      busy = (std::clamp)(in_seconds(next.in_handlers - now.in_handlers) / elapsed, 0.0, 1.0);
    }
    now = next;
    if (is_same && is_in_handler()) {
      busy = 1; // also if its handler has begun before it was counted
    }
    growth_.add(next.queue, at);
    constexpr std::chrono::seconds longest_handler{1};
    lints.set(lint::stuck, is_in_handler() && *handling_for(at) > longest_handler);
    lints.set(lint::queue_grows, growth_.is_growing());
    lints.set(lint::mailbox_full, limit != 0 && next.queue >= limit);
  }

 private:
  time_point same_since_; // since when all samples have been in the same handler
  queue_growth growth_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
