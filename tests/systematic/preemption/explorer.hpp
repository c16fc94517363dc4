// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string_view>
#include <vector>

// Runs a scenario of two to four threads in every order that a bounded number of preemptions allows (CHESS,
// Musuvathi and Qadeer, 2007). The threads are fibers of one real thread. Another one may go on before every
// operation on an instrumented atomic or mutex, or, where the operation before it has published something,
// right after that. To switch away from a thread that could have gone on costs one preemption; to go on with
// another because this one waits, or has ended, costs none.
//
// The order is sequentially consistent: a load sees the last store. What a weaker order would let it see is
// for the thread sanitizer and the Spin model to find. But who has seen what is followed with vector clocks,
// by the memory orders that the code names, so that a `cell` that is touched without a happens-before is a
// failure in whatever order it was touched.
//
// A schedule fails if an expectation does, if nobody can go on, if it does not end, if memory is freed twice,
// used after it was freed, or left over. What is printed then has a string for --replay in it.
namespace preemption {

inline constexpr int most_threads = 4;

using place = std::source_location;

class vector_clock {
 public:
  void join(const vector_clock& other) noexcept {
    for (std::size_t n = 0; n != of_.size(); ++n) {
      of_[n] = of_[n] < other.of_[n] ? other.of_[n] : of_[n];
    }
  }
  bool covers(const vector_clock& other) const noexcept {
    for (std::size_t n = 0; n != of_.size(); ++n) {
      if (other.of_[n] > of_[n]) {
        return false;
      }
    }
    return true;
  }
  std::uint32_t& operator[](int thread) noexcept { return of_[static_cast<std::size_t>(thread)]; }

 private:
  std::array<std::uint32_t, most_threads + 1> of_{}; // the first is of the one who sets up and checks
};

enum class operation : std::uint8_t {
  load,
  store,
  exchange,
  compare,
  add,
  lock,
  try_lock,
  unlock,
  yield,
  wait,
  mark
};

using is_ready = bool (*)(const void*) noexcept;

// A point: whoever is here says what it is going to do, and does it when this returns. It does not return
// before `ready(object)`.
void point(operation what, const void* object, place where, is_ready ready = nullptr) noexcept;

// What has just been done may have told others that they can go on: here they may, before this thread does
// whatever it still does until its next point, which then is none. So nothing is missed that a
// program without data races could do, and a use after the telling is seen.
void published() noexcept;

// What came of it, for the trace.
void result(std::uint64_t value) noexcept;

// Somebody who spins may look again: something has changed.
void changed() noexcept;

// Leaves only after another thread has changed something since the last time, so that a loop that spins
// goes round once for each change.
void yield(place where = place::current()) noexcept;

// Zero is the one who sets up and checks, when no thread runs.
int current_thread() noexcept;

vector_clock& clock() noexcept;
void release(vector_clock& into) noexcept;

// True if the mistake of this name is in (mutants.cmake).
bool is_planted(const char* name) noexcept;

[[noreturn]] void fail(const char* why, place where = place::current()) noexcept;

inline void expect(bool condition, const char* what, place where = place::current()) noexcept {
  if (!condition) {
    fail(what, where);
  }
}

// A note in the trace.
inline void mark(std::uint64_t value, place where = place::current()) noexcept {
  point(operation::mark, nullptr, where);
  result(value);
}

class scenario {
 public:
  virtual ~scenario() = default;
  virtual void run(int thread) = 0; // of 1, 2, ...
  virtual void finish() {}          // when all have ended
};

struct entry {
  using maker = std::unique_ptr<scenario> (*)();

  entry(const char* named, int thread_count, int preemptions, maker how);

  std::string_view name;
  int threads;
  int bound;
  maker make;
};

template <class Scenario>
std::unique_ptr<scenario> make() {
  return std::make_unique<Scenario>();
}

} // namespace preemption
