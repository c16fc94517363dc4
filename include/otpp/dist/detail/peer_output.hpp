// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/fragment.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Appends a number in so many bytes, the most significant one first. Precondition: it fits.
inline void append_number(std::string& to, std::uint64_t number, std::size_t size = 8) {
  for (std::size_t left = size; left != 0; --left) {
    to.push_back(static_cast<char>(number >> (8 * (left - 1)) & 0xFF));
  }
}

// Appends a frame with its length in so many bytes before it. Precondition: the length fits.
inline void append_frame(std::string& to, std::string_view payload, std::size_t size_of_length = 4) {
  append_number(to, payload.size(), size_of_length);
  to.append(payload);
}

// The frames that wait to be written to a peer. Any thread adds; one coroutine writes.
//
//   asleep <-> awake   the writer, which is asleep if it has found nothing: who adds then wakes it
//          -> closed   nothing more is taken: from outside, or because too much waits
//
// What is added is written in that order, but for long frames, if the peer takes fragments: those of several lines take turns,
// and let shorter ones of others pass. What is added to one line stays in order, also behind its long frame.
//
// Who sends much should wait above the high watermark, until no more than the low one is left: wait_for_room().
class peer_output {
 public:
  enum class added {
    queued, // the writer will see it
    first,  // the writer is to be woken
    over,   // not added, because too many bytes wait already: from here on it is closed
    closed  // not added
  };

  // The line of what need not stay in order with anything else.
  static constexpr std::uint64_t any_line = 0;

  // In bytes that wait.
  struct watermarks {
    std::size_t most; // from there on nothing more is taken
    std::size_t high;
    std::size_t low;
  };

  explicit peer_output(const watermarks& marks, bool in_fragments = false) noexcept
      : marks_(marks), in_fragments_(in_fragments) {}

  // Adds frames, each with its length before it (append_frame()). Takes them only if they are added.
  added add(std::string&& frames, std::uint64_t line = any_line) {
    std::size_t size = frames.size();
    return add_in_order(size, line, [&](std::string* behind) {
      if (behind) {
        behind->append(frames);
        return;
      }
      std::size_t at = in_fragments_ ? find_long_frame(frames) : frames.size();
      next_.append(frames, 0, at);
      if (at != frames.size()) {
        if (at != 0) {
          frames.erase(0, at);
        }
        begin_sequence(line, std::move(frames));
      }
    });
  }

  // Adds one whose length is not before it yet.
  added add_frame(std::string_view payload, std::uint64_t line = any_line) {
    return add_in_order(4 + payload.size(), line, [&](std::string* behind) {
      if (!behind && in_fragments_ && is_long(payload.size())) {
        std::string frames;
        append_frame(frames, payload);
        begin_sequence(line, std::move(frames));
      } else {
        append_frame(behind ? *behind : next_, payload);
      }
    });
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
  std::string_view unsent() {
    if (at_ == writing_.size()) {
      writing_.clear();
      at_ = 0;
      if (writing_.capacity() > most_kept) {
        writing_ = std::string();
      }
      std::lock_guard lock(mutex_);
      std::swap(writing_, next_);
      append_fragments();
      if (writing_.empty() && state_ == state::awake) {
        state_ = state::asleep;
      }
    }
    return std::string_view(writing_).substr(at_);
  }

  // So many bytes of unsent() have been written. By the writer.
  void wrote(std::size_t bytes) noexcept {
    at_ += bytes;
    change([&] { size_ -= bytes; });
  }

  bool is_closed() const noexcept {
    std::lock_guard lock(mutex_);
    return state_ == state::closed;
  }

  void close() noexcept {
    change([&] { state_ = state::closed; });
  }

  // Whether so much waits that senders should, too.
  bool is_above_watermark() const noexcept {
    std::lock_guard lock(mutex_);
    return state_ != state::closed && size_ > marks_.high;
  }

  // Calls `go_on` once little enough waits, or it is closed. Returns false, and does not call it, if that is so already. If it
  // throws, as for want of memory, nothing else comes: who waits looks again after some time.
  bool wait_for_room(std::uint64_t sender, std::function<void()> go_on) {
    std::lock_guard lock(mutex_);
    if (has_room()) {
      return false;
    }
    waiting_.insert_or_assign(sender, std::move(go_on));
    return true;
  }
  void stop_waiting(std::uint64_t sender) noexcept {
    std::lock_guard lock(mutex_);
    waiting_.erase(sender);
  }

  // The length of the frame that begins there.
  static std::size_t length_at(std::string_view frames, std::size_t at) noexcept {
    std::size_t length = 0;
    for (char each : frames.substr(at, 4)) {
      length = length << 8 | static_cast<unsigned char>(each);
    }
    return length;
  }

 private:
  // What was added to a line from a long frame on.
  //
  //   The frame that begins at `at` is long, and `done` bytes of what it carries are written. When all are, the short ones
  //   behind it are, and the next long one begins; if there is none, the sequence ends.
  struct sequence {
    std::uint64_t line;
    std::uint64_t number; // on the wire
    std::string frames;   // with their lengths
    std::size_t at = 0;
    std::size_t done = 0;
  };

  template <class Append>
  added add_in_order(std::size_t size, std::uint64_t line, Append append) {
    std::lock_guard lock(mutex_);
    if (state_ == state::closed) {
      return added::closed;
    }
    if (size_ >= marks_.most) {
      state_ = state::closed;
      return added::over;
    }
    append(frames_of(line));
    size_ += size;
    return std::exchange(state_, state::awake) == state::asleep ? added::first : added::queued;
  }

  // What is added to the line goes there; null if nothing long of it waits.
  std::string* frames_of(std::uint64_t line) noexcept {
    if (line != any_line) {
      for (sequence& each : sequences_) {
        if (each.line == line) {
          return &each.frames;
        }
      }
    }
    return nullptr;
  }

  void begin_sequence(std::uint64_t line, std::string frames) {
    sequences_.push_back({line, ++last_number_, std::move(frames)});
  }

  static bool is_long(std::size_t payload) noexcept { return payload > fragment_size + whole_frame.size(); }

  // Returns where the first long frame begins; the size if there is none.
  static std::size_t find_long_frame(std::string_view frames, std::size_t at = 0) noexcept {
    while (at != frames.size() && !is_long(length_at(frames, at))) {
      at += 4 + length_at(frames, at);
    }
    return at;
  }

  // One fragment of each of the next sequences, so that what is added meanwhile need not wait for long.
  void append_fragments() {
    for (int turn = 0; turn != 4 && !sequences_.empty(); ++turn) {
      sequences_.splice(sequences_.end(), sequences_, sequences_.begin());
      sequence& one = sequences_.back();
      append_fragment(one);
      if (one.at == one.frames.size()) {
        sequences_.pop_back();
      }
    }
  }

  // Every fragment has the number of those that are left, with itself; the first one has the number of atoms besides, of which we
  // send none.
  void append_fragment(sequence& one) {
    std::size_t length = length_at(one.frames, one.at);
    std::string_view body =
        std::string_view(one.frames).substr(one.at + 4, length).substr(whole_frame.size());
    std::uint64_t left = (body.size() - one.done + fragment_size - 1) / fragment_size;
    std::string_view part = body.substr(one.done, fragment_size);
    bool is_first = one.done == 0;
    std::size_t header = is_first ? 19 : 18;
    append_number(writing_, header + part.size(), 4);
    append_number(writing_, whole_frame[0], 1);
    append_number(writing_, is_first ? first_fragment : next_fragment, 1);
    append_number(writing_, one.number);
    append_number(writing_, left);
    if (is_first) {
      append_number(writing_, 0, 1);
    }
    writing_.append(part);
    one.done += part.size();
    size_ += 4 + header; // the part has been counted
    if (left == 1) {
      size_ -= 4 + whole_frame.size();
      std::size_t end = one.at + 4 + length;
      one.at = find_long_frame(one.frames, end);
      one.done = 0;
      writing_.append(one.frames, end, one.at - end);
    }
  }

  bool has_room() const noexcept { return state_ == state::closed || size_ <= marks_.low; }

  // Does something under the lock, after which senders may go on.
  template <class Change>
  void change(Change what) noexcept {
    std::map<std::uint64_t, std::function<void()>> all;
    {
      std::lock_guard lock(mutex_);
      what();
      if (waiting_.empty() || !has_room()) {
        return;
      }
      all.swap(waiting_);
    }
    for (auto& each : all) {
      try {
        each.second();
      } catch (...) {
        // It looks again by itself.
      }
    }
  }

  enum class state { awake, asleep, closed };

  static constexpr std::size_t most_kept = std::size_t(1) << 20; // of memory that nothing needs

  const watermarks marks_;
  const bool in_fragments_;
  std::string writing_; // the writer's
  std::size_t at_ = 0;
  mutable std::mutex mutex_;
  std::string next_;
  std::list<sequence> sequences_;
  std::uint64_t last_number_ = 0;
  std::size_t size_ = 0; // of all that is not written
  std::map<std::uint64_t, std::function<void()>> waiting_;
  state state_ = state::awake;
};

} // namespace otpp::detail

#pragma GCC visibility pop
