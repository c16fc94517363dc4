// SPDX-License-Identifier: BSL-1.0

#include <otpp/version.hpp>

#include "support/catch.hpp"

TEST_CASE("version: has, at least, a number [x]", "[version]") {
  int version = OTPP_VERSION;
  CHECK(version > 0);
}
