// SPDX-License-Identifier: BSL-1.0

#pragma once

#if defined(__linux__) && __has_include(<linux/membarrier.h>)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#define OTPP_HAS_MEMBARRIER 1
#endif

// ThreadSanitizer does not see what membarrier(2) orders.
#if defined(__SANITIZE_THREAD__)
#undef OTPP_HAS_MEMBARRIER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#undef OTPP_HAS_MEMBARRIER
#endif
#endif

#pragma GCC visibility push(default)

namespace otpp::detail {

// Makes every thread of the program pass a memory barrier at once: what a rare thread pays, so that others need no
// fence. Linux's membarrier(2).
#if defined(OTPP_HAS_MEMBARRIER)
struct membarrier {
  static constexpr bool is_there = true;
  static bool enlist() noexcept {
    static const bool is_enlisted =
        ::syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    return is_enlisted; // not if the system forbids it
  }
  // Returns false if the system has begun to forbid it, or has no memory.
  static bool issue() noexcept {
    return ::syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
  }
};
#else
struct membarrier {
  static constexpr bool is_there = false;
  static bool enlist() noexcept { return false; }
  static bool issue() noexcept { return true; }
};
#endif

} // namespace otpp::detail

#pragma GCC visibility pop
