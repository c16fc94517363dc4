// SPDX-License-Identifier: BSL-1.0

/// Tests of servers in every possible order of events, on one thread and in virtual time; and probes, which expect
/// messages and stand for servers.
///
/// Not part of <otpp/otpp.hpp> or <otpp/all.hpp>.

#pragma once

#include <otpp/testing/client.hpp>
#include <otpp/testing/explore.hpp>
#include <otpp/testing/probe.hpp>
#include <otpp/testing/schedule.hpp>
#include <otpp/testing/world.hpp>
