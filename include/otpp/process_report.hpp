// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/one_line.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/subscription.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// A process has started: a server whose `init` is about to run, or a coroutine of `spawn`. OTP's trace message `spawned`.
///
/// It goes to those who `subscribe` to it, on the executor of the process, before its `init`, which does not run if the
/// process has been killed meanwhile. Every process of which this
/// is told makes a `process_ended`, too.
struct process_started {
  std::uint64_t id = 0;     ///< Unique in this program, never reused. That of `process_info`, and of `pid`.
  std::string process;      ///< The name that it was started with, or `counter#7`.
  std::string_view type;    ///< Its callbacks: `"counter"`; `"otpp::spawned"` of a coroutine.
  std::uint64_t parent = 0; ///< The id of the process that has started it with a link; else zero.

  /// Returns the report as one line.
  std::string text() const { return "otpp: " + detail::one_line(process) + " starts"; }
};

/// A process has ended, whatever the reason. OTP's trace message `exit`.
///
/// It goes to those who `subscribe` to it, when its names are free and its state has been destroyed, before the end is told
/// to any process or caller: on its executor, or on the thread that destroys its context, with which the state may go
/// later.
struct process_ended {
  std::uint64_t id = 0;  ///< As in `process_started`.
  std::string process;   ///< As in `process_started`.
  std::string_view type; ///< As in `process_started`.
  exit_reason reason;    ///< Why.

  /// Returns the report as one line.
  std::string text() const {
    return "otpp: " + detail::one_line(process) + " has ended: " + detail::one_line(reason.message());
  }
};

namespace detail {

template <>
inline constexpr bool is_report<process_started> = true;
template <>
inline constexpr bool is_silent<process_started> = true;
template <>
inline constexpr bool is_report<process_ended> = true;
template <>
inline constexpr bool is_silent<process_ended> = true;

} // namespace detail

} // namespace otpp

#pragma GCC visibility pop
