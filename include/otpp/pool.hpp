// SPDX-License-Identifier: BSL-1.0

/// Servers of one kind behind one address. Elixir's PartitionSupervisor.

#pragma once

#include <otpp/pool/pool.hpp>
#include <otpp/pool/pool_options.hpp>
