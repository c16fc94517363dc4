// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <chrono>

#pragma GCC visibility push(default)

namespace otpp {

/// The unit of every timeout: nanoseconds of the steady clock.
using duration = std::chrono::steady_clock::duration;

/// The default timeout of a call: five seconds, as in OTP.
inline constexpr duration default_timeout = std::chrono::seconds(5);

namespace detail {

// The timeout of a verb that was given none. It can be told from five seconds that were: a simulated context may have
// another default (testing::world::set_default_timeout).
inline constexpr duration unsaid_timeout = default_timeout + std::chrono::nanoseconds(1);

} // namespace detail

/// Waits forever. OTP's `infinity`.
inline constexpr duration infinite = (duration::max)();

/// The message that `handle_info` gets when `outcome::timeout(d)` has expired. OTP's `timeout` atom.
struct timeout {};

} // namespace otpp

#pragma GCC visibility pop
