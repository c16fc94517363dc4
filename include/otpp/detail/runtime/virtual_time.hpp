// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/deadline_heap.hpp>

#include <asio/execution_context.hpp>

#include <string>

namespace otpp::detail {

class context_room;

// What a context tells the library whose time is not the world's (testing.hpp): the time, and how much is
// done at a stretch.
//
// A context has one from its beginning to its end, or never.
class simulation {
 public:
  // Returns the time.
  virtual deadline::time_point now() const noexcept = 0;

  // Has `room.timer_fired` called at that time, instead of at any earlier wish. In the room's lock.
  virtual void wake_at(context_room& room, deadline::time_point at) noexcept = 0;
  virtual void do_not_wake() noexcept = 0;

  // Returns how many messages and resumptions a turn may hold. With 1 each goes through the executor, and
  // so may come after anything else that is ready.
  virtual int turn_limit() const noexcept = 0;

  // True if somebody wants to read what happens.
  virtual bool is_traced() const noexcept = 0;
  virtual void trace(std::string what_happened) = 0;

 protected:
  ~simulation() = default;
};

// By which a context is known to be simulated. Made before anything of the library's is.
class simulation_service : public asio::execution_context::service {
 public:
  using key_type = simulation_service;
  static inline asio::execution_context::id id;

  explicit simulation_service(asio::execution_context& context, simulation* what = nullptr)
      : asio::execution_context::service(context), what_(what) {}

  static simulation* of(asio::execution_context& context) {
    return asio::has_service<simulation_service>(context)
               ? asio::use_service<simulation_service>(context).what_
               : nullptr;
  }

 private:
  void shutdown() noexcept override {}

  simulation* what_;
};

} // namespace otpp::detail
