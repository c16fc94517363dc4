// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/fragment.hpp>
#include <otpp/term/detail/reader.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Puts together what a peer sends in fragments. It takes memory for what has come, never for what is announced.
//
// A sequence is open from its first fragment to that which is the last one; those of several senders come in turns.
class incoming_fragments {
 public:
  enum class found {
    frame,     // a whole one: that which was given, or the one that it has completed
    part,      // more is to come
    malformed, // a fragment of nothing, or out of order
    too_long,  // the message is
    too_many   // sequences are open, or too much of them is here
  };

  static constexpr std::size_t most_sequences = 1024;

  // The longest message; of open ones no more than four times that is kept.
  explicit incoming_fragments(std::size_t longest) noexcept : longest_(longest) {}

  // Takes a frame, without its length. What is found is in its place then, and valid until the next one.
  found take(std::string_view& frame) {
    if (whole_.capacity() > most_kept) {
      whole_ = std::string();
    }
    term_reader in(frame);
    std::uint64_t version = 0;
    std::uint64_t kind = 0;
    if (!in.number(1, version) || version != whole_frame[0] || !in.number(1, kind) ||
        (kind != first_fragment && kind != next_fragment)) {
      return found::frame; // or none, which who reads it finds out
    }
    std::uint64_t number = 0;
    std::uint64_t left = 0;
    std::uint64_t atoms = 0;
    if (!in.number(8, number) || !in.number(8, left) || left == 0 ||
        (kind == first_fragment && (!in.number(1, atoms) || atoms != 0))) {
      return found::malformed;
    }
    found what = kind == first_fragment ? begin(number, left, in.left()) : go_on(number, left, in.left());
    if (what == found::frame) {
      frame = whole_;
    }
    return what;
  }

 private:
  static constexpr std::size_t most_kept = std::size_t(1) << 20; // of memory that nothing needs

  struct sequence {
    std::string bytes; // as those of a whole frame
    std::uint64_t left = 0;
  };

  found begin(std::uint64_t number, std::uint64_t left, std::string_view part) {
    if (open_.size() >= most_sequences) {
      return found::too_many;
    }
    auto [at, is_new] = open_.try_emplace(number);
    if (!is_new) {
      return found::malformed;
    }
    for (unsigned char each : whole_frame) {
      at->second.bytes.push_back(static_cast<char>(each));
    }
    at->second.left = left + 1;
    return go_on(number, left, part);
  }

  found go_on(std::uint64_t number, std::uint64_t left, std::string_view part) {
    auto at = open_.find(number);
    if (at == open_.end() || at->second.left != left + 1) {
      return found::malformed;
    }
    sequence& one = at->second;
    if (one.bytes.size() + part.size() > longest_) {
      return found::too_long;
    }
    if (size_ / 4 > longest_) {
      return found::too_many;
    }
    one.bytes.append(part);
    one.left = left;
    size_ += part.size();
    if (left != 1) {
      return found::part;
    }
    whole_ = std::move(one.bytes);
    size_ -= whole_.size() - whole_frame.size();
    open_.erase(at);
    return found::frame;
  }

  const std::size_t longest_;
  std::unordered_map<std::uint64_t, sequence> open_;
  std::size_t size_ = 0; // of what is open
  std::string whole_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
