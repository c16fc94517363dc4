// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Finds frames in the bytes that a connection reads. It takes memory for what has come, never for what a length claims.
class incoming_frames {
 public:
  enum class found { none, frame, too_long };

  // Returns where to read to: several kilobytes. Frames that were found are no longer valid.
  std::span<char> room() {
    if (begin_ == end_) {
      begin_ = end_ = 0;
      if (size_ > most_kept) {
        bytes_.reset();
        size_ = 0;
      }
    }
    if (size_ - end_ < least_room) {
      make_room();
    }
    return {bytes_.get() + end_, size_ - end_};
  }

  // So many bytes have been read.
  void filled(std::size_t bytes) noexcept { end_ += bytes; }

  // Finds the next frame, which has its length before it in so many bytes. Valid until room().
  found next(std::size_t size_of_length, std::size_t longest, std::string_view& frame) noexcept {
    if (end_ - begin_ < size_of_length) {
      return found::none;
    }
    std::size_t length = 0;
    for (std::size_t at = 0; at != size_of_length; ++at) {
      length = length << 8 | static_cast<unsigned char>(bytes_[begin_ + at]);
    }
    if (length > longest) {
      return found::too_long;
    }
    if (end_ - begin_ - size_of_length < length) {
      return found::none;
    }
    frame = {bytes_.get() + begin_ + size_of_length, length};
    begin_ += size_of_length + length;
    return found::frame;
  }

 private:
  static constexpr std::size_t least_room = 4096;
  static constexpr std::size_t first_size = std::size_t(16) * 1024;
  static constexpr std::size_t most_kept = std::size_t(1) << 20; // of memory that nothing needs

  // Moves what is left to the front; if it takes more than half of the memory, doubles that.
  void make_room() {
    std::size_t left = end_ - begin_;
    std::size_t wanted = (std::max)(size_, first_size);
    if (left + least_room > wanted / 2) {
      wanted *= 2;
    }
    if (wanted != size_) {
      auto grown = std::make_unique_for_overwrite<char[]>(wanted);
      if (left != 0) {
        std::memcpy(grown.get(), bytes_.get() + begin_, left);
      }
      bytes_ = std::move(grown);
      size_ = wanted;
    } else if (left != 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, left);
    }
    begin_ = 0;
    end_ = left;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
