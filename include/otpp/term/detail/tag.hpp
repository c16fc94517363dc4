// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The first byte of a term in the external term format, by the names of Erlang's documentation (erl_ext_dist).
enum class term_tag : unsigned char {
  none = 0, // there is no byte left
  new_float = 70,
  bit_binary = 77,
  new_pid = 88,
  new_port = 89,
  newer_reference = 90,
  small_integer = 97,
  integer = 98,
  old_float = 99,
  atom = 100, // Latin-1
  small_tuple = 104,
  large_tuple = 105,
  nil = 106,
  string = 107,
  list = 108,
  binary = 109,
  small_big = 110,
  large_big = 111,
  new_fun = 112,
  exported = 113,
  small_atom = 115, // Latin-1
  map = 116,
  atom_utf8 = 118,
  small_atom_utf8 = 119,
  v4_port = 120,
};

inline constexpr unsigned char term_version = 131; // before a term that stands alone

} // namespace otpp::detail

#pragma GCC visibility pop
