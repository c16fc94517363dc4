// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <stdexcept>

// Lets whatever else is ready run, until it is so. For what needs no time to come true.
template <class Predicate>
asio::awaitable<void> until(Predicate holds) {
  for (int step = 0; !holds(); ++step) {
    if (step == 10000) {
      throw std::logic_error("until: it never came true");
    }
    co_await asio::post(asio::use_awaitable);
  }
}

// Lets whatever else is ready run for a while, so that what must not happen has had its chance.
inline asio::awaitable<void> some_steps() {
  for (int step = 0; step != 20; ++step) {
    co_await asio::post(asio::use_awaitable);
  }
}
