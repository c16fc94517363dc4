// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/dist/detail/epmd_client.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/dist/detail/peer_error.hpp>
#include <otpp/error.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The entry of a node at its epmd, which has it as long as this is connected.
class epmd_registration {
 public:
  epmd_registration(std::shared_ptr<node_core> core, asio::any_io_executor executor) noexcept
      : core_(std::move(core)), executor_(std::move(executor)) {}

  // Registers the node, and returns the creation that epmd gives it. Throws as epmd_client::enter().
  asio::awaitable<std::uint32_t> enter() {
    auto made = std::make_unique<epmd_client>(executor_, *core_->how().epmd(), core_->how().setup());
    std::string alive(parse_node_name(core_->name).alive);
    std::uint32_t creation = co_await made->enter(std::move(alive), core_->address.port());
    client_ = std::move(made);
    co_return creation;
  }

  // Registers again when epmd has ended, and has been started again. The creation stays, as in OTP.
  asio::awaitable<void> stay() {
    std::chrono::milliseconds pause(100);
    while (true) {
      if (client_) {
        co_await client_->wait_for_end();
        client_.reset();
        pause = std::chrono::milliseconds(100);
      }
      asio::steady_timer later(executor_, pause);
      co_await later.async_wait(asio::use_awaitable);
      pause = (std::min)(2 * pause, std::chrono::milliseconds(10'000));
      try {
        co_await enter();
      } catch (const otpp::error& error) {
        if (error.code() == errc::name_taken) {
          core_->report({}, std::string(text_for_report(error.what(), error.code())), true);
        }
      }
    }
  }

  // Frees the name.
  void leave() noexcept { client_.reset(); }

 private:
  const std::shared_ptr<node_core> core_;
  const asio::any_io_executor executor_;
  std::unique_ptr<epmd_client> client_; // while it is registered
};

} // namespace otpp::detail

#pragma GCC visibility pop
