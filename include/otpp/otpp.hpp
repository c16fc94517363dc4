// SPDX-License-Identifier: BSL-1.0

/// Erlang/OTP's gen_server for C++20 coroutines on standalone Asio: servers, their verbs, names, timers, links,
/// monitors and processes.
///
/// Supervisors, pools, state machines, requests without waiting, sys and groups have headers of their own, because they
/// take as long to compile as all of this; all.hpp has everything but tests, the observer and nodes.

#pragma once

#include <otpp/crash_report.hpp>
#include <otpp/gen_server.hpp>
#include <otpp/mailbox_report.hpp>
#include <otpp/process.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/registry/wait_for_name.hpp>
#include <otpp/run.hpp>
#include <otpp/timer.hpp>
#include <otpp/version.hpp>
