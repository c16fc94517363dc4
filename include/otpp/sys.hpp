// SPDX-License-Identifier: BSL-1.0

/// Looks into servers while they run. OTP's modules sys and erlang:processes.

#pragma once

#include <otpp/sys/format_status.hpp>
#include <otpp/sys/inspect.hpp>
#include <otpp/sys/processes.hpp>
#include <otpp/sys/trace_event.hpp>
