// SPDX-License-Identifier: BSL-1.0

// The one place that knows which Catch2 this is. Both versions have the macros
// we use; only the headers moved.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>) // Catch2 3
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#else // Catch2 2.13, which Debian 12 ships
#include <catch2/catch.hpp>
#endif
