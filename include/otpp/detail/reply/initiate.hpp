// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/deadlock.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/error.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/system_executor.hpp>

#include <exception>
#include <type_traits>
#include <utility>

// How an operation begins. Every verb takes these steps, in this order:
//
//   make_operation     an unregistered operation: nobody else knows of it, and to destroy it is enough
//   complete, refuse   it ends before anything is sent, inside the caller's context
//   register_wait      it is written down where the caller waits, and only that gives the server half, which is what
//                      others may see; server_core::send_call and send_registered do the same together with the sending
//
// So whatever another thread can find is written down already, and the context, a timeout or a cancellation can end it.
// What a closed context refuses is destroyed here, in no gate and in no lock.

namespace otpp::detail {

// An operation before it is registered. Its destructor ends it unheard.
template <class Operation>
class unregistered {
 public:
  unregistered() noexcept = default;
  explicit unregistered(Operation* made) noexcept : operation_(made) {}
  unregistered(unregistered&& other) noexcept : operation_(std::exchange(other.operation_, nullptr)) {}
  unregistered& operator=(unregistered&&) = delete;
  ~unregistered() {
    if (operation_) {
      operation_->end_unregistered();
    }
  }

  explicit operator bool() const noexcept { return operation_ != nullptr; }
  Operation& operator*() const noexcept { return *operation_; }
  Operation* operator->() const noexcept { return operation_; }

  // It is registered, or complete: others own its halves.
  Operation& release() noexcept { return *std::exchange(operation_, nullptr); }

 private:
  Operation* operation_ = nullptr;
};

// The server half of a registered slot: the right to answer it, and the duty. Its destructor answers that nobody did.
template <class Slot>
class server_half {
 public:
  server_half() noexcept = default;
  explicit server_half(Slot& slot) noexcept : slot_(&slot) {}
  template <class Derived>
    requires std::is_base_of_v<Slot, Derived>
  server_half(server_half<Derived>&& other) noexcept : slot_(other.release()) {}
  server_half(server_half&& other) noexcept : slot_(other.release()) {}
  server_half& operator=(server_half&& other) noexcept {
    server_half old(std::exchange(slot_, other.release()));
    return *this;
  }
  ~server_half() {
    if (slot_) {
      slot_->fail(errc::no_reply);
    }
  }

  explicit operator bool() const noexcept { return slot_ != nullptr; }
  Slot* operator->() const noexcept { return slot_; }
  Slot& operator*() const noexcept { return *slot_; }

  // Whoever gets the pointer has the duty now.
  Slot* release() noexcept { return std::exchange(slot_, nullptr); }

 private:
  explicit server_half(Slot* slot) noexcept : slot_(slot) {}

  Slot* slot_ = nullptr;
};

// Where a handler without an executor of its own is run: as Asio does it, on the object's, here the server's.
// The server's context may be going away on another thread: while this lives, it stays.
class fallback {
 public:
  explicit fallback(const process* server) {
    if (server && server->context().enter()) {
      context_ = &server->context();
      executor_ = server->get_lane()->executor();
    } else {
      executor_ = asio::system_executor();
    }
  }
  explicit fallback(const asio::any_io_executor& executor) : executor_(executor) {}
  fallback(const fallback&) = delete;
  fallback& operator=(const fallback&) = delete;
  ~fallback() {
    if (context_) {
      executor_ = {}; // first: a strand's last reference needs its context
      context_->leave();
    }
  }

  const asio::any_io_executor& executor() const noexcept { return executor_; }

 private:
  context_state* context_ = nullptr;
  asio::any_io_executor executor_;
};

// Makes an operation whose handler runs on its own executor, or else where `otherwise` says: a process, or an executor.
// Null if there was no memory: then a coroutine has been told, and to others it is thrown.
template <class Operation, class Handler, class Otherwise, class... Args>
unregistered<Operation> make_operation(Handler&& handler, const Otherwise& otherwise, Args&&... args) {
  Operation* made = nullptr;
  std::exception_ptr why;
  try {
    if constexpr (has_own_executor<std::decay_t<Handler>>) {
      made = new Operation(std::forward<Handler>(handler), std::forward<Args>(args)...);
      made->connect(no_fallback(), turn::current());
    } else {
      fallback place(otherwise);
      made = new Operation(std::forward<Handler>(handler), std::forward<Args>(args)...);
      made->connect(place.executor(), turn::current());
    }
    return unregistered<Operation>(made);
  } catch (...) {
    why = std::current_exception();
  }
  Operation::fail_to_begin(made, handler, std::move(why));
  return {};
}

// Completes an operation with what `fill` writes into it. Nothing was sent.
template <class Operation, class Fill>
void complete(unregistered<Operation> one, Fill fill) noexcept {
  Operation* left = nullptr;
  {
    context_guard inside(one->context());
    if (!inside) {
      return; // it is destroyed when the gate has been left
    }
    Operation& slot = one.release();
    fill(slot);
    left = slot.complete_unregistered(inside.here()) ? nullptr : &slot;
  }
  if (left) {
    left->discard();
  }
}

template <class Operation>
void refuse(unregistered<Operation> one, std::exception_ptr error) noexcept {
  complete(std::move(one), [&](Operation& slot) noexcept { slot.write_error(std::move(error)); });
}
template <class Operation>
void refuse(unregistered<Operation> one, errc code) noexcept {
  std::exception_ptr error = one->say(code);
  refuse(std::move(one), std::move(error));
}

// Returns why one cannot wait for `target`, or null: a server's handler for the server itself, with a negative timeout,
// or in a cycle of handlers that wait.
template <class Operation>
OTPP_INLINE std::exception_ptr why_not_wait(Operation& one, process& target) noexcept {
  if (!one.is_in_handler() && one.timeout >= duration::zero()) {
    return nullptr; // almost always
  }
  if (one.is_inside(target)) {
    return one.say(errc::calling_self);
  }
  if (one.timeout < duration::zero()) {
    return one.say(errc::timeout);
  }
  return deadlock_of(one, target);
}

// Registers an operation where its caller waits. Null if that context is being destroyed, and the operation with it.
template <class Operation>
server_half<Operation> register_wait(unregistered<Operation> one) noexcept {
  context_guard inside(one->context());
  if (!inside.register_wait(*one)) {
    return {};
  }
  return server_half<Operation>(one.release());
}

} // namespace otpp::detail
