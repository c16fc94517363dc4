// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "support/dice.hpp"

// What is counted, on a page for each thread: a counter that all threads share would cost more than the
// message it counts, and would order what ThreadSanitizer is to find unordered. All of it is relaxed.

enum class count : std::size_t {
  // messages: made = opened + unopened + alive
  made,
  opened,
  unopened, // destroyed without a handler having seen it: refused, expired, or left in a mailbox

  casts_sent, // casts and infos; sent = refused + handled + dropped
  casts_handled,
  casts_refused, // the sender was told
  casts_dropped, // by a server that ended, or with its sender's frame

  // calls: begun = the sum of the ends
  begun,
  answered,
  failed, // with the exception that the handler answered with
  exited,
  no_process,
  timed_out,
  cancelled,
  no_reply,
  bad_message,
  calling_self,
  deadlock,  // refused, because servers would wait for each other
  abandoned, // the caller's context was destroyed, and the caller with it

  calls_handled,
  starts,
  start_races, // another had the name already
  init_failures,
  crashes,
  reported_dropped,
  stops,
  joins,
  names_found,
  names_missed,
  places_destroyed,
  answered_elsewhere, // an otpp::caller that was answered from another thread or another server
  late_answers,       // that reached nobody

  links,
  monitors,
  exit_signals,
  downs,
  timers,
  ticks,
  kills,

  states_made,
  states_gone,
  frames_made,
  frames_gone,

  // each of these is a bug
  lost,
  duplicated,
  reordered,
  overlapping,  // two handlers of one server at once
  misdelivered, // a message for one server came to its successor
  wrong_answers,
  ended_twice,
  orphaned, // a call that never ended although its caller's context was alive
  late,     // a call with a minute's patience timed out
  stale_names,
  unwanted, // a down of a monitor, or the message of a timer, that was given up, or that came twice
  unexpected,

  size
};

struct alignas(64) page {
  std::array<std::atomic<std::int64_t>, static_cast<std::size_t>(count::size)> of{};
};

class ledger {
 public:
  static ledger& instance() {
    static ledger* all = new ledger; // never destroyed: threads give their pages back late
    return *all;
  }

  page& take() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) {
      return pages_.emplace_back();
    }
    page* found = free_.back();
    free_.pop_back();
    return *found;
  }

  void give_back(page& one) {
    std::lock_guard lock(mutex_);
    free_.push_back(&one);
  }

  std::int64_t sum(count what) {
    std::lock_guard lock(mutex_);
    std::int64_t all = 0;
    for (page& one : pages_) {
      all += one.of[static_cast<std::size_t>(what)].load(std::memory_order_relaxed);
    }
    return all;
  }

 private:
  std::mutex mutex_;
  std::deque<page> pages_;
  std::vector<page*> free_;
};

struct page_of_thread {
  page_of_thread() : mine(ledger::instance().take()) {}
  page_of_thread(const page_of_thread&) = delete;
  page_of_thread& operator=(const page_of_thread&) = delete;
  ~page_of_thread() { ledger::instance().give_back(mine); }
  page& mine;
};

// Out of line, because compilers keep a thread_local's address across a suspension.
[[gnu::noinline]] inline void note(count what, std::int64_t n = 1) noexcept {
  static thread_local page_of_thread here;
  auto& counter = here.mine.of[static_cast<std::size_t>(what)];
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

inline std::int64_t total(count what) { return ledger::instance().sum(what); }
