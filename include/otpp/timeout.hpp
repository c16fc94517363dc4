// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <chrono>

namespace otpp {

/// The unit of every timeout: nanoseconds of the steady clock.
using duration = std::chrono::steady_clock::duration;

/// How long a call waits where nothing else is said: five seconds, as in OTP.
inline constexpr duration default_timeout = std::chrono::seconds(5);

/// Waits forever. What OTP spells `infinity`.
inline constexpr duration infinite = (duration::max)();

/// What a server's `handle_info` gets when `outcome::timeout(d)` ran out. OTP's `timeout` atom.
struct timeout {};

} // namespace otpp
