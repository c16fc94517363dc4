// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/timer_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/timeout.hpp>

#include <optional>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// A timer that was set with `send_after` or `send_interval`. OTP's timer reference.
///
/// A default-constructed or moved-from one refers to no timer: it converts to false, and behaves like a timer
/// that is done (docs/architecture.md, "Handles").
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe for reading, and `cancel` reads.
///
/// @par Lifetime
/// May outlive the server, its context and the timer; destroying it cancels nothing.
class timer_ref {
 public:
  timer_ref() noexcept = default;

  /// Ends the timer, and returns the time that was left until its next message. Empty if no message was to
  /// come: the timer has fired, was cancelled before, or its server has ended. OTP's `erlang:cancel_timer/1`.
  ///
  /// Does not call the server; O(log n). A message that was already sent stays in the mailbox.
  std::optional<duration> cancel() const noexcept { return timer_ ? timer_->cancel() : std::nullopt; }

  /// Returns the time until the next message. Empty if no message is to come. OTP's `erlang:read_timer/1`.
  std::optional<duration> remaining() const noexcept { return timer_ ? timer_->remaining() : std::nullopt; }

  /// False if it refers to no timer.
  explicit operator bool() const noexcept { return static_cast<bool>(timer_); }

  friend bool operator==(const timer_ref&, const timer_ref&) noexcept = default;

 private:
  friend struct detail::access;

  explicit timer_ref(detail::intrusive_ptr<detail::timer_core> timer) noexcept : timer_(std::move(timer)) {}

  detail::intrusive_ptr<detail::timer_core> timer_;
};

/// Sends a message to a server's `handle_info` when the time has come; builds it in place. OTP's
/// `erlang:send_after/3,4`.
///
/// The message is created now and needs no memory later. It needs no room in a mailbox with a limit, and
/// never waits. Like every message, it is queued behind earlier ones. Zero, or a time that has passed, sends
/// it as soon as the server's context runs; `otpp::infinite` never sends it.
///
/// A timer for a `server_ref` or a `pid` ends with its server. Any other address is resolved when the time
/// has come, as OTP does with a name: the process that has the name then gets the message, and if there is
/// none, or its server does not take the message, it is dropped. Such a timer belongs to the context of the
/// handler that sets it, or of the coroutine that a verb resumed last on this thread; otherwise to the
/// context of the server that has the name now. It goes with that context, wherever the server is that has the
/// name by then; a timer that must not is set for a `server_ref`. A running timer counts as outstanding work of its context.
/// O(log n) with n timers in the context.
///
/// @param when  A duration from now, or a time of the steady clock. OTP's `[{abs, true}]`.
/// @param to    Any `address`.
/// @param args  The arguments from which the message is constructed.
///
/// @par Errors
/// Any exception from constructing the message, and `std::bad_alloc`; then nothing is set. For a server that
/// has ended there is no error, and the timer is done at once. `errc::no_process` for nobody, as `pid()` is;
/// and for a name that no process has, if the timer is set neither in a handler nor after a verb, so that
/// there is no context to which it could belong. `errc::bad_message` for a `pid` of a server that does not
/// take the message.
///
/// @par Thread safety
/// Safe from any thread, and from inside any handler. Does not call the server.
///
/// @par Lifetime
/// The returned reference may be destroyed. A `server_name` and a `via` view their text and registry, which
/// must still exist when the timer fires; the text of a string is copied.
///
/// @par Example
/// @code
/// otpp::timer_ref timer = otpp::send_after<session::expired>(30s, otpp::self<session>());
/// ...
/// timer.cancel();
/// @endcode
template <class Message, detail::moment_like Moment, class Address, class... Args>
timer_ref send_after(Moment when, Address to, Args&&... args) {
  return detail::access::make<timer_ref>(detail::set_timer_in_place<false, Message>(
      when, duration::zero(), std::move(to), std::forward<Args>(args)...));
}

/// Sends an existing message after a time.
template <detail::moment_like Moment, address Address, class Message>
timer_ref send_after(Moment when, Address to, Message&& message) {
  return detail::access::make<timer_ref>(
      detail::set_timer_with<false>(when, duration::zero(), std::move(to), std::forward<Message>(message)));
}

/// Sends a message to a server's `handle_info` periodically, first after one period; builds it in place.
/// OTP's `timer:send_interval/2,3`.
///
/// Each tick is a copy that is made when it is due; if copying throws, this tick is skipped. The ticks do not
/// drift: each is due one period after the previous one was due, however late that came. Ticks that are late
/// by a whole period are skipped, so that there is no burst after a pause.
///
/// It continues until it is cancelled, its server ends, or, if it was set for a name, its context is
/// destroyed. All else as `send_after`.
///
/// @par Errors
/// As `send_after`; `std::invalid_argument` if the period is not longer than zero.
///
/// @par Thread safety
/// As `send_after`. The copies are made on the context's threads, without a lock held.
///
/// @par Example
/// @code
/// state init() {
///   otpp::timer_ref ticks = otpp::send_interval<tick>(1s, otpp::self<clock>());
///   return state{ticks};
/// }
/// @endcode
template <class Message, detail::timeout_like Period, class Address, class... Args>
timer_ref send_interval(Period period, Address to, Args&&... args) {
  duration each = detail::saturate(period);
  return detail::access::make<timer_ref>(
      detail::set_timer_in_place<true, Message>(each, each, std::move(to), std::forward<Args>(args)...));
}

/// Sends an existing message periodically.
template <detail::timeout_like Period, address Address, class Message>
timer_ref send_interval(Period period, Address to, Message&& message) {
  duration each = detail::saturate(period);
  return detail::access::make<timer_ref>(
      detail::set_timer_with<true>(each, each, std::move(to), std::forward<Message>(message)));
}

/// Sends a message periodically, first at a time of the steady clock, from which the others are counted.
template <class Message, detail::time_like Time, detail::timeout_like Period, class Address, class... Args>
timer_ref send_interval(Time first, Period period, Address to, Args&&... args) {
  return detail::access::make<timer_ref>(detail::set_timer_in_place<true, Message>(
      first, detail::saturate(period), std::move(to), std::forward<Args>(args)...));
}

/// Sends an existing message periodically, first at a time of the steady clock.
template <detail::time_like Time, detail::timeout_like Period, address Address, class Message>
timer_ref send_interval(Time first, Period period, Address to, Message&& message) {
  return detail::access::make<timer_ref>(detail::set_timer_with<true>(
      first, detail::saturate(period), std::move(to), std::forward<Message>(message)));
}

} // namespace otpp

#pragma GCC visibility pop
