// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <chrono>

#pragma GCC visibility push(default)

namespace otpp {

/// The unit of every timeout: nanoseconds of the steady clock.
using duration = std::chrono::steady_clock::duration;

/// The default timeout of a call: five seconds, as in OTP.
inline constexpr duration default_timeout = std::chrono::seconds(5);

/// Waits forever. OTP's `infinity`.
inline constexpr duration infinite = (duration::max)();

/// The message that `handle_info` gets when `outcome::timeout(d)` has expired. OTP's `timeout` atom.
struct timeout {};

} // namespace otpp

#pragma GCC visibility pop
