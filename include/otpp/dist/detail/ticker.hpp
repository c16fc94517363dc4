// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <algorithm>
#include <chrono>

#pragma GCC visibility push(default)

namespace otpp::detail {

// When to send a tick, which is an empty frame, and when a peer that says nothing counts as dead. It has no clock: each function is
// told the time, which must not go back.
//
// Two rules make us write. After a quarter of our tick time in silence we tick. And a tick that comes is answered if we have been
// silent for half a second, because the peer's tick time may be shorter than ours. If each were answered, two nodes of ours would
// answer each other without end.
class ticker {
 public:
  using clock = std::chrono::steady_clock;

  static constexpr clock::duration silence_before_answer = std::chrono::milliseconds(500);

  // Precondition: the tick time is positive.
  ticker(clock::duration tick, clock::time_point now) noexcept : tick_(tick), written_(now), read_(now) {}

  // Bytes were written, a frame or a tick; or are about to be.
  void wrote(clock::time_point now) noexcept { written_ = now; }

  // The peer is to take bytes; it has taken some.
  void offers(clock::time_point now) noexcept { offered_ = now; }
  void has_taken() noexcept { offered_ = clock::time_point::max(); }

  // Whether the peer has taken nothing of what was offered for all the time of a tick.
  bool is_stuck(clock::time_point now) const noexcept { return offered_ < now && now - offered_ >= tick_; }

  // Bytes were read, a whole frame or not.
  void read(clock::time_point now) noexcept { read_ = now; }

  // Whether a tick that was just read is to be answered by one.
  bool answers_tick(clock::time_point now) const noexcept { return now - written_ >= silence_before_answer; }

  bool is_due(clock::time_point now) const noexcept { return now - written_ >= tick_ / 4; }

  bool is_dead(clock::time_point now) const noexcept { return now - read_ >= tick_; }

  // When to look again, if nothing is read or written until then.
  clock::time_point next() const noexcept { return std::min(written_ + (tick_ / 4), read_ + tick_); }

 private:
  clock::duration tick_;
  clock::time_point written_;
  clock::time_point read_;
  clock::time_point offered_ = clock::time_point::max(); // if nothing is
};

} // namespace otpp::detail

#pragma GCC visibility pop
