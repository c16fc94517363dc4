// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>
#include <otpp/timeout.hpp>

#include <asio/execution_context.hpp>

#include <string>

#pragma GCC visibility push(default)

namespace otpp::detail {

class lane;

// The interface to a simulated context (testing.hpp): its clock, and the length of a turn.
//
// A context either has a simulation for its whole lifetime or never has one.
class virtual_time {
 public:
  // Returns the virtual time.
  virtual deadline::time_point now() const noexcept = 0;

  // Has `timer_fired` called at that time for the lane, which is kept until then; replaces an earlier request
  // for the same lane. Called under the context's lock.
  virtual void wake_at(lane& here, deadline::time_point at) = 0;
  virtual void do_not_wake(lane& here) noexcept = 0;

  // Returns how long a wait lasts that was given this timeout: another default in place of unsaid_timeout.
  virtual duration timeout_of(duration given) const noexcept = 0;

  // Returns how many messages and resumptions one turn may run. With 1, each is posted on its own and may
  // therefore run after any other handler that is ready.
  virtual int turn_limit() const noexcept = 0;

  // Returns true if trace events are wanted.
  virtual bool is_traced() const noexcept = 0;
  virtual void trace(std::string what_happened) = 0;

 protected:
  ~virtual_time() = default;
};

// Marks a context as simulated. Must be created before the library's first object on that context.
class virtual_time_service : public asio::execution_context::service {
 public:
  using key_type = virtual_time_service;
  static inline asio::execution_context::id id;

  explicit virtual_time_service(asio::execution_context& context, virtual_time* what = nullptr)
      : asio::execution_context::service(context), what_(what) {}

  static virtual_time* of(asio::execution_context& context) {
    return asio::has_service<virtual_time_service>(context)
               ? asio::use_service<virtual_time_service>(context).what_
               : nullptr;
  }

 private:
  void shutdown() noexcept override {}

  virtual_time* what_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
