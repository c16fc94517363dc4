// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/sys/server_statistics.hpp>
#include <otpp/sys/trace_event.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

using type_namer = std::string_view (*)() noexcept;

// The current message of a process that is neither asleep nor in a handler.
inline std::string_view no_message() noexcept { return {}; }

// What a process shows of itself: to the functions of sys, to processes(), and to the simulation of its
// context.
//
// While it is not observed, this costs one store for each message, of its type, and one test of is_on(). All
// functions but current_message() are called on the process's own executor. The process that it is part of is
// passed to the functions that need it.
class observation {
 public:
  // Created when it is first requested.
  struct observer {
    // Returns false if it has no effect, so that the server need not check it.
    bool is_of_use() const noexcept { return is_suspended || counts || hook; }

    bool is_suspended = false; // user messages stay in the mailbox
    bool counts = false;
    server_statistics counted;
    std::function<void(const trace_event&)> hook;
    std::chrono::steady_clock::time_point handler_began; // while a handler runs and is timed
  };

  explicit observation(const process& who) noexcept : is_on_(is_traced(who)) {}

  // ---- any thread ----

  // Returns the type of the message whose handler runs, or ran last if the process continues with the next
  // one.
  std::string_view current_message() const noexcept {
    type_namer name = current_.load(std::memory_order_relaxed);
    return name ? name() : std::string_view();
  }

  // Returns true if the process waits for a message.
  bool is_asleep() const noexcept { return !current_.load(std::memory_order_relaxed); }

  // ---- observers ----

  // Returns the observer, and creates it at its first use. May throw std::bad_alloc.
  observer& observe() {
    if (!observer_) {
      observer_ = std::make_unique<observer>();
    }
    return *observer_;
  }

  // Returns the observer, or null.
  observer* get() const noexcept { return observer_.get(); }

  // Must be called after the observer has changed.
  void update(const process& who) noexcept {
    is_on_ = is_traced(who) || (observer_ && observer_->is_of_use());
  }

  bool is_on() const noexcept { return is_on_; }

  bool is_suspended() const noexcept { return observer_ && observer_->is_suspended; }

  // ---- the process ----

  // Called when the handler of a message of this type starts.
  void handles(type_namer type) noexcept { current_.store(type, std::memory_order_relaxed); }
  void handles_nothing() noexcept { handles(&no_message); }
  void sleeps() noexcept { handles(nullptr); }

  // The functions below are called only while is_on().

  void begin_handler(const process& who) noexcept {
    if (observer_) {
      observer_->handler_began =
          observer_->counts ? who.context().now() : std::chrono::steady_clock::time_point();
    }
  }

  void end_handler(const process& who) noexcept {
    if (observer_ && observer_->handler_began != std::chrono::steady_clock::time_point()) {
      observer_->counted.in_handlers +=
          who.context().now() -
          std::exchange(observer_->handler_began, std::chrono::steady_clock::time_point());
    }
  }

  // Called when the handler has answered a call of this type.
  OTPP_NOINLINE void replied(const process& who, std::string_view message) noexcept {
    if (observer_) {
      observer_->counted.replies += 1;
    }
    tell(who, trace_event::kind::replied, message);
  }

  // Reports an event to the trace hook and to the simulation of the context.
  void tell(
      const process& who, trace_event::kind what, std::string_view message = {},
      source_location where = {}) noexcept {
    if (observer_ && (what == trace_event::kind::received || what == trace_event::kind::timeout)) {
      observer_->counted.messages += 1;
    }
    trace(who, what, message, where, exit_reason(), true);
  }

  // Reports the end. This is the last report, because any thread may release the process afterwards. No hook
  // is called while the context is being destroyed.
  void tell_end(const process& who, const exit_reason& reason, bool is_context_destroyed) noexcept {
    if (is_on_) {
      trace(who, trace_event::kind::ended, {}, {}, reason, !is_context_destroyed);
    }
    if (observer_) {
      observer_->hook = nullptr;
    }
  }

 private:
  static bool is_traced(const process& who) noexcept {
    return who.get_lane()->simulated() && who.get_lane()->simulated()->is_traced();
  }

  void trace(
      const process& who, trace_event::kind what, std::string_view message, source_location where,
      const exit_reason& reason, bool may_call_hook) noexcept {
    bool is_simulated = is_traced(who);
    bool is_hooked = observer_ && observer_->hook && may_call_hook;
    if (!is_simulated && !is_hooked) {
      return;
    }
    try {
      trace_event event{what, who.id(), who.describe(), message, where, reason};
      if (is_simulated) {
        who.get_lane()->simulated()->trace(event.text());
      }
      if (is_hooked) {
        observer_->hook(event);
      }
    } catch (...) {
      if (observer_) {
        observer_->hook = nullptr; // as OTP removes a debug function that fails
        update(who);
      }
    }
  }

  bool is_on_;
  std::atomic<type_namer> current_{&no_message}; // null while the process sleeps
  std::unique_ptr<observer> observer_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
