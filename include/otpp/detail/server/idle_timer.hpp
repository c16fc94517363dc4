// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/sys/trace_event.hpp>

#include <cstdint>
#include <mutex>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The timeout of an outcome: an envelope that is sent when the time is over, unless a message came before.
//
// Racing a timer against the mailbox would lose messages, so the timer itself is a message. If another
// message came first, the timer's age tells, and it has no effect.
class idle_timer final : public envelope, public deadline {
 public:
  explicit idle_timer(server_core& server) noexcept : envelope(&opened), server_(server) {}

  void arm(next_action action) noexcept {
    moment after = action.moment();
    action_ = std::move(action);
    is_armed_ = true;
    {
      std::lock_guard lock(server_.context().mutex());
      ++age_;
    }
    server_.context().arm(*this, after, *server_.get_lane());
  }

  void disarm() noexcept {
    if (std::exchange(is_armed_, false)) {
      server_.context().disarm(*this, *server_.get_lane());
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

  void fail_unhandled(server_core&, const exit_reason&) noexcept override {}
  void discard_message() noexcept override {}

 private:
  static void opened(server_core& server, envelope& item) {
    auto& self = static_cast<idle_timer&>(item);
    {
      std::lock_guard lock(server.context().mutex());
      self.is_queued_ = false;
      if (!self.is_armed_ || self.expired_age_ != self.age_) {
        return;
      }
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

  // Called under the context's lock. The server may end on another thread before expire() is called.
  bool claim_expired() noexcept override {
    expired_age_ = age_;
    if (std::exchange(is_queued_, true)) {
      return false; // an earlier one is still in the mailbox, and is used again
    }
    server_.add_ref();
    return true;
  }

  void expire() noexcept override {
    server_core& server = server_;
    server.send<&mailbox::push_library_message>(*this);
    server.release();
  }

  server_core& server_;
  next_action action_;
  bool is_armed_ = false;
  // Guarded by the context's lock.
  std::uint64_t age_ = 0;
  std::uint64_t expired_age_ = 0;
  bool is_queued_ = false;
};

} // namespace otpp::detail

#pragma GCC visibility pop
