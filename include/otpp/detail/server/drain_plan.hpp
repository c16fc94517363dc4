// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/context_guard.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/draining.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <>
inline constexpr bool is_news<draining> = true;

// The end of a server that drains: when, at the latest, and why. It belongs to the relations of the server, is made by
// whoever drains it first, and is never taken away.
//
// The mailbox refuses what is new from begin() on. The loop looks before each step whether anything is left to be done
// (server_core::is_drained). What ends without a message, which is the deadline, a coroutine, or the answer by an
// otpp::caller on any thread, has the server look again, by this task, which is queued at most once.
class drain_plan final : public deadline, public task {
 public:
  explicit drain_plan(server_core& server)
      : server_(server), news_(new plain_message<draining>(&opened, draining(), source_location())) {}

  // ---- any thread ----

  // Begins to drain, or brings the deadline forward; the first reason stands. Returns true if it has begun with this.
  bool begin(const exit_reason& reason, duration within) noexcept {
    context_guard inside(server_.context());
    if (!inside) {
      return false; // the server ends with its context
    }
    server_.queue().drain();
    bool is_first = false;
    time_point at = server_.context().when_over((std::max)(within, duration::zero()));
    server_.context().arm_if(*this, at, *server_.get_lane(), [&]() noexcept {
      if (server_.life_ == server_core::life::ended) {
        return false;
      }
      is_first = !std::exchange(has_begun_, true);
      if (is_first) {
        reason_ = reason;
      }
      bool is_earlier = at < at_;
      at_ = (std::min)(at_, at);
      return is_earlier;
    });
    if (is_first) {
      plain_message<draining>& news = *news_.release();
      if (server_.send<&mailbox::push_library_message>(news) != mailbox::result::taken) {
        news.discard_message();
      }
    }
    return is_first;
  }

  // Has the server look whether it is drained.
  void look() noexcept {
    if (!is_queued_.exchange(true, std::memory_order_acq_rel)) {
      server_.add_ref();
      server_.submit(*this);
    }
  }

  // Returns true if the server had not ended at the deadline.
  bool is_late() const noexcept { return is_late_.load(std::memory_order_acquire); }

  // Returns how much time is left, if it drains.
  duration time_left() const noexcept {
    std::lock_guard lock(server_.context().mutex());
    return !has_begun_ ? duration::zero() : at_ == (time_point::max)() ? infinite : left();
  }

  // ---- the process itself ----

  const exit_reason& reason() const noexcept { return reason_; }

  void disarm() noexcept { server_.context().disarm(*this, *server_.get_lane()); }

 private:
  duration left() const noexcept { return (std::max)(at_ - server_.context().now(), duration::zero()); }

  static void opened(server_core& server, envelope& item) {
    envelope::opener open = server.find_opener(server_core::verb::info, typeid(draining));
    open ? open(server, item) : item.discard_message();
  }

  // In a step of the server.
  void run() override {
    auto keep = intrusive_ptr<server_core>::adopt(&server_);
    is_queued_.exchange(
        false, std::memory_order_acq_rel); // before the next load: else expire() might not be seen
    if (is_late()) {
      if (!server_.is_to_end()) {
        server_.request_end(reason_);
        server_.wake_to_end();
      }
    } else {
      server_.look_again();
    }
  }
  void discard() noexcept override { server_.release(); }

  bool claim_expired() noexcept override {
    server_.add_ref();
    return true;
  }
  void expire() noexcept override {
    auto keep = intrusive_ptr<server_core>::adopt(&server_);
    is_late_.store(true, std::memory_order_release);
    look();
  }

  server_core& server_;
  std::unique_ptr<plain_message<draining>, envelope_discarder> news_;
  std::atomic<bool> is_queued_{false};
  std::atomic<bool> is_late_{false};
  // Guarded by the context's lock, until it has begun.
  bool has_begun_ = false;
  exit_reason reason_ = exit_reason::normal();
  time_point at_ = (time_point::max)();
};

} // namespace otpp::detail

#pragma GCC visibility pop
