// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <chrono>
#include <cstdint>
#include <memory>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What travels with a message while somebody traces every process.
struct message_tag {
  std::uint64_t sequence = 0;
  std::uint64_t from = 0;
  std::chrono::steady_clock::time_point sent;
  std::shared_ptr<const void> context;
};

// A call of those who trace, on this thread: what they send is not traced, or they would hear of it forever.
class trace_call {
 public:
  trace_call() noexcept { ++depth(); }
  trace_call(const trace_call&) = delete;
  trace_call& operator=(const trace_call&) = delete;
  ~trace_call() { --depth(); }

  static bool is_running() noexcept { return depth() != 0; }

 private:
  OTPP_NOINLINE static int& depth() noexcept {
    static thread_local int on_this_thread = 0;
    return on_this_thread;
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
