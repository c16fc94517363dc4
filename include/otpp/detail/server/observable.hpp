// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/handler_coroutine.hpp>
#include <otpp/detail/server/observation.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/exit_reason.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace otpp::detail {

// What a process shows of itself: to sys.hpp, processes.hpp, and whoever simulates its context.
//
// While nobody watches, that is one store for each message, of its type, and one test of `is_observed_`.
class observable : public worker::owner {
 public:
  using time_point = observation::time_point;

  // ---- any thread ----

  std::uint64_t id() const noexcept { return id_; }

  // Returns the length of the queue, if it is counted, or if the process sleeps and so has none.
  std::optional<mailbox::lengths> queue_length() const noexcept {
    std::optional<mailbox::lengths> known = mailbox_.length();
    if (!known && !current_.load(std::memory_order_relaxed) && mailbox_.is_parked()) {
      known.emplace();
    }
    return known;
  }

  // Returns the type of the message whose handler runs, or has run last if it goes on with the next.
  std::string_view current_message() const noexcept {
    type_namer name = current_.load(std::memory_order_relaxed);
    return name ? name() : std::string_view();
  }

  // ---- the process itself ----

  // Returns what watches it, and makes it at the first use. May throw std::bad_alloc.
  observation& observe() {
    if (!watch_) {
      watch_ = std::make_unique<observation>();
    }
    return *watch_;
  }

  // As above, or null.
  observation* observed() const noexcept { return watch_.get(); }

  // What is observed has changed.
  void notice() noexcept { is_observed_ = is_traced() || (watch_ && watch_->is_of_use()); }

  void count_messages(bool on) { mailbox_.count(on); }

  // Returns how many messages are queued. In the time of all that is.
  std::size_t count_queue() noexcept { return mailbox_.count_all(); }

  // Returns the state in words, as the callbacks want it to be shown.
  virtual std::string show_state() = 0;

  time_point now() const noexcept {
    return get_lane()->simulated() ? get_lane()->simulated()->now() : std::chrono::steady_clock::now();
  }

 protected:
  observable(intrusive_ptr<lane> home, std::size_t mailbox_limit)
      : worker::owner(std::move(home), mailbox_limit), is_observed_(is_traced()) {}

  // The handler of a message of this type begins.
  void handles(type_namer type) noexcept { current_.store(type, std::memory_order_relaxed); }

  // The handler has answered a call of this type.
  void replies(type_namer type) noexcept {
    if (is_observed_) {
      note_reply(type());
    }
  }

  bool is_suspended() const noexcept { return watch_ && watch_->is_suspended; }

  // The rest is called only while it is observed.

  void begin_handler() noexcept {
    if (watch_) {
      watch_->handler_began = watch_->counts ? now() : time_point();
    }
  }

  void end_handler() noexcept {
    if (watch_ && watch_->handler_began != time_point()) {
      watch_->counted.in_handlers += now() - std::exchange(watch_->handler_began, time_point());
    }
  }

  // Tells whoever traces it, or simulates its context. With `ended`, why; no hook is called if the context
  // is going.
  void tell(
      trace_event::kind what, std::string_view message = {}, source_location where = {},
      const exit_reason& reason = {}, bool is_evicted = false) noexcept {
    if (watch_ && (what == trace_event::kind::received || what == trace_event::kind::timeout)) {
      watch_->counted.messages += 1;
    }
    bool is_simulated = is_traced();
    bool is_hooked = watch_ && watch_->hook && !is_evicted;
    if (!is_simulated && !is_hooked) {
      return;
    }
    try {
      trace_event event{what, id_, describe(), message, where, reason};
      if (is_simulated) {
        get_lane()->simulated()->trace(event.text());
      }
      if (is_hooked) {
        watch_->hook(event);
      }
    } catch (...) {
      if (watch_) {
        watch_->hook = nullptr; // as OTP does away with a debug function that fails
        notice();
      }
    }
  }

  bool is_observed_;
  std::atomic<type_namer> current_{&no_message}; // null while it sleeps

 private:
  bool is_traced() const noexcept { return get_lane()->simulated() && get_lane()->simulated()->is_traced(); }

  OTPP_NOINLINE void note_reply(std::string_view message) noexcept {
    if (watch_) {
      watch_->counted.replies += 1;
    }
    tell(trace_event::kind::replied, message);
  }

  static std::uint64_t next_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  const std::uint64_t id_ = next_id();
  std::unique_ptr<observation> watch_;
};

} // namespace otpp::detail
