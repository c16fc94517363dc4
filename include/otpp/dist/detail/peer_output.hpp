// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Appends a frame with its length in so many bytes before it. Precondition: the length fits.
inline void append_frame(std::string& to, std::string_view payload, std::size_t size_of_length = 4) {
  for (std::size_t left = size_of_length; left != 0; --left) {
    to.push_back(static_cast<char>(payload.size() >> (8 * (left - 1)) & 0xFF));
  }
  to.append(payload);
}

// The frames that wait to be written to a peer. Any thread adds; one coroutine writes.
//
//   asleep <-> awake   the writer, which is asleep if it has found nothing: who adds then wakes it
//          -> closed   nothing more is taken: from outside, or because too much waits
class peer_output {
 public:
  enum class added {
    queued, // the writer will see it
    first,  // the writer is to be woken
    over,   // not added, because more bytes would wait than may: from here on it is closed
    closed  // not added
  };

  explicit peer_output(std::size_t most) noexcept : most_(most) {}

  // Adds frames, each with its length before it (append_frame()).
  added add(std::string_view frames) {
    return add(frames.size(), [&] { next_.append(frames); });
  }

  // Adds one whose length is not before it yet.
  added add_frame(std::string_view payload) {
    return add(4 + payload.size(), [&] { append_frame(next_, payload); });
  }

  // Adds a sign of life if nothing else is to be written. Returns true if the writer is to be woken.
  bool add_tick() {
    std::lock_guard lock(mutex_);
    if (state_ != state::asleep) {
      return false;
    }
    next_.append(4, '\0');
    size_ += 4;
    state_ = state::awake;
    return true;
  }

  // Returns what to write next; if that is nothing, the writer is asleep from then on. Valid until wrote(). By the writer.
  std::string_view unsent() noexcept {
    if (at_ == writing_.size()) {
      writing_.clear();
      at_ = 0;
      if (writing_.capacity() > most_kept) {
        writing_ = std::string();
      }
      std::lock_guard lock(mutex_);
      std::swap(writing_, next_);
      if (writing_.empty() && state_ == state::awake) {
        state_ = state::asleep;
      }
    }
    return std::string_view(writing_).substr(at_);
  }

  // So many bytes of unsent() have been written. By the writer.
  void wrote(std::size_t bytes) noexcept {
    at_ += bytes;
    std::lock_guard lock(mutex_);
    size_ -= bytes;
  }

  bool is_closed() noexcept {
    std::lock_guard lock(mutex_);
    return state_ == state::closed;
  }

  void close() noexcept {
    std::lock_guard lock(mutex_);
    state_ = state::closed;
  }

 private:
  template <class Append>
  added add(std::size_t size, Append append) {
    std::lock_guard lock(mutex_);
    if (state_ == state::closed) {
      return added::closed;
    }
    if (size_ + size > most_) {
      state_ = state::closed;
      return added::over;
    }
    append();
    size_ += size;
    return std::exchange(state_, state::awake) == state::asleep ? added::first : added::queued;
  }

  enum class state { awake, asleep, closed };

  static constexpr std::size_t most_kept = std::size_t(1) << 20; // of memory that nothing needs

  const std::size_t most_;
  std::string writing_; // the writer's
  std::size_t at_ = 0;
  std::mutex mutex_;
  std::string next_;
  std::size_t size_ = 0; // of all that is not written
  state state_ = state::awake;
};

} // namespace otpp::detail

#pragma GCC visibility pop
