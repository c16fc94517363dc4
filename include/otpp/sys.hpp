// SPDX-License-Identifier: BSL-1.0

/// Looks into servers while they run, and changes them. OTP's modules sys and erlang:processes.
///
/// Each verb that asks a server is a system message: the server takes it between two messages of its own, after
/// those that were sent before.

#pragma once

#include <otpp/sys/format_status.hpp>
#include <otpp/sys/inspect.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/sys/server_statistics.hpp>
#include <otpp/sys/statistics.hpp>
#include <otpp/sys/status.hpp>
#include <otpp/sys/suspend.hpp>
#include <otpp/sys/trace.hpp>
#include <otpp/sys/trace_event.hpp>
