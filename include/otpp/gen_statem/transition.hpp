// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_statem/detail/actions.hpp>
#include <otpp/gen_statem/states.hpp>
#include <otpp/message.hpp>
#include <otpp/outcome.hpp>
#include <otpp/timeout.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {
namespace detail {

// In place of the type of an answer: of a transition that has none yet, and of one that leaves the answer for later.
struct unanswered_yet {};
struct postponed_event {};

template <class R>
inline constexpr bool is_answer =
    !std::is_void_v<R> && !std::is_same_v<R, unanswered_yet> && !std::is_same_v<R, postponed_event>;
template <class R>
using answer_or_none = std::conditional_t<is_answer<R>, R, no_value>;

} // namespace detail

/// The timeouts that a result of a handler may set: the part that `transition`, `entry` and `initial` have in common.
///
/// A machine has one event timeout, one state timeout, and one timeout of each name; to set one again replaces it. The
/// message of a timeout comes to `handle_event`, as every message does. Of two settings of the same timeout the last
/// counts. A `when` is a duration, or a time of the steady clock. If it is over already, the timeout is over as soon as
/// the events that the machine has to handle anyway have been: those that were postponed and are tried again, and those
/// of `next_event`; but before any message in the mailbox. With `otpp::infinite` it is cancelled.
template <class Self, class Callbacks>
class sets_timeouts {
 public:
  /// Sends a message unless an event comes before. Every event cancels it, the machine's own events included.
  /// OTP's `{timeout, Time, Content}`.
  ///
  /// @param when     A duration from now, or a time of the steady clock.
  /// @param content  The message, for `handle_event`; moved.
  template <detail::moment_like Moment, message M>
  Self timeout(Moment when, M content) && {
    return std::move(*this).start(detail::timeout_kind::of_event, {}, when, std::move(content));
  }

  /// Sends a message unless the state changes before. OTP's `{state_timeout, Time, Content}`.
  ///
  /// @param when     A duration from now, or a time of the steady clock.
  /// @param content  The message, for `handle_event`; moved.
  template <detail::moment_like Moment, message M>
  Self state_timeout(Moment when, M content) && {
    return std::move(*this).start(detail::timeout_kind::of_state, {}, when, std::move(content));
  }

  /// Gives the state timeout another message, and leaves its time as it is; one that does not run is over at once, as in
  /// OTP. OTP's `{state_timeout, update, Content}`.
  ///
  /// @param content  The message in the place of the one that was set; moved.
  template <message M>
  Self update_state_timeout(M content) && {
    return std::move(*this).update(detail::timeout_kind::of_state, {}, std::move(content));
  }

  /// Cancels the state timeout. OTP's `{state_timeout, cancel}`.
  Self cancel_state_timeout() && { return std::move(*this).cancel(detail::timeout_kind::of_state, {}); }

  /// Sends a message, whatever comes before: only `cancel_timeout`, or setting the same name again, keeps it
  /// from coming. OTP's `{{timeout, Name}, Time, Content}`.
  ///
  /// @param name     Any text, by which this timeout is told from others.
  /// @param when     A duration from now, or a time of the steady clock.
  /// @param content  The message, for `handle_event`; moved.
  template <detail::moment_like Moment, message M>
  Self timeout(std::string name, Moment when, M content) && {
    return std::move(*this).start(detail::timeout_kind::named, std::move(name), when, std::move(content));
  }

  /// Gives a timeout another message, as `update_state_timeout` does. OTP's `{{timeout, Name}, update,
  /// Content}`.
  ///
  /// @param name     The timeout; one that does not run is over at once.
  /// @param content  The message in the place of the one that was set; moved.
  template <message M>
  Self update_timeout(std::string name, M content) && {
    return std::move(*this).update(detail::timeout_kind::named, std::move(name), std::move(content));
  }

  /// Cancels a timeout. OTP's `{{timeout, Name}, cancel}`.
  ///
  /// @param name  The timeout. Has no effect if it does not run.
  Self cancel_timeout(std::string name) && {
    return std::move(*this).cancel(detail::timeout_kind::named, std::move(name));
  }

 private:
  friend Self;
  sets_timeouts() = default;

  template <class M>
  Self start(detail::timeout_kind kind, std::string&& name, detail::moment when, M&& content) && {
    return std::move(*this).add(
        {detail::timeout_request::act::start, kind, std::move(name), when,
         detail::make_own_event<Callbacks>(std::move(content))});
  }
  template <class M>
  Self update(detail::timeout_kind kind, std::string&& name, M&& content) && {
    return std::move(*this).add(
        {detail::timeout_request::act::update,
         kind,
         std::move(name),
         {},
         detail::make_own_event<Callbacks>(std::move(content))});
  }
  Self cancel(detail::timeout_kind kind, std::string&& name) && {
    return std::move(*this).add({detail::timeout_request::act::cancel, kind, std::move(name), {}, nullptr});
  }
  Self add(detail::timeout_request one) && {
    auto& self = static_cast<Self&>(*this);
    self.step_.its_actions().timeouts.push_back(std::move(one));
    return std::move(self);
  }
};

/// What a handler of a state machine decides: the next state, the answer to its call, timeouts, events of its own.
///
/// Inside of a callbacks class it is `transition<R>`, with the `reply_type` of a call, or `transition<>` for all else.
/// It is made by `next_state(state)`, `keep_state()`, `repeat_state()` or `postpone()`, to which more may be added; or
/// from an answer, which keeps the state; from `otpp::stop(reason)`, `otpp::stop(reason, value)` or `otpp::fail(error)`. A
/// default-constructed `transition<>` keeps the state. A transition in answer to a call says `.reply(value)`, and the
/// compiler refuses one that does not, unless it is postponed or the call's answer is `void`: that is given without being
/// said. OTP's results and actions of a state callback.
///
/// @par Example
/// @code
/// transition<bool> handle_event(push, in_state<state::locked>, data& d) {
///   return next_state(state::open).reply(true).state_timeout(10s, lock());
/// }
/// @endcode
template <class Callbacks, class State, class R = void>
class transition : public sets_timeouts<transition<Callbacks, State, R>, Callbacks> {
 public:
  /// Keeps the state, and answers a call whose answer is `void`.
  transition()
    requires(!detail::is_answer<R>)
  = default;

  /// Answers, and keeps the state.
  ///
  /// @param value  The answer, converted to `R`; moved if it is a temporary.
  template <class U>
    requires(
        detail::is_answer<R> && std::convertible_to<U, detail::answer_or_none<R>> &&
        !std::same_as<std::remove_cvref_t<U>, transition>)
  transition(U&& value) : value_(std::in_place, std::forward<U>(value)) {
    static_assert(detail::check_answer<U, detail::answer_or_none<R>>());
  }

  /// Ends the machine. OTP's `stop`, and `stop_and_reply` for the answer of the event itself; for others see
  /// `otpp::caller`.
  ///
  /// @param stop  What `otpp::stop` returns: the reason, and the answer, if it has one, which is sent after
  ///              the end.
  template <class U>
    requires(std::is_void_v<U> || std::convertible_to<U, detail::answer_or_none<R>>)
  transition(stopping<U> stop) {
    step_.kind = detail::step_kind::stop;
    step_.its_actions().reason = std::move(detail::access::reason(stop));
    if constexpr (!std::is_void_v<U>) {
      static_assert(detail::check_answer<U, detail::answer_or_none<R>>());
      value_.emplace(std::move(*detail::access::value(stop)));
    }
  }

  /// Answers a call with an exception, and keeps the state. Where there is no call, the machine ends with the exception.
  ///
  /// @param error  What `otpp::fail` returns.
  transition(failure error) {
    step_.kind = detail::step_kind::fail;
    step_.its_actions().error = std::move(detail::access::error(error));
  }

  /// Converts what has no answer yet for a call of `void` or no call, what is postponed for every call, and an answer of
  /// another type that converts.
  ///
  /// @param other  What `next_state` and the like return; moved.
  template <class Other>
    requires(
        !std::is_same_v<Other, R> &&
        (std::is_same_v<Other, detail::postponed_event> || std::is_void_v<R> ||
         (detail::is_answer<Other> && detail::is_answer<R> && std::convertible_to<Other, R>)) &&
        !(std::is_void_v<R> && detail::is_answer<Other>))
  transition(transition<Callbacks, State, Other> other) : step_(std::move(detail::access::state(other))) {
    if constexpr (detail::is_answer<Other>) {
      static_assert(detail::check_answer<Other, R>());
      if (detail::access::value(other)) {
        value_.emplace(std::move(*detail::access::value(other)));
      }
    }
  }

  /// Answers the call. OTP's `{reply, From, Reply}` for the call that is handled; others are answered by their `caller`.
  ///
  /// @param value  The answer; it must convert to the `reply_type` of the call.
  template <class Value>
    requires std::is_same_v<R, detail::unanswered_yet>
  auto reply(Value&& value) && {
    transition<Callbacks, State, std::decay_t<Value>> made(std::forward<Value>(value));
    detail::access::state(made) = std::move(step_);
    return made;
  }

  /// Handles this event again when the state has changed: after the events of `next_event`, before what is in the
  /// mailbox, and in the order in which the events had come. If this transition changes the state, that is at once. A
  /// postponed call is answered then; if the machine ends before, its caller gets `errc::exited` with the reason.
  ///
  /// The message must still be whole: a handler that returns a `transition` gets it by `const` reference, so that one that
  /// takes it by value works on a copy. A handler of a message that cannot be copied takes it by `const` reference; to
  /// postpone what was moved away ends the machine. OTP's `postpone`.
  auto postpone() &&
      requires(!detail::is_answer<R>) {
        transition<Callbacks, State, detail::postponed_event> made;
        detail::access::state(made) = std::move(step_);
        detail::access::state(made).is_postponed = true;
        return made;
      }

      /// Inserts an event that is handled next, before all that is queued or postponed. Several are handled in their order.
      /// OTP's `{next_event, internal, Content}`; the other types of event are messages here, and need no word of their own.
      ///
      /// @param content  The event, for `handle_event`; moved.
      template <message M>
      transition next_event(M content) && {
    step_.its_actions().events.push_back(*detail::make_own_event<Callbacks>(std::move(content)).release());
    return std::move(*this);
  }

 private:
  friend struct detail::access;
  template <class, class>
  friend class sets_timeouts;

  detail::step<State>& state() noexcept { return step_; }
  std::optional<detail::answer_or_none<R>>& value() noexcept { return value_; }

  detail::step<State> step_;
  std::optional<detail::answer_or_none<R>> value_;
};

/// What `handle_enter` may decide: timeouts, or to stop. It must not change the state, postpone, or insert events, as in
/// OTP, so that there is no word for these here. Inside of a callbacks class it is `entry`.
template <class Callbacks, class State>
class state_entry : public sets_timeouts<state_entry<Callbacks, State>, Callbacks> {
 public:
  /// Decides nothing.
  state_entry() = default;

  /// Ends the machine.
  ///
  /// @param stop  What `otpp::stop` returns, with the reason.
  state_entry(stopping<> stop) {
    step_.kind = detail::step_kind::stop;
    step_.its_actions().reason = std::move(detail::access::reason(stop));
  }

 private:
  friend struct detail::access;
  template <class, class>
  friend class sets_timeouts;

  detail::step<State>& state() noexcept { return step_; }

  detail::step<State> step_;
};

/// What `init` of a state machine may return to say more than the first state and the data: timeouts, events, or that the
/// machine is not to run. Inside of a callbacks class it is `initial`. OTP's `{ok, State, Data, Actions}`, `ignore` and
/// `{stop, Reason}`.
template <class Callbacks, class State, class Data>
class initial_state : public sets_timeouts<initial_state<Callbacks, State, Data>, Callbacks> {
 public:
  /// The machine begins in a state, whose `handle_enter` is called first, after `start` has completed.
  ///
  /// @param in    The first state; moved.
  /// @param with  The data; moved.
  initial_state(State in, Data with) : begin_(std::in_place, std::move(in), std::move(with)) {}

  /// The machine is not to run: `start` fails with `errc::ignored`.
  initial_state(ignore_t) noexcept {}

  /// The machine cannot run.
  ///
  /// @param stop  What `otpp::stop` returns: `start` fails with the reason's exception, or with
  ///              `errc::exited` if it has none.
  initial_state(stopping<> stop) {
    step_.kind = detail::step_kind::stop;
    step_.its_actions().reason = std::move(detail::access::reason(stop));
  }

  /// Inserts an event that is handled before the mailbox, as `transition::next_event` does.
  ///
  /// @param content  The event, for `handle_event`; moved.
  template <message M>
  initial_state next_event(M content) && {
    step_.its_actions().events.push_back(*detail::make_own_event<Callbacks>(std::move(content)).release());
    return std::move(*this);
  }

 private:
  friend struct detail::access;
  template <class, class>
  friend class sets_timeouts;

  detail::step<State>& state() noexcept { return step_; }
  std::optional<state_and_data<State, Data>>& value() noexcept { return begin_; }

  detail::step<State> step_;
  std::optional<state_and_data<State, Data>> begin_;
};

} // namespace otpp

#pragma GCC visibility pop
