// SPDX-License-Identifier: BSL-1.0

/// Supervisors. OTP's module supervisor, and Elixir's DynamicSupervisor.

#pragma once

#include <otpp/supervisor/child_spec.hpp>
#include <otpp/supervisor/children.hpp>
#include <otpp/supervisor/dynamic_supervisor.hpp>
#include <otpp/supervisor/report.hpp>
#include <otpp/supervisor/supervisor.hpp>
#include <otpp/supervisor/supervisor_spec.hpp>
