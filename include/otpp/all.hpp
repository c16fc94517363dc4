// SPDX-License-Identifier: BSL-1.0

/// All of otpp, except for the headers for tests, the observer and nodes. Takes twice as long to compile as otpp.hpp.

#pragma once

#include <otpp/otpp.hpp>
#include <otpp/gen_statem.hpp>
#include <otpp/pg.hpp>
#include <otpp/pool.hpp>
#include <otpp/registry.hpp>
#include <otpp/request.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys.hpp>
#include <otpp/term.hpp>
