// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/tag.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Appends terms in the external term format. Numbers are big-endian.
class term_writer {
 public:
  void byte(unsigned value) { bytes_.push_back(static_cast<char>(value)); }
  void tag(term_tag value) { byte(static_cast<unsigned>(value)); }
  void two(std::uint32_t value) {
    byte(value >> 8 & 0xFF);
    byte(value & 0xFF);
  }
  void four(std::uint32_t value) {
    two(value >> 16);
    two(value & 0xFFFF);
  }
  void raw(std::string_view bytes) { bytes_.append(bytes); }

  // Precondition: at most 255 characters of UTF-8, as otpp::atom has.
  void atom(std::string_view text) {
    if (text.size() < 256) {
      tag(term_tag::small_atom_utf8);
      byte(static_cast<unsigned>(text.size()));
    } else {
      tag(term_tag::atom_utf8);
      two(static_cast<std::uint32_t>(text.size()));
    }
    raw(text);
  }

  void tuple(std::size_t size) {
    if (size < 256) {
      tag(term_tag::small_tuple);
      byte(static_cast<unsigned>(size));
    } else {
      tag(term_tag::large_tuple);
      length(size);
    }
  }

  // What follows are the elements, then nil(). An empty list is nil() alone.
  void list(std::size_t size) {
    tag(term_tag::list);
    length(size);
  }
  void nil() { tag(term_tag::nil); }

  void map(std::size_t size) {
    tag(term_tag::map);
    length(size);
  }

  void binary(std::string_view bytes) {
    tag(term_tag::binary);
    length(bytes.size());
    raw(bytes);
  }

  void integer(std::int64_t value) {
    if (value >= 0 && value < 256) {
      tag(term_tag::small_integer);
      byte(static_cast<unsigned>(value));
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
      tag(term_tag::integer);
      four(static_cast<std::uint32_t>(static_cast<std::int32_t>(value)));
    } else {
      auto magnitude = static_cast<std::uint64_t>(value);
      big(value < 0 ? 0 - magnitude : magnitude, value < 0);
    }
  }
  void integer(std::uint64_t value) {
    if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
      integer(static_cast<std::int64_t>(value));
    } else {
      big(value, false);
    }
  }

  void floating(double value) {
    if (!std::isfinite(value)) {
      throw std::invalid_argument("otpp: Erlang has no float that is infinite or not a number");
    }
    tag(term_tag::new_float);
    auto bits = std::bit_cast<std::uint64_t>(value);
    four(static_cast<std::uint32_t>(bits >> 32));
    four(static_cast<std::uint32_t>(bits & 0xFFFFFFFF));
  }

  // What std::optional sends for nothing, in the struct that is being written.
  std::string_view absent = "undefined";

  // For whom this is written, where that makes a difference: the codecs of such types know what it points to.
  void* reader = nullptr;

  const std::string& bytes() const noexcept { return bytes_; }
  std::string take() noexcept { return std::move(bytes_); }
  void clear() noexcept { bytes_.clear(); } // and keeps the memory

 private:
  void length(std::size_t size) {
    if (size > (std::numeric_limits<std::uint32_t>::max)()) {
      throw std::length_error("otpp: a term has lengths of 32 bits");
    }
    four(static_cast<std::uint32_t>(size));
  }

  void big(std::uint64_t magnitude, bool is_negative) {
    tag(term_tag::small_big);
    auto size = static_cast<unsigned>(std::bit_width(magnitude) + 7) / 8;
    byte(size);
    byte(is_negative ? 1 : 0);
    for (; size != 0; --size, magnitude >>= 8) {
      byte(magnitude & 0xFF);
    }
  }

  std::string bytes_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
