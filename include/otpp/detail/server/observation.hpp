// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/queue/message_tag.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/counters.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/detail/util/watchers.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/mailbox_report.hpp>
#include <otpp/sys/server_statistics.hpp>
#include <otpp/sys/trace_event.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>
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

    // Of the message that is handled while it is traced.
    std::string name; // of the process, once it is needed
    std::unique_ptr<message_tag> tag;
    std::string_view message;
    bool is_call = false;
    source_location where;
    duration waited{};
    std::chrono::steady_clock::time_point received; // the beginning of the clock if nothing is handled
  };

  explicit observation(const process& who) noexcept : is_on_(is_traced(who)) {}
  observation(const observation&) = delete;
  observation& operator=(const observation&) = delete;
  ~observation() { delete counted(); }

  // ---- any thread ----

  // Returns the type of the message whose handler runs, or ran last if the process continues with the next
  // one.
  std::string_view current_message() const noexcept {
    type_namer name = current_.load(std::memory_order_relaxed);
    return name ? name() : std::string_view();
  }

  // Returns true if the process waits for a message.
  bool is_asleep() const noexcept { return !current_.load(std::memory_order_relaxed); }

  // Returns what has been counted, or null.
  const counters* counted() const noexcept { return counters_.load(std::memory_order_acquire); }

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
    is_on_ = is_careful_ || is_traced(who) || (observer_ && observer_->is_of_use());
  }

  // From now on each message is taken on the way that an observed process takes, which looks at more than the queue. So a
  // process that needs no such look does not pay for it.
  void be_careful() noexcept { is_on_ = is_careful_ = true; }

  bool is_on() const noexcept { return is_on_ || is_anybody_watching(); }

  bool is_suspended() const noexcept { return observer_ && observer_->is_suspended; }

  // ---- the process ----

  // Called when the process is about to run code of the user's for the first time.
  void begins() noexcept { has_begun_ = true; }
  bool has_begun() const noexcept { return has_begun_; }

  // Called when the handler of a message of this type starts.
  void handles(type_namer type) noexcept { current_.store(type, std::memory_order_relaxed); }
  void handles_nothing() noexcept { handles(&no_message); }
  void sleeps() noexcept { handles(nullptr); }

  // Called when the process has taken this many messages, or nearly so. From time to time it looks at how many are
  // queued, rather than count them where they are sent.
  void has_taken(int messages, const mailbox& queue, const process& who) noexcept {
    until_look_ -= messages;
    if (until_look_ <= 0) [[unlikely]] {
      look_at(queue, who);
    }
  }

  // The functions below are called only while is_on(), except for end_handler().

  // The process takes a message for its callbacks, or its own timeout. `found` messages were in the mailbox, this included.
  void receives(const process& who, envelope* item, trace_event::kind what, std::size_t found) noexcept {
    if (counters* its = count()) {
      its->count_message();
      its->saw_queue(found);
    }
    if (observer_) {
      observer_->counted.messages += 1;
    }
    if (is_traced(who) || is_told()) {
      trace_message(who, item, what);
    }
  }

  // Its handler is about to run.
  void begin_handler(const process& who) noexcept {
    if (counters* its = count()) {
      is_timed_ = true;
      its->begin_handler(who.context().coarse_now());
    }
    if (observer_) {
      is_timed_ = true;
      observer_->handler_began =
          observer_->counts ? who.context().now() : std::chrono::steady_clock::time_point();
    }
  }

  // The handler has returned, or the coroutine completed. `reason` is why that ends the process, or null. `goes_on`: with
  // what the handler has left for itself, which has the message's context.
  void end_handler(const process& who, const exit_reason* reason, bool goes_on) noexcept {
    if (std::exchange(is_timed_, false)) {
      end_timed(who, reason);
    }
    if (observer_ && !goes_on) [[unlikely]] {
      observer_->tag.reset();
    }
  }

  // What travels with the message that is handled is to travel with this one, too, which the process keeps.
  void keep_context(envelope& item) const noexcept {
    if (observer_ && observer_->tag) [[unlikely]] {
      item.set_tag(std::unique_ptr<message_tag>(new (std::nothrow) message_tag(*observer_->tag)));
    }
  }

  // The process goes on with a message that it has kept; with null, with one that has no context.
  void goes_on_with(envelope* item) noexcept {
    if (observer_) [[unlikely]] {
      observer_->tag = item ? item->take_tag() : nullptr;
    }
  }

  // The handler has answered a call of this type.
  OTPP_NOINLINE void replied(const process& who, type_namer message) noexcept {
    if (observer_) {
      observer_->counted.replies += 1;
    }
    if (is_traced(who) || is_told()) {
      trace_event event = event_of(who, trace_event::kind::replied);
      event.message = message();
      event.is_call = true;
      trace(who, std::move(event));
    }
  }

  void started(const process& who) noexcept { trace(who, event_of(who, trace_event::kind::started)); }

  // Reports the end. This is the last report, because any thread may release the process afterwards. No hook
  // is called while the context is being destroyed.
  void tell_end(const process& who, const exit_reason& reason, bool is_context_destroyed) noexcept {
    if (is_on()) {
      trace_event event = event_of(who, trace_event::kind::ended);
      event.reason = reason;
      trace(who, std::move(event), !is_context_destroyed);
    }
    if (observer_) {
      observer_->hook = nullptr;
    }
  }

  // The context of the message that is handled, for what its handler sends.
  trace_context context() const noexcept {
    return observer_ && observer_->tag ? observer_->tag->context : trace_context();
  }

 private:
  // Returns the counters if they are to count; then creates them at the first use. Null also if there is no memory.
  counters* count() noexcept {
    if (!is_counting()) {
      return nullptr;
    }
    counters* its = counters_.load(std::memory_order_relaxed);
    if (!its) {
      its = new (std::nothrow) counters;
      counters_.store(its, std::memory_order_release);
    }
    return its;
  }

  // Reports a mailbox that has become long. The shorter the queue, the later it looks again, so that looking costs a few
  // steps for each message even at a queue that is nearly long enough.
  OTPP_NOINLINE void look_at(const mailbox& queue, const process& who) noexcept {
    constexpr std::size_t latest = 100'000;
    const std::size_t most = long_mailbox.load(std::memory_order_relaxed);
    until_look_ = latest;
    if (is_reported_ || most == 0 || queue.limit() != 0) {
      return;
    }
    const std::size_t number = queue.count_own_up_to(most + 1);
    if (number <= most) {
      until_look_ = static_cast<std::int32_t>((std::min)(latest, (std::max)(most - number, (most / 8) + 1)));
      return;
    }
    is_reported_ = true;
    try {
      const std::size_t all = queue.count_own_up_to((std::numeric_limits<std::size_t>::max)());
      topic<mailbox_report>::tell(mailbox_report(who.describe(), who.id(), all));
    } catch (...) {
      // Without memory nothing is reported.
    }
  }

  static bool is_traced(const process& who) noexcept {
    return who.get_lane()->simulated() && who.get_lane()->simulated()->is_traced();
  }

  bool is_hooked() const noexcept { return observer_ && observer_->hook; }
  bool is_told() const noexcept { return is_hooked() || is_tracing(); } // what happens, to somebody

  OTPP_NOINLINE void trace_message(const process& who, envelope* item, trace_event::kind what) noexcept {
    try {
      observer& its = observe();
      its.tag = item ? item->take_tag() : nullptr;
      its.message = item ? item->message_type() : std::string_view();
      its.is_call = item && !item->is_lost_silently();
      its.where = item ? item->where() : source_location();
      its.received = who.context().now();
      its.waited = its.tag ? its.received - its.tag->sent : duration::zero();
      is_timed_ = true;
      trace_event event = event_of(who, what);
      event.message = its.message;
      event.is_call = its.is_call;
      event.where = its.where;
      event.time = its.received;
      trace(who, std::move(event));
    } catch (...) {
      // Without memory nothing is traced.
    }
  }

  OTPP_NOINLINE void end_timed(const process& who, const exit_reason* reason) noexcept {
    using time_point = std::chrono::steady_clock::time_point;
    if (counters* its = counters_.load(std::memory_order_relaxed)) {
      its->end_handler(who.context().coarse_now());
    }
    if (!observer_) {
      return;
    }
    if (time_point since = std::exchange(observer_->handler_began, time_point()); since != time_point()) {
      observer_->counted.in_handlers += who.context().now() - since;
    }
    if (time_point since = std::exchange(observer_->received, time_point()); since != time_point()) {
      trace_event event = event_of(who, trace_event::kind::handled);
      event.message = observer_->message;
      event.is_call = observer_->is_call;
      event.where = observer_->where;
      event.reason = reason ? *reason : exit_reason::normal();
      event.time = who.context().now();
      event.ran = event.time - since;
      trace(who, std::move(event));
    }
  }

  static trace_event event_of(const process& who, trace_event::kind what) noexcept {
    trace_event made;
    made.what = what;
    made.id = who.id();
    made.type = who.type_name();
    return made;
  }

  // Tells those who want to know. The simulation's trace has no `handled`, which says nothing that is not followed by another
  // event.
  OTPP_NOINLINE void trace(const process& who, trace_event event, bool may_call = true) noexcept {
    const bool is_simulated = is_traced(who) && event.what != trace_event::kind::handled;
    const bool is_heard = may_call && is_told();
    if (!is_simulated && !is_heard) {
      return;
    }
    try {
      observer& its = observe();
      if (its.name.empty()) {
        its.name = who.describe();
      }
      event.server = its.name;
      if (event.time == std::chrono::steady_clock::time_point()) {
        event.time = who.context().now();
      }
      if (const message_tag* tag = its.tag.get(); tag && event.what != trace_event::kind::ended) {
        event.sequence = tag->sequence;
        event.from = tag->from;
        event.waited = its.waited;
        event.context = tag->context;
      }
      if (is_simulated) {
        who.get_lane()->simulated()->trace(event.text());
      }
      if (!is_heard) {
        return;
      }
      if (is_tracing()) {
        const trace_call now;
        topic<trace_event>::tell(event);
      }
      if (is_hooked()) {
        call_hook(who, event);
      }
    } catch (...) {
      // Without memory nothing is traced.
    }
  }

  void call_hook(const process& who, const trace_event& event) noexcept {
    try {
      observer_->hook(event);
    } catch (...) {
      observer_->hook = nullptr; // as OTP removes a debug function that fails
      update(who);
    }
  }

  bool is_on_;                  // somebody watches this process
  bool is_timed_ = false;       // a handler runs that is to be timed
  bool is_careful_ : 1 = false; // bits, because with one byte more each server would be larger
  bool is_reported_ : 1 = false;
  bool has_begun_ : 1 = false;
  std::int32_t until_look_ = 256;                // how many messages may be taken until then
  std::atomic<type_namer> current_{&no_message}; // null while the process sleeps
  std::atomic<counters*> counters_{nullptr};     // null until counted for the first time
  std::unique_ptr<observer> observer_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
