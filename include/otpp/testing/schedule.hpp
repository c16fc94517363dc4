// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::testing {

/// Which schedules a scenario is run with: how many, and which event comes next when several are possible.
///
/// By default, events run in the order in which they became ready, first in, first out, as in an
/// `io_context`. Every other choice is a deviation: another event that is ready, the earliest timer while an
/// event is ready, or an action that `world::may` allows.
class orders {
 public:
  /// Returns one schedule: first in, first out.
  static orders fifo() { return {}; }

  /// Returns all schedules with a limited number of deviations.
  ///
  /// @param deviations  How many at most; without a limit by default. Few find most bugs: two or three find
  ///                    more than many hours of random schedules (Musuvathi and Qadeer, PLDI 2007). Zero is
  ///                    `fifo()`.
  static orders all(unsigned deviations = (std::numeric_limits<unsigned>::max)()) {
    orders result;
    result.kind_ = kind::all;
    result.deviations_ = deviations;
    result.limit_ = (std::numeric_limits<std::uint64_t>::max)();
    return result;
  }

  /// Returns random schedules, some with few deviations, some with many.
  ///
  /// @param seed   The same seed gives the same schedules.
  /// @param count  How many.
  static orders random(std::uint64_t seed, std::uint64_t count) {
    orders result;
    result.kind_ = kind::random;
    result.seed_ = seed;
    result.limit_ = count;
    return result;
  }

  /// Returns one schedule that is determined by bytes, for a fuzzer.
  ///
  /// @param bytes  Each choice takes one; after the last the schedule is first in, first out.
  static orders from_bytes(std::string bytes) {
    orders result;
    result.kind_ = kind::bytes;
    result.text_ = std::move(bytes);
    return result;
  }

  /// Returns the schedule that a failure has printed.
  ///
  /// @param text  What `exploration_failed::replay` returns; empty for first in, first out. `explore` throws
  ///              std::invalid_argument for another text.
  static orders replay(std::string text) {
    orders result;
    result.kind_ = kind::replay;
    result.text_ = std::move(text);
    return result;
  }

  /// Runs no more than a number of schedules; then `report::is_complete` says whether these were all.
  ///
  /// @param schedules  How many at most.
  orders at_most(std::uint64_t schedules) && {
    limit_ = (std::min)(limit_, schedules);
    return std::move(*this);
  }

 private:
  friend class schedule;
  enum class kind : std::uint8_t { fifo, all, random, bytes, replay };
  orders() = default;

  kind kind_ = kind::fifo;
  unsigned deviations_ = 0;
  std::uint64_t seed_ = 0;
  std::uint64_t limit_ = 1;
  std::string text_;
};

/// Decides which of several events comes next, and records the choice. One object for all schedules of an
/// exploration.
class schedule {
 public:
  /// Begins before the first schedule: `next` comes before each.
  ///
  /// @param which  Which schedules there are. Throws std::invalid_argument for a text to replay that is none.
  explicit schedule(orders which);

  /// Advances to the next schedule. Returns false if there is none.
  bool next();

  /// Returns true if there is no other schedule.
  bool is_exhausted() const noexcept { return is_exhausted_; }

  /// Returns the choice of one of several possibilities, and records it. Zero is the default; everything else
  /// is a deviation.
  ///
  /// @param possibilities  How many there are: the result is below this. With one or none there is no choice,
  ///                       and nothing is recorded.
  std::size_t pick(std::size_t possibilities);

  /// Returns the current schedule as a string: the deviations, each with the number of its choice. Empty for
  /// first in, first out.
  std::string text() const;

 private:
  struct choice {
    std::uint32_t taken;
    std::uint32_t possibilities;
  };

  bool next_of_all();
  std::size_t pick_of_all(std::size_t possibilities);
  std::size_t note(std::size_t taken, std::size_t possibilities);
  std::uint64_t draw() noexcept;

  orders which_;
  std::uint64_t number_ = 0;
  bool is_exhausted_ = false;
  std::vector<choice> path_;
  std::size_t at_ = 0;
  unsigned deviations_ = 0;
  std::uint64_t random_ = 0;
  std::uint64_t threshold_ = 0;                           // of 64
  std::vector<std::pair<std::size_t, std::size_t>> told_; // to replay
};

// ---- implementation ----

inline schedule::schedule(orders which) : which_(std::move(which)) {
  if (which_.kind_ != orders::kind::replay) {
    return;
  }
  const char* at = which_.text_.c_str();
  std::size_t position = 0;
  std::size_t taken = 0;
  int length = 0;
  while (std::sscanf(at, " %zu:%zu%n", &position, &taken, &length) == 2) {
    told_.emplace_back(position, taken);
    at += length;
    at += *at == ',';
  }
  if (*at != '\0') {
    throw std::invalid_argument("otpp: this is no schedule to replay: " + which_.text_);
  }
}

inline bool schedule::next() {
  if (which_.kind_ != orders::kind::all) {
    path_.clear();
    is_exhausted_ = number_ == which_.limit_;
  } else if (number_ != 0) {
    is_exhausted_ = !next_of_all();
  }
  if (is_exhausted_ || number_ == which_.limit_) {
    return false;
  }
  at_ = 0;
  deviations_ = 0;
  ++number_;
  random_ = which_.seed_ * 0x9e3779b97f4a7c15U + number_;
  threshold_ = std::uint64_t{2} << (number_ % 5); // deviations in 3 to 50 of 100 choices
  return true;
}

// Like an odometer: advances the last choice that has another alternative, and drops the choices after it.
inline bool schedule::next_of_all() {
  while (!path_.empty()) {
    if (++path_.back().taken < path_.back().possibilities) {
      return true;
    }
    path_.pop_back();
  }
  return false;
}

inline std::size_t schedule::pick(std::size_t possibilities) {
  if (possibilities <= 1) {
    return 0;
  }
  switch (which_.kind_) {
    case orders::kind::fifo: return 0;
    case orders::kind::all: return pick_of_all(possibilities);
    case orders::kind::random: {
      return note(draw() % 64 < threshold_ ? draw() % possibilities : 0, possibilities);
    }
    case orders::kind::bytes: {
      bool is_told = path_.size() < which_.text_.size();
      return note(
          is_told ? static_cast<unsigned char>(which_.text_[path_.size()]) % possibilities : 0,
          possibilities);
    }
    case orders::kind::replay: break;
  }
  auto found = std::find_if(told_.begin(), told_.end(), [&](auto& one) { return one.first == at_; });
  ++at_;
  std::size_t taken = found == told_.end() ? 0 : found->second;
  if (taken >= possibilities) {
    throw std::runtime_error("otpp: the schedule to replay is not one of this scenario");
  }
  return note(taken, possibilities);
}

inline std::size_t schedule::note(std::size_t taken, std::size_t possibilities) {
  path_.push_back({static_cast<std::uint32_t>(taken), static_cast<std::uint32_t>(possibilities)});
  return taken;
}

inline std::size_t schedule::pick_of_all(std::size_t possibilities) {
  if (deviations_ >= which_.deviations_) {
    return 0;
  }
  if (at_ == path_.size()) {
    path_.push_back({0, static_cast<std::uint32_t>(possibilities)});
  } else if (path_[at_].possibilities != possibilities) {
    throw std::runtime_error(
        "otpp: the scenario is not the same each time: at choice " + std::to_string(at_) + " there were " +
        std::to_string(path_[at_].possibilities) + " possibilities, and now there are " +
        std::to_string(possibilities));
  }
  std::size_t taken = path_[at_++].taken;
  deviations_ += taken != 0 ? 1u : 0u;
  return taken;
}

// splitmix64
inline std::uint64_t schedule::draw() noexcept {
  std::uint64_t z = random_ += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

inline std::string schedule::text() const {
  std::string result;
  for (std::size_t i = 0; i < path_.size(); ++i) {
    if (path_[i].taken != 0) {
      result += result.empty() ? "" : ",";
      result += std::to_string(i) + ":" + std::to_string(path_[i].taken);
    }
  }
  return result;
}

} // namespace otpp::testing

#pragma GCC visibility pop
