// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/atom_text.hpp>
#include <otpp/term/detail/float_text.hpp>
#include <otpp/term/detail/tag.hpp>
#include <otpp/term/limits.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Reads terms from bytes of which nothing is believed. A function that returns false has found that they are no such term; the
// place is then anywhere. Lengths are compared with what is left before they are used, and never added first.
class term_reader {
 public:
  explicit term_reader(std::string_view bytes, term_limits limits = {}) noexcept
      : bytes_(bytes), memory_(limits.memory.value_or(default_memory(bytes.size()))), depth_(limits.depth) {}

  // From whom the bytes came, as term_writer::reader.
  void* writer = nullptr;

  std::string_view left() const noexcept { return bytes_.substr(at_); }
  std::size_t place() const noexcept { return at_; }
  void back_to(std::size_t place) noexcept { at_ = place; }
  std::string_view since(std::size_t place) const noexcept { return bytes_.substr(place, at_ - place); }

  term_tag tag() const noexcept {
    return at_ == bytes_.size() ? term_tag::none : term_tag{static_cast<unsigned char>(bytes_[at_])};
  }
  // Takes the tag, if it is this one.
  bool is(term_tag wanted) noexcept {
    bool found = wanted != term_tag::none && tag() == wanted;
    at_ += found ? 1 : 0;
    return found;
  }

  bool take(std::size_t size, std::string_view& bytes) noexcept {
    if (size > bytes_.size() - at_) {
      return false;
    }
    bytes = bytes_.substr(at_, size);
    at_ += size;
    return true;
  }

  // A number of so many bytes.
  bool number(std::size_t size, std::uint64_t& value) noexcept {
    std::string_view bytes;
    if (!take(size, bytes)) {
      return false;
    }
    value = 0;
    for (char each : bytes) {
      value = value << 8 | static_cast<unsigned char>(each);
    }
    return true;
  }
  // A length, and so many bytes.
  bool counted(std::size_t size_of_length, std::string_view& bytes) noexcept {
    std::uint64_t length = 0;
    return number(size_of_length, length) && take(static_cast<std::size_t>(length), bytes);
  }
  // A number of terms that follow. Each has a byte at least.
  bool count(std::size_t size_of_count, std::size_t bytes_each, std::size_t& value) noexcept {
    std::uint64_t number_of = 0;
    if (!number(size_of_count, number_of) || number_of > (bytes_.size() - at_) / bytes_each) {
      return false;
    }
    value = static_cast<std::size_t>(number_of);
    return true;
  }

  // An atom. `is_latin` says that its bytes are Latin-1, not UTF-8.
  bool atom(std::string_view& text, bool& is_latin) noexcept {
    is_latin = tag() == term_tag::atom || tag() == term_tag::small_atom;
    return bytes_of_atom(text) && (is_latin ? text.size() <= 255 : is_atom_text(text));
  }
  // An atom of this text, which is ASCII.
  bool is_atom(std::string_view wanted) noexcept {
    std::string_view text;
    return bytes_of_atom(text) && text == wanted;
  }

  // A float, of either kind, which is finite.
  bool floating(double& value) noexcept {
    if (is(term_tag::new_float)) {
      std::uint64_t bits = 0;
      bool is_there = number(8, bits);
      value = std::bit_cast<double>(bits);
      return is_there && std::isfinite(value);
    }
    std::string_view text; // as printf's %.20e, and zeros
    return is(term_tag::old_float) && take(31, text) &&
           float_of_text(text.substr(0, text.find('\0')), value) && std::isfinite(value);
  }

  bool tuple(std::size_t& size) noexcept {
    return is(term_tag::small_tuple) ? count(1, 1, size) : is(term_tag::large_tuple) && count(4, 1, size);
  }
  bool map(std::size_t& size) noexcept { return is(term_tag::map) && count(4, 2, size); }

  // Memory for what is decoded, and the depth of it.
  bool spend(std::size_t number, std::size_t size = 1) noexcept {
    if (number > memory_ / size) {
      return false;
    }
    memory_ -= number * size;
    return true;
  }
  // To enter costs memory, too, so that trying many alternatives again and again ends.
  bool enter() noexcept {
    if (depth_ == 0 || !spend(16)) {
      return false;
    }
    --depth_;
    return true;
  }
  void leave() noexcept { ++depth_; }

  // The rest of another attempt's memory is what is left.
  void spend_as(const term_reader& attempt) noexcept { memory_ = attempt.memory_; }

  // Goes over one term, whatever it is, without memory, and without recursion but for funs in funs: how many are still to come is all
  // that has to be known. What Erlang would not read is no term, as it may be sent on; but for a map that has a key twice.
  bool skip() noexcept {
    for (std::size_t pending = 1; pending != 0; --pending) {
      std::size_t inside = 0;
      if (!skip_head(inside) || inside > bytes_.size() - at_ || pending - 1 > bytes_.size() - at_ - inside) {
        return false; // each of those that are still to come has a byte at least
      }
      pending += inside;
    }
    return true;
  }

 private:
  static std::size_t default_memory(std::size_t size) noexcept { return (4 * size) + (std::size_t(1) << 20); }

  // All of a term but the terms in it, whose number is `inside`.
  bool skip_head(std::size_t& inside) noexcept {
    std::string_view bytes;
    std::uint64_t size = 0;
    double real = 0;
    term_tag found = tag();
    switch (found) {
      case term_tag::small_atom_utf8:
      case term_tag::small_atom:
      case term_tag::atom_utf8:
      case term_tag::atom: return skip_atom();
      case term_tag::new_float:
      case term_tag::old_float: return floating(real);
      case term_tag::none: return false;
      default: ++at_;
    }
    switch (found) {
      case term_tag::nil: return true;
      case term_tag::small_integer: return take(1, bytes);
      case term_tag::integer: return take(4, bytes);
      case term_tag::string: return counted(2, bytes);
      case term_tag::binary: return counted(4, bytes);
      case term_tag::bit_binary: return skip_bits();
      case term_tag::small_big: return number(1, size) && take(1, bytes) && take(std::size_t(size), bytes);
      case term_tag::large_big: return number(4, size) && take(1, bytes) && take(std::size_t(size), bytes);
      case term_tag::small_tuple: return count(1, 1, inside);
      case term_tag::large_tuple: return count(4, 1, inside);
      case term_tag::list:
        if (!count(4, 1, inside)) {
          return false;
        }
        ++inside; // and the tail
        return true;
      case term_tag::map: return count(4, 2, inside) && ((inside *= 2), true);
      case term_tag::new_pid:
      case term_tag::v4_port: return skip_atom() && take(12, bytes);
      case term_tag::new_port: return skip_atom() && take(8, bytes);
      case term_tag::newer_reference:
        return number(2, size) && size >= 1 && size <= 5 && skip_atom() &&
               take(4 + (4 * std::size_t(size)), bytes);
      case term_tag::exported:
        return skip_atom() && skip_atom() && is(term_tag::small_integer) && take(1, bytes);
      case term_tag::new_fun: return skip_fun();
      default: return false;
    }
  }

  bool bytes_of_atom(std::string_view& text) noexcept {
    bool is_short = is(term_tag::small_atom_utf8) || is(term_tag::small_atom);
    return is_short ? counted(1, text) : (is(term_tag::atom_utf8) || is(term_tag::atom)) && counted(2, text);
  }
  bool skip_atom() noexcept {
    std::string_view text;
    bool is_latin = false;
    return atom(text, is_latin);
  }
  bool skip_integer() noexcept {
    std::string_view bytes;
    return is(term_tag::small_integer) ? take(1, bytes) : is(term_tag::integer) && take(4, bytes);
  }

  // Its size counts itself; then its arity, a checksum, its index, and how many terms it has kept; its module, two numbers, the
  // process that has made it, and what it has kept.
  bool skip_fun() noexcept {
    std::uint64_t size = 0;
    std::string_view bytes;
    if (!number(4, size) || size < 4 || !take(static_cast<std::size_t>(size) - 4, bytes) || funs_ == 0) {
      return false;
    }
    term_reader inside(bytes);
    inside.funs_ = funs_ - 1;
    std::uint64_t kept = 0;
    bool is_fun = inside.take(21, bytes) && inside.number(4, kept) && inside.skip_atom() &&
                  inside.skip_integer() && inside.skip_integer() && inside.tag() == term_tag::new_pid &&
                  inside.skip();
    for (; is_fun && kept != 0; --kept) {
      is_fun = inside.skip();
    }
    return is_fun && inside.left().empty();
  }

  bool skip_bits() noexcept {
    std::uint64_t size = 0;
    std::uint64_t bits = 0;
    std::string_view bytes;
    bool is_sized = number(4, size) && number(1, bits) && take(std::size_t(size), bytes);
    return is_sized && (size == 0 ? bits == 0 : bits >= 1 && bits <= 8);
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t memory_;
  std::size_t depth_;
  std::size_t funs_ = 64; // that may be in each other, as each takes stack
};

} // namespace otpp::detail

#pragma GCC visibility pop
