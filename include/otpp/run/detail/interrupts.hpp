// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/run/detail/signal_action.hpp>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <array>
#include <csignal>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// SIGINT and SIGTERM, while a program runs. A signal_set leaves the default actions behind; this gives the
// program's own back, once the last of those that live at the same time is destroyed.
class interrupts {
 public:
  explicit interrupts(asio::io_context& context) {
    shared& all = everybodys();
    std::lock_guard lock(all.mutex);
    actions before = current();
    set_.emplace(context, SIGINT, SIGTERM);
    if (all.users++ == 0) {
      actions now = current();
      for (std::size_t i = 0; i != now.size(); ++i) {
        // If it is the same, a signal_set of the program's own has been there before.
        bool is_replaced = !now[i].has_handler_of(before[i]);
        all.replaced[i] = is_replaced ? std::optional(before[i]) : std::nullopt;
      }
    }
  }
  interrupts(const interrupts&) = delete;
  interrupts& operator=(const interrupts&) = delete;
  ~interrupts() {
    shared& all = everybodys();
    std::lock_guard lock(all.mutex);
    set_.reset();
    if (--all.users != 0) {
      return;
    }
    actions now = current();
    for (std::size_t i = 0; i != now.size(); ++i) {
      if (all.replaced[i] && now[i].is_default()) { // else it has been set meanwhile
        all.replaced[i]->restore();
      }
    }
  }

  template <class Handler>
  void async_wait(Handler&& handler) {
    set_->async_wait(std::forward<Handler>(handler));
  }

 private:
  using actions = std::array<signal_action, 2>;

  struct shared {
    std::mutex mutex;
    int users = 0;
    std::array<std::optional<signal_action>, 2> replaced;
  };
  static shared& everybodys() {
    static shared instance;
    return instance;
  }

  static actions current() noexcept { return {signal_action(SIGINT), signal_action(SIGTERM)}; }

  std::optional<asio::signal_set> set_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
