// SPDX-License-Identifier: BSL-1.0

/// This program as a node of the BEAM: Erlang and Elixir call its servers, and it calls theirs. OTP's distribution.
///
/// A header of its own, which otpp.hpp does not include; the target of CMake is `otpp::dist`.

#pragma once

#include <otpp/dist/any_call.hpp>
#include <otpp/dist/global.hpp>
#include <otpp/dist/groups.hpp>
#include <otpp/dist/groups_options.hpp>
#include <otpp/dist/node.hpp>
#include <otpp/dist/node_event.hpp>
#include <otpp/dist/node_options.hpp>
#include <otpp/dist/node_statistics.hpp>
#include <otpp/dist/ok.hpp>
#include <otpp/dist/remote_name.hpp>
#include <otpp/dist/remote_reason.hpp>
#include <otpp/dist/reports.hpp>
#include <otpp/dist/transport.hpp>
#include <otpp/term.hpp>
