// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/exit_reason.hpp>
#include <otpp/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The errors of the verbs. The set is closed.
enum class errc {
  /// No process has that name, or the server has ended.
  no_process = 1,
  /// The server ended before it answered; `error::reason()` says why.
  exited,
  /// No answer in time. Equals `std::errc::timed_out`.
  timeout,
  /// The `caller` was dropped unanswered.
  no_reply,
  /// A server called itself, or waited for its own end.
  calling_self,
  /// The server does not take this message, or the name belongs to a server of another type.
  bad_message,
  /// Another server has that name.
  name_taken,
  /// `init` returned `otpp::ignore`.
  ignored,
  /// There is no room in the mailbox, and its sender cannot wait, or is not to (`options::when_full`); or no worker of a
  /// `pool` may have another call (`pool_options::in_flight`).
  mailbox_full,
  /// Servers would wait for each other in a cycle, each inside its handler.
  deadlock,
  /// `start_child`: the supervisor has a child of that id, which is running.
  already_started,
  /// `start_child`: the supervisor has a child of that id, which is not running: it is being restarted, or
  /// `restart_child` starts it.
  already_present,
  /// The supervisor has no such child.
  not_found,
  /// `delete_child`, `restart_child`: the child is running, or being restarted.
  running,
  /// The dynamic supervisor has reached its maximum number of children.
  max_children,
  /// There is no connection with the node of the process, or it is lost.
  no_connection,
  /// A process elsewhere has answered with something that is not of the type of the call's answer.
  bad_reply,
  /// The server drains: it does what it has, and takes nothing new.
  draining,
};

/// Returns the category of `errc`; its name is "otpp".
inline const std::error_category& otpp_category() noexcept {
  class category final : public std::error_category {
   public:
    const char* name() const noexcept override { return "otpp"; }

    std::string message(int value) const override {
      switch (static_cast<errc>(value)) {
        case errc::no_process: return "no such server: it was never started, or it has ended";
        case errc::exited: return "the server ended before it answered";
        case errc::timeout:
          return "no answer in time; the server may still handle the request, and its answer is dropped";
        case errc::no_reply:
          return "the server dropped the caller without an answer; keep the otpp::caller and reply";
        case errc::calling_self:
          return "a server cannot wait for itself; do the work in the handler, or return otpp::stop()";
        case errc::bad_message: return "the server does not take this message";
        case errc::name_taken: return "another server has that name";
        case errc::ignored: return "init returned otpp::ignore";
        case errc::mailbox_full: return "the mailbox is full, and this sender cannot wait for room";
        case errc::deadlock:
          return "deadlock: these servers would wait for each other forever; cast, or answer later by an "
                 "otpp::caller";
        case errc::already_started: return "the supervisor has a child of this id, which runs";
        case errc::already_present:
          return "the supervisor has a child of this id, which does not run; it is being restarted, or use "
                 "restart_child";
        case errc::not_found: return "the supervisor has no such child";
        case errc::running: return "the child runs, or is being restarted";
        case errc::max_children: return "the supervisor has as many children as it may have";
        case errc::no_connection: return "no connection";
        case errc::bad_reply: return "this is no answer of the call's type";
        case errc::draining: return "the server drains: it finishes what it has, and takes nothing new";
      }
      return "unknown error";
    }

    std::error_condition default_error_condition(int value) const noexcept override {
      if (static_cast<errc>(value) == errc::timeout) {
        return std::errc::timed_out;
      }
      return {value, *this};
    }
  };
  // Never destroyed: errors may be looked at while the program's static objects are destroyed.
  alignas(category) static std::byte storage[sizeof(category)];
  static const category* const instance = ::new (storage) category;
  return *instance;
}

/// Makes `errc` usable wherever a `std::error_code` is.
///
/// @param code  One of the enumerators.
inline std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), otpp_category()};
}

/// The exception that the library throws and passes to completion handlers: a code, with the operation and
/// the server.
///
/// `what()` names the operation, the server and the message type.
class error : public std::system_error {
 public:
  /// An error of one's own, which a handler may throw, or answer with by `otpp::fail`.
  ///
  /// @param code    What it is.
  /// @param what    The beginning of `what()`, which then says what the code means.
  /// @param reason  For `errc::exited`: what `reason()` returns.
  explicit error(errc code, const std::string& what = "otpp", exit_reason reason = exit_reason::normal())
      : std::system_error(make_error_code(code), what), reason_(std::move(reason)) {}

  /// Returns why the server ended, including its own exception. Valid only for `errc::exited`.
  const exit_reason& reason() const noexcept { return reason_; }

 private:
  exit_reason reason_;
};

namespace detail {

// `5 s`: in the largest unit in which it is a whole number; a negative one is none.
inline std::string text_of_time(duration time) {
  auto count = std::chrono::nanoseconds((std::max)(time, duration::zero())).count();
  const char* unit = " ns";
  for (const char* larger : {" us", " ms", " s"}) {
    if (count % 1000 != 0) {
      break;
    }
    count /= 1000;
    unit = larger;
  }
  return std::to_string(count) + unit;
}

// `otpp: call of kv::get at "kv"`: operation and message are omitted if empty. A timeout says how long was waited.
inline std::exception_ptr make_error(
    errc code, std::string_view operation, std::string_view message, std::string_view server,
    const exit_reason& reason = exit_reason::normal(), duration waited = infinite) noexcept {
  try {
    std::string text = "otpp: ";
    text += operation;
    if (!message.empty()) {
      text += " of ";
      text += message;
    }
    if (!server.empty()) {
      text += " at ";
      text += server;
    }
    if (code == errc::exited) {
      text += " (reason: " + reason.message() + ")";
    } else if (code == errc::timeout && waited != infinite) {
      text += " (waited " + text_of_time(waited) + ")";
    }
    return std::make_exception_ptr(error(code, text, reason));
  } catch (...) {
    return std::current_exception(); // no memory for the text: still an error, so no caller hangs
  }
}

} // namespace detail
} // namespace otpp

#pragma GCC visibility pop

template <>
struct std::is_error_code_enum<otpp::errc> : std::true_type {};
