// SPDX-License-Identifier: BSL-1.0

// The umbrella in two translation units: a function in a header that lacks
// `inline` does not link.
#include <otpp/otpp.hpp>

int version_in_the_other_file();

int main() { return version_in_the_other_file() == OTPP_VERSION ? 0 : 1; }
