// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/subscription.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

inline std::atomic<std::size_t> long_mailbox{100'000};

} // namespace detail

/// Describes a server whose mailbox, which has no limit, has become long: it is sent more than it handles. OTP's
/// `long_message_queue` of `erlang:system_monitor/2`.
///
/// It goes to those who `subscribe` to it; without any, it is one line on stderr.
struct mailbox_report {
  std::string server;       ///< Its name, or `logger#7`.
  std::uint64_t id = 0;     ///< Unique in this program, never reused.
  std::size_t messages = 0; ///< How many are in its mailbox.

  mailbox_report(std::string s, std::uint64_t i, std::size_t m) : server(std::move(s)), id(i), messages(m) {}

  /// Returns the report as one line.
  std::string text() const {
    return "otpp: server " + server + " has " + std::to_string(messages) +
           " messages in its mailbox: it is sent more than it handles. With a mailbox_limit its senders "
           "wait, "
           "as they do with call instead of cast";
  }
};

template <>
inline constexpr bool detail::is_report<mailbox_report> = true;

/// Sets with how many messages a mailbox without a limit is reported, and returns the previous number. Each
/// server is reported once.
///
/// A mailbox is looked at now and then, as sending a message must not cost more for it: a server may have
/// taken as many more messages before it is reported.
///
/// @param messages  100,000 by default; zero turns the reports off.
///
/// @par Thread safety
/// Safe from any thread.
inline std::size_t set_long_mailbox(std::size_t messages) noexcept {
  return detail::long_mailbox.exchange(messages, std::memory_order_relaxed);
}

} // namespace otpp

#pragma GCC visibility pop
