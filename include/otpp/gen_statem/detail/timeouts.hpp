// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/server/mailbox_timer.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/timeout.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Which timeout of a machine: those of a kind and name replace each other.
enum class timeout_kind : std::uint8_t { of_event, of_state, named };

// What a handler wants of a timeout.
struct timeout_request {
  enum class act : std::uint8_t { start, update, cancel };

  act what = act::cancel;
  timeout_kind kind = timeout_kind::named;
  std::string name;     // of a named one
  moment when;          // to start it
  envelope_ptr content; // the event; else null
};

// One timer of a state machine, which opens its content in its own place. It is reused for other timeouts.
class statem_timer final : public mailbox_timer {
 public:
  explicit statem_timer(server_core& server) noexcept : mailbox_timer(&opened, server) {}
  ~statem_timer() override = default;

  bool is_armed() const noexcept { return content_ != nullptr; }
  bool is(timeout_kind which, std::string_view name) const noexcept {
    return is_armed() && kind_ == which && name_ == name;
  }

  // Precondition: it is not armed.
  void arm(timeout_request& how) noexcept {
    kind_ = how.kind;
    name_ = std::move(how.name);
    content_ = std::move(how.content);
    start(how.when);
  }

  // Gives the content back.
  envelope_ptr disarm() noexcept {
    if (is_armed()) {
      cancel();
    }
    return std::move(content_);
  }

  void replace(envelope_ptr content) noexcept { content_ = std::move(content); }

  std::string_view message_type() const noexcept override {
    return content_ ? content_->message_type() : std::string_view();
  }

 private:
  static void opened(server_core& server, envelope& item) {
    auto& self = static_cast<statem_timer&>(item);
    if (self.has_arrived() && self.is_armed()) {
      self.content_.release()->open(server);
    }
  }

  timeout_kind kind_ = timeout_kind::named;
  std::string name_;
  envelope_ptr content_; // while it is armed
};

// The timeouts of a state machine. Only its own loop uses them, or the destruction of its context.
//
// One whose time is over when it is started gets no timer. It is due once nothing else is, before what is in the mailbox.
class timeouts {
 public:
  explicit timeouts(server_core& server) noexcept : server_(server) {}

  // May throw std::bad_alloc.
  void apply(timeout_request& one) {
    switch (one.what) {
      case timeout_request::act::cancel: cancel(one.kind, one.name); return;
      case timeout_request::act::update:
        if (statem_timer* found = find(one.kind, one.name)) {
          found->replace(std::move(one.content));
          return;
        }
        for (timeout_request& each : due_) {
          if (each.kind == one.kind && each.name == one.name) {
            each.content = std::move(one.content);
            return;
          }
        }
        one.when = moment(duration::zero()); // as in OTP: what does not run is over at once
        break;
      case timeout_request::act::start: break;
    }
    cancel(one.kind, one.name);
    if (one.when.count == infinite) {
      return;
    }
    has_event_timeout_ = has_event_timeout_ || one.kind == timeout_kind::of_event;
    if (server_.context().is_over(one.when)) {
      due_.push_back(std::move(one));
    } else {
      unused().arm(one);
    }
  }

  void cancel(timeout_kind kind, std::string_view name = {}) noexcept {
    if (statem_timer* found = find(kind, name)) {
      found->disarm();
    }
    for (auto at = due_.begin(); at != due_.end(); ++at) {
      if (at->kind == kind && at->name == name) {
        due_.erase(at);
        return;
      }
    }
  }

  // An event has been handled.
  void cancel_event_timeout() noexcept {
    if (std::exchange(has_event_timeout_, false)) {
      cancel(timeout_kind::of_event);
    }
  }

  bool is_due() const noexcept { return !due_.empty(); }

  // Takes the event of the oldest that is due.
  envelope& take() noexcept {
    envelope_ptr content = std::move(due_.front().content);
    due_.erase(due_.begin());
    return *content.release();
  }

  void stop() noexcept {
    for (const auto& each : timers_) {
      each->disarm();
    }
    due_.clear();
  }

 private:
  statem_timer* find(timeout_kind kind, std::string_view name) const noexcept {
    for (const auto& each : timers_) {
      if (each->is(kind, name)) {
        return each.get();
      }
    }
    return nullptr;
  }

  statem_timer& unused() {
    for (const auto& each : timers_) {
      if (!each->is_armed()) {
        return *each;
      }
    }
    return *timers_.emplace_back(std::make_unique<statem_timer>(server_));
  }

  server_core& server_;
  std::vector<std::unique_ptr<statem_timer>> timers_;
  std::vector<timeout_request> due_; // oldest first
  bool has_event_timeout_ = false;   // or had one that is over
};

} // namespace otpp::detail

#pragma GCC visibility pop
