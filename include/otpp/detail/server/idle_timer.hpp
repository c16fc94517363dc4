// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/server/mailbox_timer.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/sys/trace_event.hpp>

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The timeout of an outcome: sent when the time is over, unless a message came before.
class idle_timer final : public mailbox_timer {
 public:
  explicit idle_timer(server_core& server) noexcept : mailbox_timer(&opened, server) {}

  void arm(next_action action) noexcept {
    moment after = action.moment();
    action_ = std::move(action);
    is_armed_ = true;
    start(after);
  }

  void disarm() noexcept {
    if (std::exchange(is_armed_, false)) {
      cancel();
      action_ = {};
    }
  }

  // A system message has come, which the server does not see as a message. As in OTP, a plain timeout starts
  // anew, and an event timeout continues.
  void begin_anew() noexcept {
    if (is_armed_ && action_.kind == action_kind::idle_timeout) {
      arm(std::move(action_));
    }
  }

  bool is(const envelope* item) const noexcept { return item == this; }

 private:
  static void opened(server_core& server, envelope& item) {
    auto& self = static_cast<idle_timer&>(item);
    if (!self.has_arrived() || !self.is_armed_) {
      return;
    }
    self.is_armed_ = false;
    next_action action = std::move(self.action_);
    if (server.observation_.is_on()) {
      server.observation_.receives(server, nullptr, trace_event::kind::timeout, 0);
    }
    if (action.message) {
      server.kept_ = std::move(action.message);
      server.run_info(*server.kept_);
    } else {
      server.run_timeout();
    }
  }

  next_action action_;
  bool is_armed_ = false;
};

} // namespace otpp::detail

#pragma GCC visibility pop
