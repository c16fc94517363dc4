// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/outcome.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/system_executor.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace otpp::detail {

// Stands where a handler wants an R and there is none, because there is an error. The handlers of
// use_awaitable and use_future look at the error first and never convert it.
template <class R>
struct absent {
  operator R&&() const { std::terminate(); }
};

template <class Token>
inline constexpr bool needs_no_default = false;
template <class Executor>
inline constexpr bool needs_no_default<asio::use_awaitable_t<Executor>> = true;
template <class Allocator>
inline constexpr bool needs_no_default<asio::use_future_t<Allocator>> = true;

template <class R, class Token>
consteval bool check_token() {
  static_assert(
      std::is_void_v<R> || std::default_initializable<stored_t<R>> || needs_no_default<std::decay_t<Token>>,
      "otpp: this token's handler takes an answer even where there is an error, so that the answer's "
      "type must be default-constructible; asio::use_awaitable and asio::use_future ask for less");
  return true;
}

template <class R>
struct completion_signature {
  using type = void(std::exception_ptr, R);
};
template <>
struct completion_signature<void> {
  using type = void(std::exception_ptr);
};
template <class R>
using completion_signature_t = typename completion_signature<R>::type;

// The executor that a handler asks for. That of use_future takes any thread, and the system's are there when
// every context is gone; in itself it is another for each promise, and would keep it.
template <class Handler>
asio::any_io_executor executor_for(const Handler& handler, const asio::any_io_executor& otherwise) {
  using executor = asio::associated_executor_t<Handler, asio::any_io_executor>;
  if constexpr (is_promise_executor<executor> || !std::is_convertible_v<executor, asio::any_io_executor>) {
    return asio::system_executor();
  } else {
    return asio::get_associated_executor(handler, otherwise);
  }
}

// What every initiation is. Asio's cancel_after puts its timer on this executor; the timer's handler runs
// on the caller's all the same.
struct initiation {
  using executor_type = asio::any_io_executor;
  executor_type get_executor() const noexcept { return asio::system_executor(); }
};

// A slot together with the completion handler that gets what is in it. Base is an answer_slot, or
// something that is one, such as a request.
//
// With `Boxed` the handler takes a `std::unique_ptr<R>`: for answers whose move may throw, which must
// not happen while Asio carries them.
template <class Base, class R, class Handler, bool Boxed = false>
class operation final : public Base, public cached_memory {
 public:
  // The handler is moved, or copied where the user has named it, after all else that may throw.
  template <class From, class... Args>
  explicit operation(From&& handler, Args&&... args)
      : Base(std::forward<Args>(args)...), handler_(std::in_place, std::forward<From>(handler)) {}

  // Finds out where the handler is to be run, and how it is cancelled.
  void connect(const asio::any_io_executor& otherwise, turn* here) {
    asio::any_io_executor executor = executor_for(*handler_, otherwise);
    this->locate(executor, here);
    auto slot = asio::get_associated_cancellation_slot(*handler_);
    if (slot.is_connected()) {
      this->is_cancellable_ = true;
      if (auto* serial = executor_target<serial_executor>(executor)) {
        // A coroutine that a handler awaits has the server's executor and a connected slot; one that it
        // has only spawned has the executor alone, and may wait for the server.
        handler_of_ = serial->owner().get();
        this->is_handlers_own_ = is_awaited<Handler> && here && here->running() == handler_of_ &&
                                 handler_of_->is_handlers_own(slot);
      }
      slot.assign([this](asio::cancellation_type type) {
        if (type != asio::cancellation_type::none) {
          this->cancel();
        }
      });
    }
  }

  // Makes the operation and finds out what connect() does, for an initiation that has sent nothing yet. What
  // is thrown on the way, for want of memory or by a move of the user's, ends it without effect: a coroutine
  // gets it at once, as if its `co_await` had thrown, and then this returns null; to others it is thrown.
  template <class From, class... Args>
  static operation* make(From&& handler, const asio::any_io_executor& otherwise, turn* here, Args&&... args) {
    operation* made = nullptr;
    std::exception_ptr why;
    try {
      made = new operation(std::forward<From>(handler), std::forward<Args>(args)...);
      made->connect(otherwise, here);
      return made;
    } catch (...) {
      why = std::current_exception();
    }
    if constexpr (!is_awaited<Handler>) {
      delete made;
      std::rethrow_exception(std::move(why));
    } else if (made) {
      Handler taken(std::move(*made->handler_));
      delete made;
      complete(taken, std::move(why));
    } else {
      complete(handler, std::move(why)); // it is moved last, and so has not been
    }
    return nullptr;
  }

  // True if a handler of this very server waits here, which could never end.
  bool is_inside(const process& target) const noexcept { return handler_of_ == &target; }

  // Returns the process whose handler itself is what waits here, and cannot go on before; else null.
  process* waiting_handler() const noexcept { return this->is_handlers_own_ ? handler_of_ : nullptr; }

  void run() override {
    this->stop_waiting();
    if (this->is_cancellable_) {
      asio::get_associated_cancellation_slot(*handler_).clear();
    }
    Handler handler(std::move(*handler_));
    handler_.reset();
    std::exception_ptr error = std::move(this->error_);
    if (error) {
      this->leave(); // before the handler runs: it may start the next operation in the same memory
      complete(handler, std::move(error));
    } else if constexpr (std::is_void_v<R>) {
      this->leave();
      std::move(handler)(std::exception_ptr());
    } else if constexpr (Boxed || !std::is_nothrow_move_constructible_v<R>) {
      std::conditional_t<Boxed, std::unique_ptr<R>, std::optional<R>> value;
      try {
        if constexpr (Boxed) {
          value = std::make_unique<R>(std::move(*this->value_));
        } else {
          value.emplace(std::move(*this->value_));
        }
      } catch (...) {
        error = std::current_exception();
      }
      this->leave();
      if (error) {
        complete(handler, std::move(error));
      } else if constexpr (Boxed) {
        std::move(handler)(std::exception_ptr(), std::move(value));
      } else {
        std::move(handler)(std::exception_ptr(), std::move(*value));
      }
    } else {
      R value(std::move(*this->value_));
      this->leave();
      std::move(handler)(std::exception_ptr(), std::move(value));
    }
  }

  void discard() noexcept override {
    this->stop_waiting();
    if (handler_) { // asked, because GCC would warn of an uninitialised one
      [[maybe_unused]] Handler destroyed_last(std::move(*handler_));
      handler_.reset();
      this->leave();
    } else {
      this->leave();
    }
  }

  void abandon_waiting() noexcept override {
    if (this->decide()) {
      discard();
    }
  }

 private:
  static void complete(Handler& handler, std::exception_ptr error) {
    if constexpr (std::is_void_v<R>) {
      std::move(handler)(std::move(error));
    } else if constexpr (Boxed) {
      std::move(handler)(std::move(error), std::unique_ptr<R>());
    } else if constexpr (std::default_initializable<R>) {
      std::move(handler)(std::move(error), R());
    } else {
      std::move(handler)(std::move(error), absent<R>());
    }
  }

  void destroy() noexcept override { delete this; }

  std::optional<Handler> handler_;
  process* handler_of_ = nullptr;
};

} // namespace otpp::detail
