// SPDX-License-Identifier: BSL-1.0

/// Names of servers. OTP's register and whereis, and Elixir's duplicate Registry.

#pragma once

#include <otpp/registry/duplicate_registry.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/registry/wait_for_name.hpp>
