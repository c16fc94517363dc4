// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <asio/any_io_executor.hpp>

#include <cstdint>
#include <string>

#include "world.hpp"

namespace lifetimes {

// A coroutine that does everything at random, until the end or until its context is destroyed.
// `is_serial`: nothing else runs on its executor at the same time; only there may it cancel.
void spawn_client(
    world& all, const asio::any_io_executor& on, permission may_go, bool is_serial, bool stays,
    std::string name);

// Threads of no context.
void talk_from_outside(world& all, std::uint64_t number);
void answer_from_outside(world& all);

} // namespace lifetimes
