// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <mutex>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A mutex for short critical sections with pointer operations only. It spins briefly before it blocks,
// because blocking and waking a thread takes a hundred times as long as such a section.
class spin_mutex {
 public:
  void lock() {
    for (int attempt = 0; attempt != 64; ++attempt) {
      if (mutex_.try_lock()) {
        return;
      }
      pause_briefly();
    }
    mutex_.lock();
  }

  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
