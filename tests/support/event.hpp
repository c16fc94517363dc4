// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <asio/awaitable.hpp>
#include <asio/error.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <memory>
#include <system_error>
#include <vector>

// Happens once; who waits for it, in a handler or in a test, goes on then. Copies are the same event.
// For one thread. The wait can be cancelled.
class event {
 public:
  bool has_happened() const { return state_->happened; }
  bool is_awaited() const { return !state_->waiting.empty(); }

  void happen() const {
    state_->happened = true;
    for (asio::steady_timer* one : state_->waiting) {
      one->cancel();
    }
  }

  asio::awaitable<void> wait() const { return wait_for(state_); }

 private:
  struct state {
    bool happened = false;
    std::vector<asio::steady_timer*> waiting;
  };

  struct entry {
    entry(std::shared_ptr<state> in, asio::steady_timer& one) : where(std::move(in)), timer(&one) {
      where->waiting.push_back(timer);
    }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    ~entry() { where->waiting.erase(std::find(where->waiting.begin(), where->waiting.end(), timer)); }
    std::shared_ptr<state> where;
    asio::steady_timer* timer;
  };

  static asio::awaitable<void> wait_for(std::shared_ptr<state> self) {
    if (self->happened) {
      co_return;
    }
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer never(executor, asio::steady_timer::time_point::max());
    entry listed(self, never);
    std::error_code error;
    co_await never.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (!self->happened) {
      throw std::system_error(asio::error::make_error_code(asio::error::operation_aborted));
    }
  }

  std::shared_ptr<state> state_ = std::make_shared<state>();
};

inline event happened() {
  event now;
  now.happen();
  return now;
}
