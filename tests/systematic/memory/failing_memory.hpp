// SPDX-License-Identifier: BSL-1.0

// Memory that runs out where a test wants it to. Every allocation of this program goes through here: the
// global operator new is replaced, and Asio is compiled so that it takes its memory from there too.
#pragma once

#include "support/catch.hpp"

#include <chrono>
#include <string>
#include <thread>

namespace failing_memory {

// Blocks that are allocated and not freed, by whatever thread.
long live() noexcept;

// Allocations so far, by whatever thread: what happens between two readings allocates their difference.
long allocations() noexcept;

// Notes that something is not as it should be. Allocates nothing, so that it can be said anywhere; only
// the first is kept, until the run is over.
void expect(bool holds, const char* what) noexcept;

// While one lives on this thread, its allocations are numbered, and those that the plan names fail.
class armed {
 public:
  armed() noexcept;
  armed(const armed&) = delete;
  armed& operator=(const armed&) = delete;
  ~armed();
};

// Between two stretches that are armed, on this thread.
void arm() noexcept;
void disarm() noexcept;

// How often an allocation has failed in this run.
int struck() noexcept;
inline bool has_struck() noexcept { return struck() != 0; }

// ---- for the runs ----

// The plan for the next run: which allocations fail, counted from 0; negative is none.
void plan(long first, long second = -1) noexcept;
long numbered() noexcept;         // allocations that were numbered
const char* complaint() noexcept; // what expect() noted; null if nothing

// Runs a scenario once, and counts the blocks that it leaves behind.
template <class Scenario>
long blocks_left_by(Scenario& scenario, long first, long second) {
  plan(first, second);
  long before = live();
  try {
    scenario();
  } catch (...) {
    expect(false, "the scenario let an exception out");
  }
  disarm();
  long left = live() - before;
  // The system executor's threads, on which a future's completion runs, may take a moment to let go.
  for (auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
       left != 0 && std::chrono::steady_clock::now() < until; left = live() - before) {
    std::this_thread::yield();
  }
  return left;
}

// What a run left behind, and what it complained of; empty if all is well. `scenario` makes its own
// world, and destroys it.
template <class Scenario>
std::string run_once(Scenario& scenario, long first, long second = -1) {
  long left = blocks_left_by(scenario, first, second);
  if (left != 0 && !complaint()) {
    // A thread of the system executor that was held up may only now have let go of what it had of the run
    // before, or have made what it keeps forever: the timer there, if it found the call still waiting. Each
    // happens once; what leaks, leaks again.
    left = blocks_left_by(scenario, first, second);
  }
  std::string text;
  if (complaint()) {
    text = complaint();
  } else if (left != 0) {
    text = std::to_string(left) + " blocks were left";
  }
  return text;
}

// Makes what is made once in a program, such as the registry and Asio's own threads, and lets those threads let
// go of what is not forever: the time is over when nothing has changed for a while.
template <class Scenario>
void warm_up(Scenario& scenario) {
  plan(-1);
  scenario();
  disarm();
  auto now = [] { return std::chrono::steady_clock::now(); };
  long last = live();
  for (auto since = now(); now() - since < std::chrono::milliseconds(50);) {
    std::this_thread::yield();
    if (live() != last) {
      last = live();
      since = now();
    }
  }
}

// Runs a scenario again and again, each time with the next allocation failing, until none does. Returns how
// many there were.
template <class Scenario>
long fail_at_every_index(Scenario scenario) {
  warm_up(scenario);
  std::string undisturbed = run_once(scenario, -1);
  CHECK(undisturbed == "");
  for (long index = 0;; ++index) {
    std::string wrong = run_once(scenario, index);
    if (wrong != "") {
      INFO("the allocation that failed was " << index);
      CHECK(wrong == "");
    }
    if (!has_struck()) {
      return index;
    }
    if (index > 2000) {
      FAIL("it does not end");
    }
  }
}

// The same with two that fail, for every pair.
template <class Scenario>
long fail_at_every_pair(Scenario scenario) {
  warm_up(scenario);
  long pairs = 0;
  for (long first = 0;; ++first) {
    for (long second = first + 1;; ++second) {
      std::string wrong = run_once(scenario, first, second);
      if (wrong != "") {
        INFO("the allocations that failed were " << first << " and " << second);
        CHECK(wrong == "");
      }
      if (!has_struck()) {
        return pairs;
      }
      ++pairs;
      if (struck() == 1) {
        break;
      }
    }
  }
}

} // namespace failing_memory
