// SPDX-License-Identifier: BSL-1.0

/// Processes: self, links, monitors, exit signals, coroutines that receive, and operations that end with their server.
/// OTP's spawn, link, monitor and exit.

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/process/co_spawn.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/join_all.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/pipe.hpp>
#include <otpp/process/process_ref.hpp>
#include <otpp/process/receive.hpp>
#include <otpp/process/self.hpp>
#include <otpp/process/spawn.hpp>
