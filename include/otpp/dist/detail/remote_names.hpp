// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/stand_in_table.hpp>

#pragma GCC visibility push(default)

namespace otpp::detail {

struct known_name {
  pid who; // stands for it
};

// The names on other nodes that are in use, by what prints as `{cache,'erl@host'}`.
using remote_names = stand_in_table<known_name>;

} // namespace otpp::detail

#pragma GCC visibility pop
