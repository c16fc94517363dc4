// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/utf8.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/detail/writer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Reads an atom as UTF-8, without a copy. One in Latin-1 is refused unless it is ASCII: peers that can UTF-8, and others cannot
// connect, send none.
inline bool get_atom_text(term_reader& from, std::string_view& text) noexcept {
  bool is_latin = false;
  return from.atom(text, is_latin) && (!is_latin || count_characters(text) == text.size());
}

// A process that a frame names. Its texts are parts of the frame.
struct pid_view {
  std::string_view node; // never empty in one that was read
  std::uint32_t id = 0;
  std::uint32_t serial = 0;
  std::uint32_t creation = 0;
  std::string_view bytes; // the whole term as it came; put_pid() does not need it

  // The bytes may differ: there are several ways to write an atom.
  friend bool operator==(const pid_view& one, const pid_view& other) noexcept {
    return one.id == other.id && one.serial == other.serial && one.creation == other.creation &&
           one.node == other.node;
  }
};

// A reference that a frame names. Ours have three words, those of OTP 27 up to five.
struct ref_view {
  static constexpr std::size_t most_words = 5;

  std::string_view node; // never empty in one that was read
  std::uint32_t creation = 0;
  std::array<std::uint32_t, most_words> words{}; // those after `count` are zero
  std::size_t count = 0;
  std::string_view bytes; // the whole term as it came; put_ref() does not need it

  friend bool operator==(const ref_view& one, const ref_view& other) noexcept {
    return one.count == other.count && one.words == other.words && one.creation == other.creation &&
           one.node == other.node;
  }
};

inline bool get_four(term_reader& from, std::uint32_t& value) noexcept {
  std::uint64_t number = 0;
  bool is_there = from.number(4, number);
  value = static_cast<std::uint32_t>(number);
  return is_there;
}

inline bool get_pid(term_reader& from, pid_view& one) noexcept {
  std::size_t place = from.place();
  bool is_pid = from.is(term_tag::new_pid) && get_atom_text(from, one.node) && !one.node.empty() &&
                get_four(from, one.id) && get_four(from, one.serial) && get_four(from, one.creation);
  one.bytes = from.since(place);
  return is_pid;
}

inline bool get_ref(term_reader& from, ref_view& one) noexcept {
  std::size_t place = from.place();
  std::uint64_t count = 0;
  if (!from.is(term_tag::newer_reference) || !from.number(2, count) || count == 0 ||
      count > ref_view::most_words || !get_atom_text(from, one.node) || one.node.empty() ||
      !get_four(from, one.creation)) {
    return false;
  }
  one.count = static_cast<std::size_t>(count);
  one.words = {};
  for (std::size_t at = 0; at != one.count; ++at) {
    if (!get_four(from, one.words[at])) {
      return false;
    }
  }
  one.bytes = from.since(place);
  return true;
}

// Preconditions of both: the node is the text of an atom; a reference has a word at least, and at most five.
inline void put_pid(term_writer& to, const pid_view& one) {
  to.tag(term_tag::new_pid);
  to.atom(one.node);
  to.four(one.id);
  to.four(one.serial);
  to.four(one.creation);
}

inline void put_ref(term_writer& to, const ref_view& one) {
  to.tag(term_tag::newer_reference);
  to.two(static_cast<std::uint32_t>(one.count));
  to.atom(one.node);
  to.four(one.creation);
  for (std::size_t at = 0; at != one.count; ++at) {
    to.four(one.words[at]);
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
