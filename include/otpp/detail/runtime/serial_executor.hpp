// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/carried_context.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/execution.hpp>

#include <memory>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A server's own executor: a function submitted to it runs between the steps of the server's loop, never
// concurrently with one of its handlers.
//
// It is what handlers see as `asio::this_coro::executor`. It wraps the executor on which the server runs,
// which need not be a strand. It never runs a function before `execute` returns, except the start of the
// handler coroutine within the server's own step. It does not count as outstanding work; a pending operation
// does, and so does a handler that waits (handler_coroutine.hpp). A coroutine that a handler has spawned, with
// otpp::co_spawn or Asio's, counts only through the operation for which it waits.
//
// @par Thread safety
// Distinct objects: safe. Shared objects: safe.
class serial_executor {
 public:
  explicit serial_executor(process& owner, intrusive_ptr<carried_context> carried = {}) noexcept
      : process_(&owner), carried_(std::move(carried)) {}

  asio::execution_context& query(asio::execution::context_t) const noexcept {
    return process_->context().context();
  }
  asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept {
    return runs_at_once_ ? asio::execution::blocking_t(asio::execution::blocking.always)
                         : asio::execution::blocking_t(asio::execution::blocking.never);
  }
  serial_executor require(asio::execution::blocking_t::never_t) const noexcept {
    return serial_executor(*process_, carried_);
  }
  // Asio 1.22 requires this property for a dispatch. The dispatch in co_spawn must not fail, because Asio
  // then terminates the program; an any_io_executor that already says "possibly" needs no allocation for it.
  serial_executor require(asio::execution::blocking_t::possibly_t) const noexcept {
    serial_executor result(*process_, carried_);
    result.runs_at_once_ = process_->take_dispatch();
    return result;
  }

  template <class Function>
  void execute(Function&& function) const {
    if (runs_at_once_ || process_->take_dispatch()) { // Asio 1.30 dispatches without requiring a property
      const carried_context::scope carrying(carried_);
      std::forward<Function>(function)();
      return;
    }
    process_->submit(*new function_task<std::decay_t<Function>>(std::forward<Function>(function), carried_));
  }

  // Returns the process behind it.
  const intrusive_ptr<process>& owner() const noexcept { return process_; }

  // Returns the trace context that what runs here has, or null.
  const intrusive_ptr<carried_context>& carried() const noexcept { return carried_; }

  friend bool operator==(const serial_executor& a, const serial_executor& b) noexcept {
    return a.process_ == b.process_;
  }
  friend bool operator!=(const serial_executor& a, const serial_executor& b) noexcept { return !(a == b); }

 private:
  template <class Function>
  class function_task final : public task {
   public:
    template <class F>
    function_task(F&& function, intrusive_ptr<carried_context> carried)
        : function_(std::forward<F>(function)), carried_(std::move(carried)) {}

    void run() override {
      Function function(std::move(function_));
      const carried_context::scope carrying(std::move(carried_));
      delete this;
      std::move(function)();
    }

    void discard() noexcept override { delete this; }

   private:
    Function function_;
    intrusive_ptr<carried_context> carried_;
  };

  intrusive_ptr<process> process_;
  intrusive_ptr<carried_context> carried_; // null unless a coroutine of otpp::co_spawn runs here
  bool runs_at_once_ = false;
};

// What any_io_executor holds without allocating.
static_assert(sizeof(serial_executor) <= sizeof(std::shared_ptr<void>) + sizeof(void*));

} // namespace otpp::detail

#pragma GCC visibility pop
