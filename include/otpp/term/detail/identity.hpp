// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/atom.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/print.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What only its own node can use: the bytes of its term, which are written in one way, so that two are the same if their bytes
// are. None is `undefined`.
class identity {
 public:
  // Reads the node, and so many bytes of numbers. `to` has the bytes before the node, and `zeros` are in front of the numbers.
  // False leaves it as it was.
  bool read(term_reader& from, term_writer to, std::string_view zeros, std::size_t size) {
    otpp::atom node;
    std::string_view numbers;
    if (!get_term(from, node) || !from.take(size, numbers) || !from.spend(node.text().size() + size)) {
      return false;
    }
    to.atom(node.text());
    to.raw(zeros);
    to.raw(numbers);
    bytes_ = to.take();
    return true;
  }

  bool is_none() const noexcept { return bytes_.empty(); }
  void put(term_writer& to) const { is_none() ? to.atom("undefined") : to.raw(bytes_); }
  std::string print() const {
    return is_none() ? "undefined" : term_printer(bytes_, std::string::npos).print();
  }
  std::size_t hash() const noexcept { return std::hash<std::string>()(bytes_); }

  friend bool operator==(const identity&, const identity&) = default;
  friend auto operator<=>(const identity&, const identity&) = default;

 private:
  std::string bytes_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
