// SPDX-License-Identifier: BSL-1.0

// The umbrella in two translation units: a function in a header that lacks
// `inline` does not link. One begins with it, and one with the standard library:
// Asio's functions are to be the same in both (asio#1082).
#include <otpp/otpp.hpp>

int version_in_the_other_file();
bool other_file_has_aligned_alloc();

int main() {
#if defined(ASIO_HAS_STD_ALIGNED_ALLOC)
  const bool has_aligned_alloc = true;
#else
  const bool has_aligned_alloc = false;
#endif
  bool is_same = other_file_has_aligned_alloc() == has_aligned_alloc;
  return version_in_the_other_file() == OTPP_VERSION && is_same ? 0 : 1;
}
