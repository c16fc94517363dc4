// SPDX-License-Identifier: BSL-1.0

/// Inspects and modifies servers while they run. OTP's modules sys and erlang:processes.
///
/// Each verb with a server argument sends a system message: the server handles it between two ordinary
/// messages, after those that were sent earlier.

#pragma once

#include <otpp/sys/counting.hpp>
#include <otpp/sys/current_baggage.hpp>
#include <otpp/sys/describe_processes.hpp>
#include <otpp/sys/format_status.hpp>
#include <otpp/sys/inspect.hpp>
#include <otpp/sys/process_info.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/sys/server_statistics.hpp>
#include <otpp/sys/statistics.hpp>
#include <otpp/sys/status.hpp>
#include <otpp/sys/suspend.hpp>
#include <otpp/sys/trace.hpp>
#include <otpp/sys/trace_event.hpp>
