// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/reply/completion_token.hpp>
#include <otpp/detail/reply/failure.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/carried_context.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/spin_mutex.hpp>
#include <otpp/detail/util/watchers.hpp>
#include <otpp/outcome.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/system_executor.hpp>

#include <atomic>
#include <concepts>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Passed to a handler in place of an R when the operation failed. The handlers of use_awaitable and
// use_future check the error first and never convert it.
template <class R>
struct absent {
  operator R&&() const { std::terminate(); }
};

// The executor on which a handler runs. The handler of use_future may run on any thread, and the system
// executor outlives every context; its associated executor is specific to each promise, and a lane for it
// would keep the promise alive.
template <class Handler>
asio::any_io_executor executor_for(const Handler& handler, const asio::any_io_executor& otherwise) {
  using executor = asio::associated_executor_t<Handler, asio::any_io_executor>;
  if constexpr (is_promise_executor<executor> || !std::is_convertible_v<executor, asio::any_io_executor>) {
    return asio::system_executor();
  } else {
    return asio::get_associated_executor(handler, otherwise);
  }
}

template <class Handler>
inline constexpr bool has_own_executor = requires { typename Handler::executor_type; };

// Takes the place of a fallback for a handler that has an executor of its own.
struct no_fallback {};

template <class Handler>
asio::any_io_executor executor_for(const Handler& handler, no_fallback) {
  using executor = typename Handler::executor_type;
  if constexpr (is_promise_executor<executor> || !std::is_convertible_v<executor, asio::any_io_executor>) {
    return asio::system_executor();
  } else {
    return asio::get_associated_executor(handler);
  }
}

// Base of every initiation. Asio's cancel_after creates its timer on this executor; the timer's handler
// nevertheless runs on the caller's executor.
struct initiation {
  using executor_type = asio::any_io_executor;
  executor_type get_executor() const noexcept { return asio::system_executor(); }
};

// Guards the pointers between an operation and its cancellation handler. The two may be destroyed
// concurrently: the operation with its context, and the cancellation handler with its signal.
inline spin_mutex cancellation_mutex;

// The handler that an operation installs in the cancellation slot of its completion handler. It lives until
// the signal is destroyed or the slot is cleared or reused. This may be after the operation, whose context
// was destroyed, or before it.
//
// The lock is needed only if both are destroyed concurrently. An operation that completes takes no lock,
// because Asio's rules forbid emitting or destroying a signal concurrently with a handler that is connected
// to its slot.
class cancellation_handler {
 public:
  explicit cancellation_handler(reply_slot& one) noexcept : slot_(&one) {}
  cancellation_handler(const cancellation_handler&) = delete;
  cancellation_handler& operator=(const cancellation_handler&) = delete;
  ~cancellation_handler() {
    if (slot_.load(std::memory_order_acquire)) {
      std::lock_guard lock(cancellation_mutex);
      if (reply_slot* one = slot_.load(std::memory_order_relaxed)) {
        one->on_cancel_ = nullptr;
      }
    }
  }

  void operator()(asio::cancellation_type type) {
    reply_slot* one = slot_.load(std::memory_order_relaxed);
    if (one && type != asio::cancellation_type::none) {
      one->cancel();
    }
  }

  // Connects an operation to the cancellation slot of its handler.
  static void connect(reply_slot& one, asio::cancellation_slot slot, turn* here, bool is_awaited) {
    one.is_cancellable_ = true;
    one.on_cancel_ = &slot.emplace<cancellation_handler>(one);
    if (is_awaited) {
      process* running = here ? here->running() : nullptr;
      one.waiting_handler_ = whose_handler(slot, one.process_.get(), running);
      if (one.waiting_handler_ && one.waiting_handler_ == running && one.process_.get() == running) {
        running->set_in_operation(true);
      }
    }
  }

  // The operation completes: its signal is alive, and nobody emits it now. Returns false if the slot is not the
  // operation's any more: its signal was destroyed, or another operation has used it.
  static bool disconnect(reply_slot& one) noexcept {
    if (!one.on_cancel_) {
      return false;
    }
    one.on_cancel_->slot_.store(nullptr, std::memory_order_release);
    return true;
  }

  // The operation is discarded: its signal may be destroyed on another thread.
  static void disconnect_locked(reply_slot& one) noexcept {
    std::lock_guard lock(cancellation_mutex);
    disconnect(one);
  }

 private:
  // Returns the process whose handler awaits with this slot, or null. The handler is resumed on its process,
  // unless its token names another executor; and it runs in a step of its process, unless it has gone on
  // elsewhere.
  static process* whose_handler(
      const asio::cancellation_slot& slot, process* resumed_on, process* running) noexcept {
    if (running && running->is_handlers_own(slot, true)) {
      return running;
    }
    bool is_away = resumed_on && resumed_on != running && resumed_on->is_handlers_own(slot, false);
    return is_away ? resumed_on : nullptr;
  }

  std::atomic<reply_slot*> slot_;
};

// A slot together with the completion handler that receives its result. Base is an answer_slot, or a class
// derived from one, such as a request.
template <class Base, class R, class Handler>
class operation final : public Base, public cached_memory {
  using decision = slot_state::decision;
  using half = slot_state::half;
  using given = std::conditional_t<takes_box<R, Handler>, std::unique_ptr<R>, R>; // what the handler takes

 public:
  // Moves the handler last, after everything else that may throw. Copies it if the user passed an lvalue.
  template <class From, class... Args>
  explicit operation(From&& handler, Args&&... args)
      : Base(std::forward<Args>(args)...), handler_(std::in_place, std::forward<From>(handler)) {}

  // Determines where the handler runs, and connects its cancellation slot.
  template <class Fallback>
  void connect(const Fallback& otherwise, turn* here) {
    asio::any_io_executor executor = executor_for(*handler_, otherwise);
    this->locate(executor, here);
    auto slot = asio::get_associated_cancellation_slot(*handler_);
    if (slot.is_connected()) {
      cancellation_handler::connect(*this, slot, here, is_awaited<Handler>);
    }
  }

  // The operation could not be created or connected, because memory ran out or a move of the user's type
  // threw; it ends without effect. A coroutine gets `why` immediately, as if its `co_await` had thrown; for
  // other handlers it is thrown.
  template <class From>
  static void fail_to_begin(operation* made, From& handler, std::exception_ptr why) {
    if constexpr (!is_awaited<Handler>) {
      if (made) {
        made->end_unregistered();
      }
      std::rethrow_exception(std::move(why));
    } else if (made) {
      Handler taken(std::move(*made->handler_));
      made->handler_.reset();
      made->end_unregistered();
      complete(taken, std::move(why));
    } else {
      complete(handler, std::move(why)); // the handler is moved last, and so is still intact
    }
  }

  void run() override {
    leave();
    if (this->is_cancellable_) {
      if (cancellation_handler::disconnect(*this)) {
        asio::get_associated_cancellation_slot(*handler_).clear();
      }
      this->resume_handler();
    }
    carried_context::scope carrying;
    if (is_tracing()) [[unlikely]] {
      carrying.begin(carried_by(*handler_));
    }
    Handler handler(std::move(*handler_));
    handler_.reset();
    std::exception_ptr error = std::move(this->error_);
    if (error) {
      tell_failure(this->said_, Base::operation(), Base::message(), this->server.get());
      this->release_half(
          half::caller); // before the handler runs: it may start the next operation in the same memory
      complete(handler, std::move(error));
    } else if constexpr (std::is_void_v<R>) {
      this->release_half(half::caller);
      std::move(handler)(std::exception_ptr());
    } else if constexpr (!std::is_nothrow_move_constructible_v<R>) {
      std::optional<given> value;
      try {
        if constexpr (takes_box<R, Handler>) {
          value = std::make_unique<R>(std::move(*this->value_));
        } else {
          value.emplace(std::move(*this->value_));
        }
      } catch (...) {
        error = std::current_exception();
      }
      this->release_half(half::caller);
      if (error) {
        complete(handler, std::move(error));
      } else {
        finish(handler, std::move(*value));
      }
    } else {
      R value(std::move(*this->value_));
      this->release_half(half::caller);
      std::move(handler)(std::exception_ptr(), std::move(value));
    }
  }

  // Does not clear the cancellation slot: its signal may have been destroyed.
  void discard() noexcept override {
    leave();
    if (this->is_cancellable_) {
      cancellation_handler::disconnect_locked(*this);
    }
    if (handler_) { // checked because GCC would warn that it may be uninitialized
      [[maybe_unused]] Handler destroyed_last(std::move(*handler_));
      handler_.reset();
      this->release_half(half::caller);
    } else {
      this->release_half(half::caller);
    }
  }

  void on_context_destroyed() noexcept override {
    if (this->decide(decision::context_destroyed)) {
      discard();
    }
  }

 private:
  // A move of the value may throw in an adapter of use_awaitable, such as as_tuple, or beyond it: then the coroutine
  // gets that error. (Where use_awaitable itself is the token, the value is in a box.)
  template <class Given>
  static void finish(Handler& handler, Given&& value) {
    if constexpr (is_awaited<Handler> && !takes_box<R, Handler>) {
      try {
        std::move(handler)(std::exception_ptr(), std::forward<Given>(value));
      } catch (...) {
        if (!owns_coroutine(handler)) {
          throw;
        }
        complete(handler, std::current_exception());
      }
    } else {
      std::move(handler)(std::exception_ptr(), std::forward<Given>(value));
    }
  }

  // The trace context that the coroutine carries which this resumes.
  OTPP_NOINLINE static intrusive_ptr<carried_context> carried_by(const Handler& handler) noexcept {
    if constexpr (is_awaited<Handler>) {
      asio::any_io_executor executor = executor_for(handler, asio::any_io_executor());
      const auto* serial = executor_target<serial_executor>(executor);
      return serial ? serial->carried() : intrusive_ptr<carried_context>();
    } else {
      return {};
    }
  }

  OTPP_INLINE void leave() noexcept {
    this->stop_waiting();
    if constexpr (requires { this->caller_leaves(); }) {
      this->caller_leaves();
    }
  }

  static void complete(Handler& handler, std::exception_ptr error) {
    if constexpr (std::is_void_v<R>) {
      std::move(handler)(std::move(error));
    } else if constexpr (std::default_initializable<given>) {
      std::move(handler)(std::move(error), given());
    } else {
      std::move(handler)(std::move(error), absent<R>());
    }
  }

  void destroy() noexcept override { delete this; }

  std::optional<Handler> handler_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
