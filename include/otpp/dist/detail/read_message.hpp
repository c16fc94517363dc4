// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/reader.hpp>

#include <new>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Reads a message that is all that is left. A form of the user's own may throw: then it is none of this type.
template <class M>
bool read_message(term_reader from, M& message) {
  static_assert(check_default<M>());
  try {
    return get_term(from, message) && from.left().empty();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return false;
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
