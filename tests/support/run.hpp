// SPDX-License-Identifier: BSL-1.0

#pragma once

#include "support/catch.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

// Runs `body` on a context of its own. Work that is left over when it returns is a leak in the test or
// in the library, and fails here rather than later. Idle servers are no work.
template <class Body>
void run(Body body) {
  asio::io_context context;
  std::exception_ptr failure;
  asio::co_spawn(context, body(), [&](std::exception_ptr error) { failure = error; });
  context.run_for(std::chrono::seconds(10));
  if (failure) {
    std::rethrow_exception(failure);
  }
  REQUIRE(context.stopped()); // ran out of work, not out of time
}

// Runs `body` to its end, counts the steps, and then runs it again and again, letting the context die
// one step later each time. AddressSanitizer does the checking: this is where coroutines free twice or
// not at all. The idea is Boost.Cobalt's.
template <class Body>
std::size_t abandon_at_every_step(Body body) {
  auto ignore = [](std::exception_ptr) {};
  std::size_t steps = 0;
  {
    asio::io_context context;
    asio::co_spawn(context, body(), [](std::exception_ptr error) {
      if (error) {
        std::rethrow_exception(error);
      }
    });
    steps = context.run();
  }
  for (std::size_t last = 0; last != steps; ++last) {
    asio::io_context context;
    asio::co_spawn(context, body(), ignore);
    for (std::size_t step = 0; step != last; ++step) {
      context.run_one();
    }
  }
  return steps;
}
