// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstdint>

#pragma GCC visibility push(default)

namespace otpp {

/// What becomes of a message that finds a mailbox full, for `options::when_full`.
enum class overflow : std::uint8_t {
  wait,        ///< Its sender waits for room. The default.
  refuse,      ///< It is not sent: its sender gets `errc::mailbox_full` at once.
  drop_newest, ///< It is dropped. The sender of a cast or an info is not told, that of a call is.
  drop_oldest, ///< It is taken, and the oldest call, cast or info in the mailbox is dropped for it.
};

} // namespace otpp

#pragma GCC visibility pop
