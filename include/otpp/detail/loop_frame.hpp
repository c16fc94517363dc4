// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <coroutine>
#include <exception>
#include <utility>

namespace otpp::detail {

// The coroutine type of a server's loop: nothing but a frame that can be resumed.
//
// `asio::awaitable` would cost four times the memory and the time to start, and its work guard would
// keep `run()` from returning (performance.md, 8). The server owns it and resumes it, on its serial
// executor; whatever the loop waits for only notes that it is to be resumed.
class loop_frame {
 public:
  struct promise_type {
    loop_frame get_return_object() noexcept {
      return loop_frame(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); } // handlers' exceptions are caught
  };

  loop_frame() = default;
  loop_frame(loop_frame&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  loop_frame& operator=(loop_frame&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~loop_frame() {
    if (handle_) {
      handle_.destroy();
    }
  }

  void resume() const { handle_.resume(); }
  bool done() const noexcept { return !handle_ || handle_.done(); }
  void destroy() noexcept { loop_frame(std::move(*this)); }

 private:
  explicit loop_frame(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

} // namespace otpp::detail
