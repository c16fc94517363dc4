// SPDX-License-Identifier: BSL-1.0

/// Erlang/OTP's gen_server for C++20 coroutines on standalone Asio: servers, their verbs, names, timers, links,
/// monitors and processes.
///
/// Supervisors, requests without waiting, sys and groups have headers of their own, because they take as long to
/// compile as all of this; all.hpp has everything.

#pragma once

#include <otpp/address.hpp>
#include <otpp/call.hpp>
#include <otpp/callbacks.hpp>
#include <otpp/caller.hpp>
#include <otpp/cast.hpp>
#include <otpp/crash_report.hpp>
#include <otpp/error.hpp>
#include <otpp/exit.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server.hpp>
#include <otpp/link.hpp>
#include <otpp/message.hpp>
#include <otpp/monitor.hpp>
#include <otpp/options.hpp>
#include <otpp/outcome.hpp>
#include <otpp/pid.hpp>
#include <otpp/receive.hpp>
#include <otpp/registry.hpp>
#include <otpp/reply.hpp>
#include <otpp/run.hpp>
#include <otpp/self.hpp>
#include <otpp/send.hpp>
#include <otpp/server_name.hpp>
#include <otpp/server_ref.hpp>
#include <otpp/spawn.hpp>
#include <otpp/start.hpp>
#include <otpp/start_link.hpp>
#include <otpp/stop.hpp>
#include <otpp/timeout.hpp>
#include <otpp/timer.hpp>
#include <otpp/version.hpp>
#include <otpp/via.hpp>
#include <otpp/wait_for_name.hpp>
