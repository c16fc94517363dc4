// SPDX-License-Identifier: BSL-1.0

/// All of otpp but for its tests' own header. Takes twice as long to compile as otpp.hpp.

#pragma once

#include <otpp/child_spec.hpp>
#include <otpp/duplicate_registry.hpp>
#include <otpp/dynamic_supervisor.hpp>
#include <otpp/multi_call.hpp>
#include <otpp/otpp.hpp>
#include <otpp/pg.hpp>
#include <otpp/processes.hpp>
#include <otpp/request_set.hpp>
#include <otpp/response.hpp>
#include <otpp/send_request.hpp>
#include <otpp/supervision.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys.hpp>
#include <otpp/trace_event.hpp>
