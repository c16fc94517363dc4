// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/observer/detail/http_listener.hpp>
#include <otpp/observer/detail/http_request.hpp>
#include <otpp/observer/detail/http_response.hpp>
#include <otpp/observer/detail/json.hpp>
#include <otpp/observer/detail/model.hpp>
#include <otpp/observer/detail/routes.hpp>
#include <otpp/observer/detail/show.hpp>
#include <otpp/observer/detail/system.hpp>
#include <otpp/observer/detail/while_pending.hpp>
#include <otpp/observer/options.hpp>

#include <asio/awaitable.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// An observer's thread, and what runs on it: everything but the subscriptions of the model. It uses no process of the
// library, and its io_context is its own, so that it answers while the program is stuck.
class observer_service {
 public:
  // Throws std::system_error and std::invalid_argument, as observe().
  explicit observer_service(const observer_options& how)
      : model_(&observer_moment::now, how.has_histograms()),
        listener_(context_, endpoint_of(how), how.token(), [this](http_request request) {
          return answer(std::move(request));
        }) {
    listener_.on_stream([this] {
      model_.look();
      keep_ticking();
      send_tick(); // the new one need not wait for a second
    });
    const signals_blocked while_it_starts;
    thread_ = std::thread([this] { run(); });
  }
  observer_service(const observer_service&) = delete;
  observer_service& operator=(const observer_service&) = delete;

  // What is being done is dropped where it is.
  ~observer_service() {
    context_.stop();
    thread_.join();
  }

  asio::ip::tcp::endpoint local_endpoint() const { return local_; }

 private:
  static asio::ip::tcp::endpoint endpoint_of(const observer_options& how) {
    const asio::ip::address address = how.address();
    if (how.token().empty() && !address.is_loopback()) {
      throw std::invalid_argument(
          "otpp: observe: at " + address.to_string() +
          " others could look into this program: say allow_remote(\"a token\"), or listen at 127.0.0.1");
    }
    return {address, how.port()};
  }

  void run() noexcept {
    while (!context_.stopped()) {
      try {
        listener_.resume();
        keep_ticking();
        context_.run();
      } catch (...) {
        // No memory for a request, for a second, or to accept: later there may be.
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    }
  }

  asio::awaitable<http_response> answer(http_request request) {
    routes_.look(request);
    keep_ticking();
    std::optional<http_response> known = routes_.answer(request);
    if (known) {
      co_return std::move(*known);
    }
    asio::awaitable<http_response> asked = observer_routes::ask_status(std::move(request));
    http_response status = co_await std::move(asked);
    co_return std::move(status);
  }

  // Without memory for the timer it throws; then whoever looks next tries again.
  void keep_ticking() {
    if (model_.is_looked_at() && !is_ticking_) {
      tick_later();
    }
  }

  void tick_later() {
    constexpr std::chrono::milliseconds interval{1000};
    timer_.expires_at(
        (std::max)(timer_.expiry() + interval, std::chrono::steady_clock::now() + interval / 2));
    timer_.async_wait([this, pending = while_pending(is_ticking_)](const std::error_code& error) mutable {
      pending.end();
      if (!error) {
        tick();
      }
    });
  }

  void tick() {
    if (!model_.tick(listener_.streams() != 0)) {
      return;
    }
    keep_ticking();
    send_tick();
  }

  void send_tick() {
    if (listener_.streams() != 0) {
      json_writer json;
      write_tick(json, model_.seen(), model_.reports());
      listener_.send_event("tick", json.text());
    }
  }

  bool is_ticking_ = false; // the timer runs; outlives its handler
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  observer_model model_;
  observer_routes routes_{model_};
  asio::steady_timer timer_{context_};
  http_listener listener_;
  const asio::ip::tcp::endpoint local_{listener_.local_endpoint()};
  std::thread thread_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
