// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Repeats `walk`, which calls its argument with each value, until there was capacity for all values: nothing
// is allocated under the lock that `walk` takes.
template <class Value, class Walk>
std::vector<Value> copy_in_lock(Walk walk) {
  std::vector<Value> result;
  std::size_t wanted = 16;
  do {
    result = {};
    result.reserve(wanted + (wanted / 8));
    wanted = 0;
    walk([&](Value one) noexcept {
      if (++wanted <= result.capacity()) {
        result.push_back(std::move(one));
      }
    });
  } while (wanted > result.capacity());
  return result;
}

} // namespace otpp::detail

#pragma GCC visibility pop
