// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/server_name.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/dispatch/post_message.hpp>
#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/message.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <concepts>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace otpp {

namespace detail {

/// A message that is to be sent later, once or again and again.
///
/// It is armed in the heap of one room. While it is alive, that is until it fires for the last time, is
/// cancelled or loses its server, the heap and the server's list have one reference together. All that
/// changes stands under the room's lock, but for the message and the address: those belong to whoever
/// fires, from claim_expired() to the end of expire(), and to whoever ends it otherwise.
class timer_core : public deadline, public owned_timer, public counted<timer_core> {
 public:
  /// Without an `owner` it lives as long as the room of the lane. A period of zero is none.
  timer_core(intrusive_ptr<lane> here, server_core* owner, duration period)
      : lane_(std::move(here)), owner_(owner), period_(period) {
    if (owner) {
      owner->expect_relations();
    }
  }
  ~timer_core() override = default;

  void start(moment first) noexcept {
    bool is_started = false;
    context_guard inside(context());
    if (inside) {
      auto at = context().when_over(first);
      context().arm_if(*this, at, *lane_, [&]() noexcept {
        is_started = !owner_ || owner_->keep(*this);
        if (is_started) {
          is_alive_ = true;
          at_ = at;
          add_ref();
        }
        return is_started;
      });
    }
    if (!is_started) {
      let_go();
    }
  }

  std::optional<duration> cancel() noexcept {
    context_guard inside(context());
    return inside ? end() : std::nullopt;
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

 protected:
  /// Sends the message. Once at a time, in no lock.
  virtual void deliver() noexcept = 0;

  /// Destroys the message and the address.
  virtual void let_go() noexcept = 0;

 private:
  context_state& context() const noexcept { return lane_->context(); }

  duration left_at(time_point now) const noexcept { return (std::max)(at_ - now, duration::zero()); }

  // By who is inside the context.
  std::optional<duration> end() noexcept {
    std::optional<duration> left;
    bool is_ours = false;
    auto now = context().now();
    context().disarm_if(*this, [&]() noexcept {
      if (!is_alive_) {
        return false;
      }
      left = left_at(now);
      is_ours = !is_firing_; // else it is expire() that lets go
      unlist();
      return true;
    });
    if (left) {
      if (is_ours) {
        let_go();
      }
      release();
    }
    return left;
  }

  void unlist() noexcept {
    is_alive_ = false;
    if (owner_) {
      owner_->forget(*this);
    }
  }

  bool claim_expired() noexcept final {
    is_firing_ = true;
    if (period_ == duration::zero()) {
      unlist(); // and the reference goes to expire()
    } else {
      add_ref();
    }
    return true;
  }

  // In a turn of its context.
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
      let_go();
    }
    release();
  }

  // It does not drift; ticks that are late by a whole period are left out, rather than sent in a burst.
  time_point next_after(time_point now) const noexcept {
    duration late = now - at_;
    duration ahead = late < period_ ? period_ : late - late % period_ + period_;
    return ahead > (time_point::max)() - at_ ? (time_point::max)() : at_ + ahead;
  }

  // Nobody cancels it any more: the gate is closed.
  void context_gone() noexcept final {
    is_alive_ = false;
    let_go();
    release();
  }

  void retain() noexcept final { add_ref(); }
  void server_ended() noexcept final {
    end();
    release();
  }

  const intrusive_ptr<lane> lane_;
  server_core* const owner_; // there as long as this is in its list
  const duration period_;
  time_point at_{};
  bool is_alive_ = false;
  bool is_firing_ = false;
};

// Where a timer's message goes when its time has come.
struct timer_goal {
  intrusive_ptr<server_core> server;
  envelope::opener open = nullptr;
};

template <class M, class Callbacks>
timer_goal goal_of(const server_ref<Callbacks>& to) noexcept {
  return {to.core(), opener_of<server_core::verb::info, M, Callbacks>()};
}

template <class M, class Callbacks>
timer_goal goal_of(const server_name<Callbacks>& to) noexcept {
  timer_goal found{
      (to.in() ? *to.in() : registry::global()).find(to.name()),
      opener_of<server_core::verb::info, M, Callbacks>()};
  if (found.server && found.server->callbacks_type_info() != typeid(Callbacks)) {
    found.server = {};
  }
  return found;
}

template <class M>
timer_goal goal_of(const std::string& to) noexcept {
  timer_goal found{registry::global().find(to)};
  if (found.server) {
    found.open = found.server->find_opener(server_core::verb::info, typeid(M));
  }
  return found;
}

template <class Address>
source_location place_of_address(const Address& to) noexcept {
  if constexpr (is_typed_address<Address>) {
    return to.where();
  } else {
    return {};
  }
}

// A timer with its types. One that fires once has its letter ready; an interval copies its message.
template <class M, class Address, bool Repeats>
class timer_of final : public timer_core, public cached_memory {
 public:
  template <class Content>
  timer_of(intrusive_ptr<lane> here, server_core* owner, duration period, Address to, Content&& content)
      : timer_core(std::move(here), owner, period), to_(std::move(to)), where_(place_of_address(*to_)) {
    if constexpr (Repeats) {
      kept_.emplace(std::forward<Content>(content));
    } else {
      kept_ = make(std::forward<Content>(content));
    }
  }
  ~timer_of() override = default;

 private:
  using letter = letter_ptr<M>;

  letter make(M&& content) const { return letter(new plain_message<M>(nullptr, std::move(content), where_)); }

  void deliver() noexcept override {
    timer_goal goal = goal_of<M>(*to_);
    if (!goal.server || !goal.open) {
      return;
    }
    if constexpr (Repeats) {
      try {
        post(goal, make(M(*kept_)));
      } catch (...) {
        // No copy, no tick: there is nobody to tell.
      }
    } else {
      post(goal, std::move(kept_));
    }
  }

  static void post(const timer_goal& goal, letter what) noexcept {
    what->opens_by(goal.open);
    if (goal.server->template send<&mailbox::push_library_message>(*what) == mailbox::result::taken) {
      what.release();
    }
  }

  void let_go() noexcept override {
    kept_.reset();
    to_.reset();
  }

  std::optional<Address> to_;
  source_location where_;
  std::conditional_t<Repeats, std::optional<M>, letter> kept_;
};

// Where a timer for a name lives: with whoever arms it, or with the server that has the name now.
template <class M, class Address>
intrusive_ptr<lane> lane_for_timer(const Address& to) {
  if (turn* here = turn::current()) {
    return intrusive_ptr<lane>(&here->here());
  }
  timer_goal goal = goal_of<M>(to);
  if (!goal.server) {
    std::rethrow_exception(
        make_error(errc::no_process, "a timer, which is set outside of every context,", type_name<M>(), {}));
  }
  return goal.server->get_lane();
}

template <bool Repeats, class M, class Address>
intrusive_ptr<timer_core> make_timer(moment first, duration period, Address to, M&& content) {
  using timer = timer_of<M, Address, Repeats>;
  intrusive_ptr<lane> here;
  server_core* owner = nullptr;
  if constexpr (is_server_ref<Address>) {
    owner = to.core().get(); // which `to` keeps
    here = owner->get_lane();
  } else {
    here = lane_for_timer<M>(to);
  }
  intrusive_ptr<timer_core> made(
      new timer(std::move(here), owner, period, std::move(to), std::forward<M>(content)));
  made->start(first);
  return made;
}

} // namespace detail

/// A timer that was set with `send_after` or `send_interval`. OTP's timer reference.
///
/// A default-made one refers to no timer, and answers as one that is done.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading, and `cancel` reads.
///
/// @par Lifetime
/// May outlive the server, its context and the timer; destroying it cancels nothing.
class timer_ref {
 public:
  timer_ref() noexcept = default;

  // Made by the library.
  explicit timer_ref(detail::intrusive_ptr<detail::timer_core> timer) noexcept : timer_(std::move(timer)) {}

  /// Ends the timer, and returns how long it still had to the next message. Empty if there was none to
  /// come: it has fired, was cancelled before, or its server has ended. OTP's `erlang:cancel_timer/1`.
  ///
  /// Without a call to the server, O(log n). A message that was sent already stays in the mailbox.
  std::optional<duration> cancel() const noexcept { return timer_ ? timer_->cancel() : std::nullopt; }

  /// Returns how long it is to the next message. Empty if there is none to come. OTP's
  /// `erlang:read_timer/1`.
  std::optional<duration> remaining() const noexcept { return timer_ ? timer_->remaining() : std::nullopt; }

  friend bool operator==(const timer_ref&, const timer_ref&) noexcept = default;

 private:
  detail::intrusive_ptr<detail::timer_core> timer_;
};

namespace detail {

template <bool Repeats, class M, class Address, class Make>
timer_ref set_timer(moment first, duration period, Address&& to, Make make) {
  using address_type = std::decay_t<Address>;
  static_assert(check_sent<server_core::verb::info, M, address_type>());
  static_assert(
      !Repeats || std::copy_constructible<M>,
      "otpp: send_interval sends a copy each time, so that its message must be copyable");
  if constexpr (
      can_be_sent<server_core::verb::info, M, address_type>() && (!Repeats || std::copy_constructible<M>)) {
    if (Repeats && period <= duration::zero()) {
      throw std::invalid_argument("otpp: send_interval needs a period that is longer than zero");
    }
    return timer_ref(
        make_timer<Repeats, M>(first, period, kept_address<address_type>(std::forward<Address>(to)), make()));
  } else {
    return timer_ref();
  }
}

template <bool Repeats, class M, class Address, class... Args>
timer_ref set_timer_in_place(moment first, duration period, Address&& to, Args&&... args) {
  static_assert(makes<M, Args...>, "otpp: the message cannot be made from these arguments");
  return set_timer<Repeats, M>(first, period, std::forward<Address>(to), [&]() -> M {
    if constexpr (makes<M, Args...>) {
      return make_message<M>(std::forward<Args>(args)...);
    } else {
      std::terminate(); // never: the compiler has said why
    }
  });
}

template <bool Repeats, class Address, class Message>
timer_ref set_timer_with(moment first, duration period, Address&& to, Message&& content) {
  using M = std::decay_t<Message>;
  return set_timer<Repeats, M>(
      first, period, std::forward<Address>(to), [&] { return M(std::forward<Message>(content)); });
}

} // namespace detail

/// Sends a message to a server's `handle_info` when the time has come; builds it in place. OTP's
/// `erlang:send_after/3,4`.
///
/// The message is made now and takes no memory later. It needs no room in a mailbox with a limit, and never
/// waits. As everything that is sent, it comes after what is queued already. Zero and a time that has passed
/// send it as soon as the server's context comes round; `otpp::infinite` never does.
///
/// A timer for a `server_ref` ends with its server. A name is looked up when the time has come, as OTP does
/// it: whoever has it then gets the message, and if nobody has, or a server that does not take it, it is
/// dropped. Such a timer lives in the context of the handler that sets it, or of the coroutine that a verb
/// has resumed last on this thread; set anywhere else, in that of the server that has the name now. A timer
/// that is running counts as work of its context, as every timer does. O(log n) with n timers in the context.
///
/// @param when  How long from now, or a time of the steady clock. OTP's `[{abs, true}]`.
/// @param to    A `server_ref`, a `server_name`, or a string.
/// @param args  What the message is made of.
///
/// @par Errors
/// What the making of the message throws, and `std::bad_alloc`; then nothing is set. For a server that has
/// ended there is no error, and the timer is done at once. For a name that nobody has, where it is set
/// neither in a handler nor after a verb, so that no context is there to keep the timer: `errc::no_process`.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler. The server is not asked.
///
/// @par Lifetime
/// The returned reference may be dropped. A `server_name` views its text, which must be there when the time
/// has come; the text of a string is copied.
///
/// @par Example
/// @code
/// otpp::timer_ref timer = otpp::send_after<session::expired>(30s, otpp::self<session>());
/// ...
/// timer.cancel();
/// @endcode
template <class Message, detail::moment_like Moment, address Address, class... Args>
timer_ref send_after(Moment when, Address to, Args&&... args) {
  return detail::set_timer_in_place<false, Message>(
      when, duration::zero(), std::move(to), std::forward<Args>(args)...);
}

/// As above, with a message that is made already.
template <detail::moment_like Moment, address Address, class Message>
timer_ref send_after(Moment when, Address to, Message&& message) {
  return detail::set_timer_with<false>(when, duration::zero(), std::move(to), std::forward<Message>(message));
}

/// Sends a message to a server's `handle_info` again and again, first after one period; builds it in
/// place. OTP's `timer:send_interval/2,3`.
///
/// Each tick is a copy, made when it is due: if that fails, for want of memory or because the message's own
/// constructor throws, this tick is left out. The ticks do not drift: each is due one period after the one
/// before was, however late that came. Those that are late by a whole period are left out, so that there is
/// no burst after a pause.
///
/// It goes on until it is cancelled, its server ends, or, if it was set for a name, its context is
/// destroyed. All else as `send_after`.
///
/// @par Errors
/// As `send_after`; `std::invalid_argument` if the period is not longer than zero.
///
/// @par Thread safety
/// As `send_after`. The copies are made on the context's own threads, in no lock.
///
/// @par Lifetime
/// As `send_after`.
///
/// @par Example
/// @code
/// state init() {
///   otpp::timer_ref ticks = otpp::send_interval<tick>(1s, otpp::self<clock>());
///   return state{ticks};
/// }
/// @endcode
template <class Message, detail::timeout_like Period, address Address, class... Args>
timer_ref send_interval(Period period, Address to, Args&&... args) {
  duration each = detail::saturate(period);
  return detail::set_timer_in_place<true, Message>(each, each, std::move(to), std::forward<Args>(args)...);
}

/// As above, with a message that is made already.
template <detail::timeout_like Period, address Address, class Message>
timer_ref send_interval(Period period, Address to, Message&& message) {
  duration each = detail::saturate(period);
  return detail::set_timer_with<true>(each, each, std::move(to), std::forward<Message>(message));
}

/// As above, first at a time of the steady clock, from which the others are counted.
template <class Message, detail::time_like Time, detail::timeout_like Period, address Address, class... Args>
timer_ref send_interval(Time first, Period period, Address to, Args&&... args) {
  return detail::set_timer_in_place<true, Message>(
      first, detail::saturate(period), std::move(to), std::forward<Args>(args)...);
}

/// As above, with a message that is made already.
template <detail::time_like Time, detail::timeout_like Period, address Address, class Message>
timer_ref send_interval(Time first, Period period, Address to, Message&& message) {
  return detail::set_timer_with<true>(
      first, detail::saturate(period), std::move(to), std::forward<Message>(message));
}

} // namespace otpp
