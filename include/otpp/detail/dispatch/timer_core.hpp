// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/asio.hpp>
#include <otpp/detail/dispatch/check.hpp>
#include <otpp/detail/dispatch/make_message.hpp>
#include <otpp/detail/dispatch/post_message.hpp>
#include <otpp/detail/dispatch/resolve.hpp>
#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/detail/util/type_name.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/message.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// When a timer fires again: after each period, or never if that is zero.
struct repetition {
  duration period{};
  bool even_if_queued = false; // otherwise at most one of its messages is in a mailbox
};

// A message that is to be sent later, once or periodically.
//
// It is armed in the deadline heap of one context. Until it fires for the last time, is cancelled or its
// server ends, the heap and the server's list together hold one reference. All mutable state is guarded by
// the context's lock, except the message and the address: these belong to the thread that fires the timer,
// from claim_expired() to the end of expire(), and otherwise to the thread that ends it.
class timer_core : public deadline, public owned_timer, public counted<timer_core> {
 public:
  // Without an `owner` it lives as long as the context of the lane.
  timer_core(intrusive_ptr<lane> here, server_core* owner, repetition again)
      : lane_(std::move(here)), owner_(owner), period_(again.period), even_if_queued_(again.even_if_queued) {
    if (owner) {
      relations::of(*owner);
    }
  }
  ~timer_core() override = default;

  void start(moment first) noexcept {
    bool is_started = false;
    {
      context_guard inside(context());
      if (inside) {
        auto at = context().when_over(first);
        context().arm_if(*this, at, *lane_, [&]() noexcept {
          is_started = !owner_ || owner_->related()->add(*this);
          if (is_started) {
            is_alive_ = true;
            at_ = at;
            add_ref();
          }
          return is_started;
        });
      }
    }
    if (!is_started) {
      discard_content(); // in no gate: the message may own the context
    }
  }

  std::optional<duration> cancel() noexcept {
    ending how;
    {
      context_guard inside(context());
      if (inside) {
        how = end();
      }
    }
    conclude(how); // in no gate: the message may own the context
    return how.left;
  }

  std::optional<duration> remaining() noexcept {
    context_guard inside(context());
    if (!inside) {
      return std::nullopt;
    }
    auto now = context().now();
    std::lock_guard lock(context().mutex());
    return is_alive_ ? std::optional(left_at(now)) : std::nullopt;
  }

  // A tick that was sent is in a mailbox, or has left it. Set by the thread that fires the timer, and reset by
  // whoever takes the tick out.
  void tick_is_queued(bool is) noexcept { is_tick_queued_.store(is, std::memory_order_relaxed); }

 protected:
  // Returns true if the tick that is due is left out, because the last one is still queued.
  bool leaves_out_tick() const noexcept {
    return !even_if_queued_ && is_tick_queued_.load(std::memory_order_relaxed);
  }

  // Sends the message. Never called concurrently with itself, nor under a lock.
  virtual void deliver() noexcept = 0;

  // Destroys the message and the address.
  virtual void discard_content() noexcept = 0;

 private:
  context_state& context() const noexcept { return lane_->context(); }

  duration left_at(time_point now) const noexcept { return (std::max)(at_ - now, duration::zero()); }

  struct ending {
    std::optional<duration> left;
    bool is_ours = false; // otherwise expire() destroys the message
  };

  // Takes it off the lists. Precondition: the thread is inside the context.
  ending end() noexcept {
    ending how;
    auto now = context().now();
    context().disarm_if(*this, *lane_, [&]() noexcept {
      if (!is_alive_) {
        return false;
      }
      how.left = left_at(now);
      how.is_ours = !is_firing_;
      erase();
      return true;
    });
    return how;
  }

  void conclude(const ending& how) noexcept {
    if (how.is_ours) {
      discard_content();
    }
    if (how.left) {
      release();
    }
  }

  void erase() noexcept {
    is_alive_ = false;
    if (owner_) {
      owner_->related()->erase(*this);
    }
  }

  bool claim_expired() noexcept final {
    is_firing_ = true;
    if (period_ == duration::zero()) {
      erase(); // and the reference goes to expire()
    } else {
      add_ref();
    }
    return true;
  }

  // Called in a turn of its context.
  void expire() noexcept final {
    deliver();
    bool is_armed = false;
    if (period_ != duration::zero()) {
      time_point next = next_after(context().now());
      context().arm_if(*this, next, *lane_, [&]() noexcept {
        is_firing_ = false;
        is_armed = is_alive_;
        at_ = next;
        return is_armed;
      });
    }
    if (!is_armed) {
      discard_content();
    }
    release();
  }

  // Returns the next time after a tick. Ticks do not drift; those that are late by a whole period are
  // skipped, not sent in a burst.
  time_point next_after(time_point now) const noexcept {
    duration late = now - at_;
    duration ahead = late < period_ ? period_ : late - late % period_ + period_;
    return at_ > (time_point::max)() - ahead ? (time_point::max)() : at_ + ahead;
  }

  // No thread can cancel it concurrently, because the gate is closed.
  void on_deadlines_destroyed() noexcept final {
    is_alive_ = false;
    discard_content();
    release();
  }

  void retain() noexcept final { add_ref(); }
  void server_ended() noexcept final {
    conclude(end());
    release();
  }

  const intrusive_ptr<lane> lane_;
  server_core* const owner_; // alive as long as this is in its list
  const duration period_;
  const bool even_if_queued_;
  std::atomic<bool> is_tick_queued_{false};
  time_point at_;
  bool is_alive_ = false;
  bool is_firing_ = false;
};

// A tick of an interval in transit, which tells its timer when it leaves the mailbox: when its handler begins, or when it
// is destroyed.
template <class M>
class tick_message final : public message_envelope<M>, public cached_memory {
 public:
  tick_message(envelope::opener how, M&& content, source_location where, intrusive_ptr<timer_core> from)
      : message_envelope<M>(&open_tick, std::move(content), where), handle_(how), from_(std::move(from)) {
    from_->tick_is_queued(true);
  }

  void fail_unhandled(server_core&, const exit_reason&) noexcept override { delete this; }
  void discard_message() noexcept override { delete this; }
  bool is_lost_silently() const noexcept override { return true; }

 private:
  ~tick_message() override { leave(); }

  static void open_tick(server_core& server, envelope& item) {
    auto& self = static_cast<tick_message&>(item);
    self.leave();
    self.handle_(server, item);
  }

  void leave() noexcept {
    if (from_) {
      from_->tick_is_queued(false);
      from_ = {};
    }
  }

  const envelope::opener handle_;
  intrusive_ptr<timer_core> from_; // until it has left the mailbox
};

// A timer with its types. A single-shot timer has its message allocated in advance; an interval copies its
// message.
template <class M, class Address, bool Repeats>
class timer_of final : public timer_core, public cached_memory {
 public:
  template <class Content>
  timer_of(
      intrusive_ptr<lane> here, server_core* owner, repetition again, Address to, source_location where,
      Content&& content)
      : timer_core(std::move(here), owner, again), to_(std::move(to)), where_(where) {
    if constexpr (Repeats) {
      kept_.emplace(std::forward<Content>(content));
    } else {
      kept_.reset(new plain_message<M>(nullptr, std::forward<Content>(content), where_));
    }
  }
  ~timer_of() override = default;

 private:
  void deliver() noexcept override {
    if (leaves_out_tick()) {
      return;
    }
    destination goal =
        resolve_for<server_core::verb::info, M>(Address(*to_), purpose()); // errors are not reported
    if (!goal.server) {
      return;
    }
    if constexpr (Repeats) {
      try {
        post(
            goal,
            envelope_ptr(new tick_message<M>(goal.open, M(*kept_), where_, intrusive_ptr<timer_core>(this))));
      } catch (...) {
        // A message that cannot be copied is skipped: there is no caller to tell.
      }
    } else {
      kept_->opens_by(goal.open);
      post(goal, envelope_ptr(kept_.release()));
    }
  }

  static void post(const destination& goal, envelope_ptr what) noexcept {
    if (goal.server->template send<&mailbox::push_library_message>(*what) == mailbox::result::taken) {
      what.release();
    }
  }

  void discard_content() noexcept override {
    kept_.reset();
    to_.reset();
  }

  std::optional<Address> to_;
  source_location where_;
  std::conditional_t<Repeats, std::optional<M>, plain_message_ptr<M>> kept_;
};

// Sets a timer. One for a process is owned by that process, so a missing process is reported now. So is an interval for
// a name: as in OTP it ends with the process that has the name now, although each tick is sent to the process that has
// it then. A single message for a name has no owner; its context is the caller's, or else that of the process that has the
// name now.
template <bool Repeats, class M, class Address>
intrusive_ptr<timer_core> make_timer(
    moment first, repetition again, Address to, source_location where, M&& content) {
  using timer = timer_of<M, Address, Repeats>;
  constexpr std::string_view verb = Repeats ? "send_interval" : "send_after";
  intrusive_ptr<lane> here;
  destination target;
  constexpr bool is_owned = Repeats || process_address<Address>;
  if constexpr (is_owned) {
    target = resolve_for<server_core::verb::info, M>(Address(to), {verb, &type_name<M>, false});
  } else if (turn* current = turn::current()) {
    here = intrusive_ptr<lane>(&current->here());
  } else {
    target = resolve(Address(to), {"a timer, which is set outside of every context,", &type_name<M>, false});
  }
  if (target.error) {
    std::rethrow_exception(std::move(target.error));
  }
  if (!here) {
    here = target.server->get_lane();
  }
  server_core* owner = is_owned ? target.server.get() : nullptr; // kept alive by `target`
  intrusive_ptr<timer_core> made(
      new timer(std::move(here), owner, again, std::move(to), where, std::forward<M>(content)));
  made->start(first);
  return made;
}

template <bool Repeats, class M, class Address, class Make>
intrusive_ptr<timer_core> set_timer(moment first, repetition again, Address&& to, Make make) {
  static_assert(
      !Repeats || std::copy_constructible<M>,
      "otpp: send_interval sends a copy each time, so that its message must be copyable");
  if constexpr (
      check_sent<server_core::verb::info, M, Address>() && (!Repeats || std::copy_constructible<M>)) {
    if (Repeats && again.period <= duration::zero()) {
      throw std::invalid_argument("otpp: send_interval needs a period that is longer than zero");
    }
    source_location where;
    if constexpr (requires { to.where(); }) {
      where = to.where();
    }
    return make_timer<Repeats, M>(first, again, kept_address<Address>(std::move(to)), where, make());
  } else {
    return {};
  }
}

template <bool Repeats, class M, class Address, class... Args>
intrusive_ptr<timer_core> set_timer_in_place(moment first, repetition again, Address&& to, Args&&... args) {
  static_assert(makes<M, Args...>, "otpp: the message cannot be made from these arguments");
  if constexpr (makes<M, Args...>) {
    return set_timer<Repeats, M>(
        first, again, std::move(to), [&] { return make_message<M>(std::forward<Args>(args)...); });
  } else {
    return {};
  }
}

template <bool Repeats, class Address, class Message>
intrusive_ptr<timer_core> set_timer_with(moment first, repetition again, Address&& to, Message&& content) {
  using M = std::decay_t<Message>;
  return set_timer<Repeats, M>(
      first, again, std::move(to), [&] { return M(std::forward<Message>(content)); });
}

} // namespace otpp::detail

#pragma GCC visibility pop
