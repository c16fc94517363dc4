// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// In a completion handler: a flag is true for as long as the handler exists and has not been called. Without memory Asio
// may drop a handler instead of calling it.
class while_pending {
 public:
  explicit while_pending(bool& flag) noexcept : flag_(&flag) { flag = true; }
  while_pending(while_pending&& other) noexcept : flag_(std::exchange(other.flag_, nullptr)) {}
  while_pending& operator=(while_pending&&) = delete;
  ~while_pending() { end(); }

  // The handler is called.
  void end() noexcept {
    if (bool* flag = std::exchange(flag_, nullptr)) {
      *flag = false;
    }
  }

 private:
  bool* flag_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
