// SPDX-License-Identifier: BSL-1.0

#include <otpp/otpp.hpp>
#include <otpp/process/link.hpp>

#ifdef OTPP_MISTAKE
using address = const char*;
#else
using address = otpp::pid;
#endif

void tie(address who) { otpp::link(who); }
