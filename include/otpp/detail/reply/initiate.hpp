// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/deadlock.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/error.hpp>
#include <otpp/timeout.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/system_executor.hpp>

#include <exception>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

// How an operation is initiated. Every verb takes these steps, in this order:
//
//   make_operation     creates an unregistered operation: only this thread knows of it, and may destroy it
//   complete, refuse   completes it before anything is sent, inside the caller's context
//   register_wait      registers it with the caller's context, and only then yields the server half, which
//                      other threads may see; server_core::send_call and send_registered combine this with
//                      the sending
//
// So an operation is registered before another thread can find it, and the destruction of the context, a
// timeout or a cancellation can always end it. An operation that a closed context refuses is destroyed by its
// `unregistered`, outside of every gate and lock. A verb that must not be interrupted between two steps holds
// a context_guard through both; the `unregistered` is then declared before the guard.

namespace otpp::detail {

// Owns an operation that is not registered. Its destructor destroys the operation without calling the
// handler.
template <class Operation>
class unregistered {
 public:
  unregistered() noexcept = default;
  explicit unregistered(Operation* made) noexcept : operation_(made) {}
  unregistered(unregistered&& other) noexcept : operation_(std::exchange(other.operation_, nullptr)) {}
  template <class Derived>
    requires std::is_base_of_v<Operation, Derived>
  unregistered(unregistered<Derived>&& other) noexcept : operation_(other ? &other.release() : nullptr) {}
  unregistered& operator=(unregistered&&) = delete;
  ~unregistered() {
    if (operation_) {
      operation_->end_unregistered();
    }
  }

  explicit operator bool() const noexcept { return operation_ != nullptr; }
  Operation& operator*() const noexcept { return *operation_; }
  Operation* operator->() const noexcept { return operation_; }

  // Gives up ownership: the operation is registered or completed, and its two halves have other owners.
  Operation& release() noexcept { return *std::exchange(operation_, nullptr); }

  // It is unregistered again.
  void take_back(Operation& one) noexcept { operation_ = &one; }

 private:
  Operation* operation_ = nullptr;
};

// Owns the server half of a registered slot: the right and the duty to answer it. If it is destroyed, the
// caller gets an error.
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

  // Transfers the duty to answer to the caller.
  Slot* release() noexcept { return std::exchange(slot_, nullptr); }

 private:
  explicit server_half(Slot* slot) noexcept : slot_(slot) {}

  Slot* slot_ = nullptr;
};

// The executor for a completion handler that has none of its own. In a step of a process it is the serial executor
// of that process, as for its coroutines, so that a plain function may touch the state. Elsewhere it is, as in
// Asio, that of the I/O object, which is the server; its context is then kept alive while this exists.
class fallback {
 public:
  fallback(const process* server, const turn* here) {
    if (runs_in(here)) {
      return;
    }
    if (server && server->context().enter()) {
      context_ = &server->context();
      executor_ = server->get_lane()->executor();
    } else {
      executor_ = asio::system_executor();
    }
  }
  fallback(const asio::any_io_executor& executor, const turn* here) {
    if (!runs_in(here)) {
      executor_ = executor;
    }
  }
  fallback(const fallback&) = delete;
  fallback& operator=(const fallback&) = delete;
  ~fallback() {
    if (context_) {
      executor_ = {}; // first: releasing the last reference to a strand needs its context
      context_->leave();
    }
  }

  const asio::any_io_executor& executor() const noexcept { return executor_; }

 private:
  bool runs_in(const turn* here) {
    if (!here || !here->running()) {
      return false;
    }
    executor_ = serial_executor(*here->running());
    return true;
  }

  context_state* context_ = nullptr;
  asio::any_io_executor executor_;
};

// Creates an operation whose handler runs on its associated executor. One that has none runs on the process in
// whose step this is called, or else on `otherwise`, which is a process or an executor. Returns null if memory
// ran out and the handler was told, which is so for a coroutine; for other handlers throws.
template <class Operation, class Handler, class Otherwise, class... Args>
unregistered<Operation> make_operation(Handler&& handler, const Otherwise& otherwise, Args&&... args) {
  Operation* made = nullptr;
  std::exception_ptr why;
  try {
    turn* here = turn::current();
    if constexpr (has_own_executor<std::decay_t<Handler>>) {
      made = new Operation(std::forward<Handler>(handler), std::forward<Args>(args)...);
      made->connect(no_fallback(), here);
    } else {
      fallback place(otherwise, here);
      made = new Operation(std::forward<Handler>(handler), std::forward<Args>(args)...);
      made->connect(place.executor(), here);
    }
    return unregistered<Operation>(made);
  } catch (...) {
    why = std::current_exception();
  }
  Operation::fail_to_begin(made, handler, std::move(why));
  return {};
}

// Completes an operation with what `fill` writes into it, inside its context. Nothing has been sent. What
// cannot be completed, because the process in which the caller waits has ended, stays with its owner, who
// destroys it outside of the guard.
template <class Operation, class Fill>
void complete(unregistered<Operation>& one, context_guard& inside, Fill fill) noexcept {
  fill(*one);
  if (one->complete_unregistered(inside.here())) {
    one.release();
  }
}
template <class Operation, class Fill>
void complete(unregistered<Operation> one, Fill fill) noexcept {
  context_guard inside(one->context());
  if (inside) {
    complete(one, inside, fill);
  }
}

// Completes an operation with an error. Nothing has been sent.
template <class Operation>
void refuse(unregistered<Operation>& one, context_guard& inside, std::exception_ptr error) noexcept {
  complete(one, inside, [&](reply_slot& slot) noexcept { slot.write_error(std::move(error)); });
}
inline void refuse(unregistered<reply_slot> one, std::exception_ptr error) noexcept {
  complete(std::move(one), [&](reply_slot& slot) noexcept { slot.write_error(std::move(error)); });
}
inline void refuse(unregistered<reply_slot> one, errc code) noexcept {
  std::exception_ptr error = one->say(code);
  refuse(std::move(one), std::move(error));
}

// Returns why the operation must not wait for `target`, or null. It must not if it is a server's handler that
// would wait for its own server, if the timeout is negative, or if the wait would close a cycle.
OTPP_INLINE std::exception_ptr why_not_wait(reply_slot& one, process& target) noexcept {
  if (!one.waiting_handler() && one.timeout >= duration::zero()) {
    return nullptr; // the usual case
  }
  if (one.is_inside(target)) {
    return one.say(errc::calling_self);
  }
  if (one.timeout < duration::zero()) {
    return one.say(errc::timeout);
  }
  return deadlock_of(one, target);
}

// Registers an operation with its caller's context. If that context is being destroyed, returns null, and the
// operation stays with its owner, who destroys it outside of the guard.
template <class Operation>
server_half<Operation> register_wait(unregistered<Operation>& one, context_guard& inside) noexcept {
  if (!inside.register_wait(*one)) {
    return {};
  }
  return server_half<Operation>(one.release());
}
template <class Operation>
server_half<Operation> register_wait(unregistered<Operation> one) noexcept {
  context_guard inside(one->context());
  return register_wait(one, inside);
}

} // namespace otpp::detail

#pragma GCC visibility pop
