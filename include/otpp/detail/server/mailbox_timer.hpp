// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/queue/mailbox.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/moment.hpp>
#include <otpp/exit_reason.hpp>

#include <cstdint>
#include <mutex>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A timer that sends itself to its own server when the time is over.
//
// Racing a timer against the mailbox would lose messages, so the timer itself is a message. If it was disarmed, or armed
// anew, after it had been sent, its age tells, and it has no effect. Its server owns it to the end, so that it may lie in
// the mailbox.
class mailbox_timer : public envelope, public deadline {
 public:
  void fail_unhandled(server_core&, const exit_reason&) noexcept final {}
  void discard_message() noexcept final {}

 protected:
  mailbox_timer(opener how, server_core& server) noexcept : envelope(how), server_(server) {}
  ~mailbox_timer() override = default;

  // Precondition: its server runs it, as for all that follows.
  void start(moment after) noexcept {
    {
      std::lock_guard lock(server_.context().mutex());
      ++age_;
    }
    server_.context().arm(*this, after, *server_.get_lane());
  }

  void cancel() noexcept { server_.context().disarm(*this, *server_.get_lane()); }

  // It has been taken from the mailbox. Returns true if it was not started again since it was sent.
  bool has_arrived() noexcept {
    std::lock_guard lock(server_.context().mutex());
    is_queued_ = false;
    return expired_age_ == age_;
  }

 private:
  // Called under the context's lock. The server may end on another thread before expire() is called.
  bool claim_expired() noexcept final {
    expired_age_ = age_;
    if (std::exchange(is_queued_, true)) {
      return false; // an earlier one is still in the mailbox, and is used again
    }
    server_.add_ref();
    return true;
  }

  void expire() noexcept final {
    server_core& server = server_;
    server.send<&mailbox::push_library_message>(*this);
    server.release();
  }

  server_core& server_;
  // Guarded by the context's lock.
  std::uint64_t age_ = 0;
  std::uint64_t expired_age_ = 0;
  bool is_queued_ = false;
};

} // namespace otpp::detail

#pragma GCC visibility pop
