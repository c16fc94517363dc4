// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <optional>

#pragma GCC visibility push(default)

namespace otpp {

/// What decoding may cost, whatever the bytes claim.
struct term_limits {
  /// How many lists, maps and structs with a form may be in each other.
  std::size_t depth = 64;
  /// How many bytes the values may take: `sizeof` of each element, and what strings hold. Nothing: four times the
  /// length of the bytes, and a mebibyte.
  std::optional<std::size_t> memory = std::nullopt;
};

} // namespace otpp

#pragma GCC visibility pop
