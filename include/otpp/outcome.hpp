// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/next_action.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/detail/util/narrowing.hpp>
#include <otpp/error.hpp> // first: g++ 12 says with -Wshadow that errc::no_reply shadows no_reply
#include <otpp/exit_reason.hpp>
#include <otpp/message.hpp>

#include <asio/awaitable.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The type of `no_reply`.
struct no_reply_t {
  explicit constexpr no_reply_t() = default;
};

/// Says that a handler does not answer now. OTP's `noreply`.
inline constexpr no_reply_t no_reply{};

/// The type of `ignore`.
struct ignore_t {
  explicit constexpr ignore_t() = default;
};

/// Says, from `init`, that the server should not run: `start` fails with `errc::ignored`.
inline constexpr ignore_t ignore{};

namespace detail {

struct no_value {
  explicit constexpr no_value() = default;
};

template <class T>
using stored_t = std::conditional_t<std::is_void_v<T>, no_value, T>;

template <class Value, class Reply>
consteval bool check_answer() {
  static_assert(
      !loses_fraction<std::decay_t<Value>, Reply>,
      "otpp: the answer's type cannot keep this value: a fraction is given for an integer; "
      "where that is meant, static_cast it");
  return true;
}

template <class T>
consteval bool refuse_operation() {
  constexpr bool is_operation = std::is_void_v<T>; // never, and only known here
  static_assert(
      is_operation,
      "otpp: a handler returns an operation that it does not await; to end its own server "
      "for a reason in words it returns otpp::stop(otpp::exit_reason(\"words\"))");
  return true;
}

} // namespace detail

/// The result of `stop(...)`: the server ends after this handler. Has a constructor, so that it is not an
/// aggregate.
template <class Value = void>
class stopping {
 public:
  explicit stopping(exit_reason reason) : reason_(std::move(reason)) {}

  template <class U>
  stopping(exit_reason reason, U&& value) : reason_(std::move(reason)), value_(std::forward<U>(value)) {}

 private:
  friend struct detail::access;

  exit_reason& reason() noexcept { return reason_; }
  std::optional<detail::stored_t<Value>>& value() noexcept { return value_; }

  exit_reason reason_;
  std::optional<detail::stored_t<Value>> value_;
};

/// Ends the server after this handler. A caller that was not answered gets `errc::exited`.
///
/// OTP's `{stop, Reason, State}`.
///
/// @param reason  A named reason, an exception, or an `exit_reason` of a text. (With a text itself, `stop` is
///                the verb that stops the server of that name.)
inline stopping<> stop(exit_reason reason = exit_reason::normal()) { return stopping<>(std::move(reason)); }

/// Ends the server after this handler, and answers the call after the end: `terminate` has run, and the name
/// is free. OTP's `{stop, Reason, Reply, State}`.
///
/// @param reason  As above.
/// @param value   The answer, of the call's `reply_type` or what converts to it; kept until then.
template <class Value>
stopping<std::decay_t<Value>> stop(exit_reason reason, Value&& value) {
  return stopping<std::decay_t<Value>>(std::move(reason), std::forward<Value>(value));
}

/// The result of `fail(...)`.
class failure {
 public:
  explicit failure(std::exception_ptr error) noexcept : error_(std::move(error)) {}

 private:
  friend struct detail::access;

  std::exception_ptr& error() noexcept { return error_; }

  std::exception_ptr error_;
};

/// Answers a call with an exception, which the caller's `co_await` throws. The server continues.
///
/// @param error  Copied or moved, with the type that it has here: of a reference to a base class, only that
///               part.
template <class Exception>
  requires std::derived_from<std::remove_cvref_t<Exception>, std::exception>
failure fail(Exception&& error) {
  return failure(std::make_exception_ptr(std::forward<Exception>(error)));
}

/// Answers a call with an exception that was caught earlier.
///
/// @param error  Passed on as it is; must not be empty.
inline failure fail(std::exception_ptr error) noexcept { return failure(std::move(error)); }

/// Answers a call with a `std::runtime_error`.
///
/// @param text  What its `what()` says; copied.
inline failure fail(const std::string& text) {
  return failure(std::make_exception_ptr(std::runtime_error(text)));
}

/// Answers a call with an error code.
///
/// @param code  The caller gets it in a `std::system_error`.
inline failure fail(std::error_code code) {
  return failure(std::make_exception_ptr(std::system_error(code)));
}

namespace detail {

enum class outcome_kind : std::uint8_t { value, no_reply, stop, fail, ignore };

} // namespace detail

/// The result of a handler that returns more than a value.
///
/// Converts from a value (the answer), `no_reply`, `stop()`, `stop(reason)`, `stop(reason, value)` or
/// `fail(error)`; and may also say what to do next. In `handle_cast`, `handle_info` and `handle_continue` it
/// is `outcome<>`, where a default-constructed one means that the server continues.
///
/// It does not know the server whose handler returns it, so that the compiler cannot tell whether that has a handler for
/// what `then` and `timeout` are given: the server looks for the overload whose message is of just this type. If the
/// handler is a template, it takes what the class lists in `messages`. A server without such a handler ends with
/// `errc::bad_message`, and the text names the handler and the message.
///
/// @par Example
/// @code
/// otpp::outcome<int> handle_call(take, state& s) {
///   if (s.empty()) return otpp::stop(otpp::exit_reason::normal(), 0);
///   return otpp::outcome<int>(s.pop()).timeout(30s);
/// }
/// @endcode
template <class Reply = void>
class outcome {
 public:
  /// The type of the answer; void where there is none.
  using value_type = Reply;

  /// Answers a call whose `reply_type` is void; in other handlers the server just continues.
  outcome()
    requires std::is_void_v<Reply>
      : value_(std::in_place) {}

  /// Answers with a value.
  ///
  /// @param value  Converted to `Reply`; moved if it is a temporary.
  template <class U>
    requires(
        !std::is_void_v<Reply> && std::convertible_to<U, Reply> &&
        !std::same_as<std::remove_cvref_t<U>, outcome>)
  outcome(U&& value) : value_(std::in_place, std::forward<U>(value)) {
    static_assert(detail::check_answer<U, Reply>());
  }

  /// Does not answer now.
  outcome(no_reply_t) noexcept : kind_(detail::outcome_kind::no_reply) {}

  /// Ends the server.
  ///
  /// @param stop  What `otpp::stop` returns: the reason, and the answer, if it has one.
  template <class U>
    requires(std::is_void_v<U> || std::convertible_to<U, detail::stored_t<Reply>>)
  outcome(stopping<U> stop)
      : kind_(detail::outcome_kind::stop), reason_(std::move(detail::access::reason(stop))) {
    if constexpr (!std::is_void_v<U>) {
      static_assert(detail::check_answer<U, detail::stored_t<Reply>>());
      value_.emplace(std::move(*detail::access::value(stop)));
    }
  }

  /// Is refused with a sentence: `otpp::stop("text")` stops the server that has this name.
  template <class T, class Executor>
    requires(!std::convertible_to<asio::awaitable<T, Executor>, detail::stored_t<Reply>>)
  outcome(asio::awaitable<T, Executor>) {
    static_assert(detail::refuse_operation<asio::awaitable<T, Executor>>());
  }

  /// Answers with an exception.
  ///
  /// @param failure  What `otpp::fail` returns.
  outcome(failure failure) noexcept
      : kind_(detail::outcome_kind::fail), error_(std::move(detail::access::error(failure))) {}

  /// Has the server call `handle_continue` next, before any message in the mailbox. OTP's `{continue, M}`.
  ///
  /// @param message  What `handle_continue` gets; moved. Of several `then` and `timeout` the last counts.
  template <message M>
  outcome then(M message) && {
    action_ = detail::next_action::proceed(std::move(message));
    return std::move(*this);
  }

  /// Has the server call `handle_info(otpp::timeout)` if no message comes for a while. OTP's plain `Timeout`.
  ///
  /// @param after  How long, or until when if it is a time of the steady clock. With zero, or a time that has
  ///               passed, a message that is already queued is still handled first; with `otpp::infinite`
  ///               there is no timeout.
  template <detail::moment_like Moment>
  outcome timeout(Moment after) && {
    action_ = detail::next_action::timeout(after);
    return std::move(*this);
  }

  /// Has the server call `handle_info(message)` if no message comes for a while. OTP's `{timeout, Time,
  /// Message}`, and its `{abs, true}`.
  ///
  /// @param after    How long, or until when if it is a time of the steady clock. With zero, or a time that
  ///                 has passed, it is called at once, before any queued message.
  /// @param message  What `handle_info` gets; moved.
  template <detail::moment_like Moment, message M>
  outcome timeout(Moment after, M message) && {
    action_ = detail::next_action::timeout(after, std::move(message));
    return std::move(*this);
  }

 private:
  friend struct detail::access;

  detail::outcome_kind kind() const noexcept { return kind_; }
  std::optional<detail::stored_t<Reply>>& value() noexcept { return value_; }
  exit_reason& reason() noexcept { return reason_; }
  std::exception_ptr& error() noexcept { return error_; }
  detail::next_action& action() noexcept { return action_; }

  detail::outcome_kind kind_ = detail::outcome_kind::value;
  std::optional<detail::stored_t<Reply>> value_;
  exit_reason reason_ = exit_reason::normal();
  std::exception_ptr error_;
  detail::next_action action_;
};

/// The result of an `init` that returns more than a state.
///
/// Converts from a state, `ignore`, or `stop(reason)`; with a state it may also say what to do next.
template <class State>
class init_result {
 public:
  /// The type of the state.
  using state_type = State;

  /// The server runs with a state.
  ///
  /// @param state  Converted to `State`; moved if it is a temporary.
  template <class U>
    requires(std::convertible_to<U, State> && !std::same_as<std::remove_cvref_t<U>, init_result>)
  init_result(U&& state) : state_(std::in_place, std::forward<U>(state)) {}

  /// The server does not run: `start` fails with `errc::ignored`.
  init_result(ignore_t) noexcept : kind_(detail::outcome_kind::ignore) {}

  /// The server does not run.
  ///
  /// @param stop  What `otpp::stop` returns: `start` fails with the reason's exception, or with
  ///              `errc::exited` if it has none.
  init_result(stopping<> stop) noexcept
      : kind_(detail::outcome_kind::stop), reason_(std::move(detail::access::reason(stop))) {}

  /// Has the server call `handle_continue` first, after `start` has completed.
  ///
  /// @param message  What `handle_continue` gets; moved.
  template <message M>
  init_result then(M message) && {
    action_ = detail::next_action::proceed(std::move(message));
    return std::move(*this);
  }

  /// As `outcome::timeout`.
  ///
  /// @param after  How long, or until when; counted from the end of `init`.
  template <detail::moment_like Moment>
  init_result timeout(Moment after) && {
    action_ = detail::next_action::timeout(after);
    return std::move(*this);
  }

  /// As `outcome::timeout` with a message.
  ///
  /// @param after    How long, or until when; counted from the end of `init`.
  /// @param message  What `handle_info` gets; moved.
  template <detail::moment_like Moment, message M>
  init_result timeout(Moment after, M message) && {
    action_ = detail::next_action::timeout(after, std::move(message));
    return std::move(*this);
  }

 private:
  friend struct detail::access;

  detail::outcome_kind kind() const noexcept { return kind_; }
  std::optional<State>& state() noexcept { return state_; }
  exit_reason& reason() noexcept { return reason_; }
  detail::next_action& action() noexcept { return action_; }

  detail::outcome_kind kind_ = detail::outcome_kind::value;
  std::optional<State> state_;
  exit_reason reason_ = exit_reason::normal();
  detail::next_action action_;
};

} // namespace otpp

#pragma GCC visibility pop
