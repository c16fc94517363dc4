// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>

int version_in_the_other_file();

int version_in_the_other_file() { return OTPP_VERSION; }
