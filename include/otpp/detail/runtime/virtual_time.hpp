// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>

#include <asio/execution_context.hpp>

#include <string>

namespace otpp::detail {

class context_state;

// What a context tells the library whose time is not the world's (testing.hpp): the time, and how much is
// done at a stretch.
//
// A context has one from its beginning to its end, or never.
class virtual_time {
 public:
  // Returns the time.
  virtual deadline::time_point now() const noexcept = 0;

  // Has `room.timer_fired` called at that time, instead of at any earlier wish. In the room's lock.
  virtual void wake_at(context_state& room, deadline::time_point at) noexcept = 0;
  virtual void do_not_wake() noexcept = 0;

  // Returns how many messages and resumptions a turn may hold. With 1 each goes through the executor, and
  // so may come after anything else that is ready.
  virtual int turn_limit() const noexcept = 0;

  // True if somebody wants to read what happens.
  virtual bool is_traced() const noexcept = 0;
  virtual void trace(std::string what_happened) = 0;

 protected:
  ~virtual_time() = default;
};

// By which a context is known to be simulated. Made before anything of the library's is.
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
