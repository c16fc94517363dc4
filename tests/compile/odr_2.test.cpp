// SPDX-License-Identifier: BSL-1.0

#include <string>

#include <otpp/otpp.hpp>

int version_in_the_other_file();
bool other_file_has_aligned_alloc();

int version_in_the_other_file() { return OTPP_VERSION; }

bool other_file_has_aligned_alloc() {
#if defined(ASIO_HAS_STD_ALIGNED_ALLOC)
  return true;
#else
  return false;
#endif
}
