// SPDX-License-Identifier: BSL-1.0

// Only for a Catch2 2.13 that was built without its own main function.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
