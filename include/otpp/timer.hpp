// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/detail/dispatch/timer_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/timeout.hpp>

#include <concepts>
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

/// The period of an interval, for `send_interval` with other than the default.
///
/// @par Example
/// @code
/// otpp::send_interval<sample>(otpp::every(10ms).even_if_queued(), recorder);
/// @endcode
class every {
 public:
  /// A period with the defaults.
  ///
  /// @param period  Between two ticks; with one that is not longer than zero `send_interval` throws
  ///                std::invalid_argument.
  template <detail::timeout_like Duration>
  explicit constexpr every(Duration period) noexcept {
    again_.period = detail::saturate(period);
  }

  /// Sends a tick even if the last one is still in the mailbox. A server that is slower than its ticks then
  /// has more and more of them in its mailbox, as in OTP.
  constexpr every& even_if_queued() & noexcept {
    again_.even_if_queued = true;
    return *this;
  }
  constexpr every even_if_queued() && noexcept { return even_if_queued(); }

 private:
  friend struct detail::access;

  constexpr const detail::repetition& again() const noexcept { return again_; }

  detail::repetition again_;
};

namespace detail {

template <class T>
concept period_like = timeout_like<T> || std::same_as<T, every>;

constexpr repetition repetition_of(const every& period) noexcept { return access::again(period); }
template <timeout_like Duration>
constexpr repetition repetition_of(Duration period) noexcept {
  return repetition_of(every(period));
}

} // namespace detail

/// Sends a message to a server's `handle_info` when the time has come; builds it in place. OTP's
/// `erlang:send_after/3,4`.
///
/// The message is created now and needs no memory later. It needs no room in a mailbox with a limit, and
/// never waits. Like every message, it is queued behind earlier ones. Zero, or a time that has passed, sends
/// it as soon as the server's context runs; `otpp::infinite` never sends it.
///
/// A timer for a `server_ref` or a `pid` ends with its server. Any other address is resolved when the time
/// has come, as OTP does with a name: the process that has the name then gets the message, be it the successor
/// of the server that has set the timer, and if there is none, or its server does not take the message, it is dropped.
/// Such a timer belongs to the context of the handler that sets it, or of the coroutine that a verb resumed last on this
/// thread; otherwise to the context of the server that has the name now. It goes with that context, wherever the
/// server is that has the name by then; a timer that must not is set for a `server_ref`. A running timer counts as outstanding work of its context.
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
      when, detail::repetition(), std::move(to), std::forward<Args>(args)...));
}

/// Sends an existing message after a time. All else as above.
///
/// @param when     As above.
/// @param to       As above.
/// @param message  Moved if it is a temporary, otherwise copied, now.
template <detail::moment_like Moment, address Address, class Message>
timer_ref send_after(Moment when, Address to, Message&& message) {
  return detail::access::make<timer_ref>(detail::set_timer_with<false>(
      when, detail::repetition(), std::move(to), std::forward<Message>(message)));
}

/// Sends a message to a server's `handle_info` periodically, first after one period; builds it in place.
/// OTP's `timer:send_interval/2,3`.
///
/// Each tick is a copy that is made when it is due; if copying throws, this tick is skipped. The ticks do not
/// drift: each is due one period after the previous one was due, however late that came. Ticks that are late
/// by a whole period are skipped, so that there is no burst after a pause.
///
/// At most one tick is in the mailbox: one that is due while the last one still waits there is left out, so that a
/// server that is slower than its ticks does not fall behind. In OTP they pile up; `every(period).even_if_queued()` does
/// that. Neither is an error.
///
/// It continues until it is cancelled, or its server ends. That is so for every address: an interval for a name, or
/// for another address that may mean someone else later, ends with the process that it means when it is set, so that a
/// server that sets one in `init` does not leave it behind when it is restarted. Each tick is sent to the process that
/// the address means then, which differs only if a name is given away by a server that lives on. All else as `send_after`.
///
/// @param period  Between two ticks, and before the first: a duration, or an `every`.
/// @param to      Any `address`; the interval ends with the process that it means now.
/// @param args    The arguments from which the message is constructed, of which each tick is a copy.
///
/// @par Errors
/// As `send_after`; `std::invalid_argument` if the period is not longer than zero; `errc::no_process` for a name that
/// no process has, `errc::bad_message` if its server does not take the message.
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
template <class Message, detail::period_like Period, class Address, class... Args>
timer_ref send_interval(Period period, Address to, Args&&... args) {
  return detail::access::make<timer_ref>(detail::set_timer_in_place<true, Message>(
      detail::repetition_of(period).period, detail::repetition_of(period), std::move(to),
      std::forward<Args>(args)...));
}

/// Sends an existing message periodically. All else as above.
///
/// @param period   As above.
/// @param to       As above.
/// @param message  Moved if it is a temporary, otherwise copied, now; each tick is a copy of it.
template <detail::period_like Period, address Address, class Message>
timer_ref send_interval(Period period, Address to, Message&& message) {
  return detail::access::make<timer_ref>(detail::set_timer_with<true>(
      detail::repetition_of(period).period, detail::repetition_of(period), std::move(to),
      std::forward<Message>(message)));
}

/// Sends a message periodically, first at a given time, from which the others are counted; builds it in
/// place. All else as above.
///
/// @param first   When the first tick is due: a time of the steady clock.
/// @param period  Between two ticks: a duration, or an `every`.
/// @param to      As above.
/// @param args    The arguments from which the message is constructed, of which each tick is a copy.
template <class Message, detail::time_like Time, detail::period_like Period, class Address, class... Args>
timer_ref send_interval(Time first, Period period, Address to, Args&&... args) {
  return detail::access::make<timer_ref>(detail::set_timer_in_place<true, Message>(
      first, detail::repetition_of(period), std::move(to), std::forward<Args>(args)...));
}

/// Sends an existing message periodically, first at a given time. All else as above.
///
/// @param first    When the first tick is due: a time of the steady clock.
/// @param period   Between two ticks: a duration, or an `every`.
/// @param to       As above.
/// @param message  Moved if it is a temporary, otherwise copied, now; each tick is a copy of it.
template <detail::time_like Time, detail::period_like Period, address Address, class Message>
timer_ref send_interval(Time first, Period period, Address to, Message&& message) {
  return detail::access::make<timer_ref>(detail::set_timer_with<true>(
      first, detail::repetition_of(period), std::move(to), std::forward<Message>(message)));
}

} // namespace otpp

#pragma GCC visibility pop
