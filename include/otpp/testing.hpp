// SPDX-License-Identifier: BSL-1.0

/// Tests of servers: every order in which things can happen, on one thread and in no time.
///
/// Not part of <otpp/otpp.hpp> or <otpp/all.hpp>.

#pragma once

#include <otpp/testing/client.hpp>
#include <otpp/testing/explore.hpp>
#include <otpp/testing/schedule.hpp>
#include <otpp/testing/world.hpp>
