// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/subscription.hpp>
#include <otpp/sys/trace_event.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A text of which as much is kept as there is room for, so that it needs no memory of its own. It is cut between two
// characters of UTF-8, and then ends with "...".
class cut_text {
 public:
  static constexpr std::size_t most = 80; // bytes

  cut_text() = default;
  explicit cut_text(std::string_view text) noexcept {
    constexpr std::string_view dots = "...";
    std::size_t length = text.size();
    if (length > most) {
      length = most - dots.size();
      while (length != 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) {
        --length;
      }
    }
    std::copy_n(text.begin(), length, bytes_.begin());
    if (length != text.size()) {
      std::copy(dots.begin(), dots.end(), bytes_.begin() + length);
      length += dots.size();
    }
    length_ = static_cast<std::uint8_t>(length);
  }

  std::string_view view() const noexcept { return {bytes_.data(), length_}; }

 private:
  std::array<char, most> bytes_{};
  std::uint8_t length_ = 0;
};

// A message that was handled, or a timeout.
struct handled_message {
  std::chrono::steady_clock::time_point at; // when its handler was done
  std::optional<duration> waited;           // nothing if it is not known when it was sent
  duration ran{};
  cut_text type; // empty for a timeout
  cut_text error;
  bool is_call = false;

  std::string_view kind() const noexcept {
    return is_call ? "call" : type.view().empty() ? "timeout" : "message";
  }
};

// What one process has handled since somebody began to look at it.
struct handled_by {
  static constexpr std::size_t most = 20;
  static constexpr std::array<std::chrono::microseconds, 6> bounds{
      std::chrono::microseconds(10), std::chrono::microseconds(100), std::chrono::milliseconds(1),
      std::chrono::milliseconds(10), std::chrono::milliseconds(100), std::chrono::seconds(1)};

  std::chrono::steady_clock::time_point since;
  std::uint64_t number = 0; // of messages
  std::array<handled_message, most> newest;
  std::array<std::uint64_t, bounds.size() + 1>
      ran{}; // how many handlers ran up to each bound, but not to the one before

  void add(const handled_message& one) noexcept {
    newest[number++ % most] = one;
    const auto* bound = std::lower_bound(bounds.data(), bounds.data() + bounds.size(), one.ran);
    ran[static_cast<std::size_t>(bound - bounds.data())] += 1;
  }

  // Newest first.
  template <class Visit>
  void visit(Visit visit) const {
    for (std::uint64_t i = number; i != number - (std::min)(number, std::uint64_t{most}); --i) {
      visit(newest[(i - 1) % most]);
    }
  }
};

// What the processes handle at which somebody looks in detail. It hears of the messages of all processes, which costs each
// of them something; so it does that only while there are such. Of fixed size.
//
// Its functions are for the observer's thread. The events come on any thread.
class handled_log {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::size_t most = 8; // processes; of more, those at which somebody has looked last
  // Somebody who has looked at a process is taken to look on for so long.
  static constexpr std::chrono::seconds attention{5};

  handled_log() = default;
  handled_log(const handled_log&) = delete;
  handled_log& operator=(const handled_log&) = delete;

  // Somebody looks at a process. Returns what it has handled since this was called for the first time.
  handled_by look(std::uint64_t id, time_point now) {
    handled_by result;
    {
      std::lock_guard lock(mutex_);
      place& its = place_for(id);
      if (its.id.load(std::memory_order_relaxed) != id) {
        its.handled = {};
        its.handled.since = now;
        its.id.store(id, std::memory_order_relaxed);
      }
      its.until = now + attention;
      result = its.handled;
    }
    if (!subscription_) {
      subscription_ = subscribe<trace_event>([this](const trace_event& event) { hear(event); });
    }
    return result;
  }

  // Forgets those at which nobody looks any more. To be called each second while there are any.
  void expire(time_point now) noexcept {
    bool is_looked_at = false;
    {
      std::lock_guard lock(mutex_);
      for (place& one : places_) {
        if (now >= one.until) {
          one.id.store(0, std::memory_order_relaxed);
        }
        is_looked_at = is_looked_at || one.id.load(std::memory_order_relaxed) != 0;
      }
    }
    if (!is_looked_at) {
      subscription_.end(); // not under the lock: it waits for calls of hear()
    }
  }

  void forget_all() noexcept { expire((time_point::max)()); }

 private:
  struct place {
    std::atomic<std::uint64_t> id{0}; // zero: free. Written under the lock
    time_point until;
    handled_by handled;
  };

  // That of the process, else a free one, else that at which nobody has looked for the longest time.
  place& place_for(std::uint64_t id) noexcept {
    auto found = std::find_if(places_.begin(), places_.end(), [&](const place& one) {
      return one.id.load(std::memory_order_relaxed) == id;
    });
    if (found == places_.end()) {
      found = std::min_element(places_.begin(), places_.end(), [](const place& a, const place& b) {
        auto rank = [](const place& one) {
          return std::pair(one.id.load(std::memory_order_relaxed) != 0, one.until);
        };
        return rank(a) < rank(b);
      });
    }
    return *found;
  }

  // Most events are of processes at which nobody looks, and take no lock.
  void hear(const trace_event& event) {
    if (event.what != trace_event::kind::handled) {
      return;
    }
    auto found = std::find_if(places_.begin(), places_.end(), [&](const place& one) {
      return one.id.load(std::memory_order_relaxed) == event.id;
    });
    if (found == places_.end()) {
      return;
    }
    handled_message made;
    made.at = event.time;
    made.waited = event.sequence != 0 ? std::optional(event.waited) : std::nullopt;
    made.ran = event.ran;
    made.type = cut_text(event.message);
    made.is_call = event.is_call;
    if (!event.reason.is_clean()) {
      made.error = cut_text(event.reason.message()); // the user's code, so not under the lock
    }
    std::lock_guard lock(mutex_);
    if (found->id.load(std::memory_order_relaxed) == event.id) {
      found->handled.add(made);
    }
  }

  std::mutex mutex_;
  std::array<place, most> places_;
  subscription subscription_; // the last member: it ends first
};

} // namespace otpp::detail

#pragma GCC visibility pop
