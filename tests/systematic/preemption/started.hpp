// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/server_ref.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start.hpp>

#include <asio/bind_executor.hpp>

#include <exception>
#include <optional>
#include <utility>

#include "context.hpp"
#include "explorer.hpp"

namespace preemption {

// Starts a server on `here`, for the one who sets up: it is running when this returns.
template <class Callbacks, class... Args>
otpp::server_ref<Callbacks> started(context& here, otpp::options how, Args... args) {
  std::optional<otpp::server_ref<Callbacks>> server;
  auto keep = [&](std::exception_ptr error, std::optional<otpp::server_ref<Callbacks>> made) {
    expect(!error, "not started");
    server = std::move(made);
  };
  otpp::start<Callbacks>(std::move(how), std::move(args)..., asio::bind_executor(here.get_executor(), keep));
  here.poll();
  expect(server.has_value(), "not started");
  return *server;
}

} // namespace preemption
