// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <mutex>

namespace otpp::detail {

// A mutex that is held for pointer work only, and so is worth a short wait before the thread is put to
// sleep: that and waking it up again take a hundred times as long as what it waits for.
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
