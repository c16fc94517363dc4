// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/initiate.hpp>
#include <otpp/detail/reply/operation.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/server/owned_coroutine.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/outcome.hpp>
#include <otpp/timeout.hpp>

#include <asio/awaitable.hpp>

#include <exception>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A wait for the result of a coroutine, which has the server half. To cancel the wait is to cancel the coroutine, and
// the wait ends when that has ended.
template <class T>
class coroutine_request : public answer_slot<T> {
 public:
  void cancel() override {
    if (coroutine) {
      coroutine->request_cancel();
    }
  }

  // Releases the server half. Without an error the coroutine never began, or what it awaited was destroyed.
  void end_with(std::exception_ptr error) noexcept { this->fail(error ? std::move(error) : this->aborted()); }

  intrusive_ptr<owned_coroutine> coroutine;

 protected:
  ~coroutine_request() override = default;
  std::string_view operation() const noexcept override { return "co_spawn"; }
};

// A coroutine that ends with its server, with its type.
template <class T>
class typed_coroutine final : public owned_coroutine {
 public:
  typed_coroutine(intrusive_ptr<server_core> server, asio::awaitable<T>&& work)
      : owned_coroutine(std::move(server)), work_(std::move(work)) {}

  void give_result_to(server_half<coroutine_request<T>> who) noexcept {
    result_for_ = std::move(who);
    has_waiter_ = true;
  }

 private:
  asio::awaitable<void> body([[maybe_unused]] owned_coroutine::frame_end end) override {
    try {
      asio::awaitable<T> one = std::move(*work_);
      if constexpr (std::is_void_v<T>) {
        co_await std::move(one);
        value_.emplace();
      } else {
        T value = co_await std::move(one);
        value_.emplace(std::move(value));
      }
      this->has_returned_ = true;
    } catch (...) {
      this->error_ = std::current_exception();
    }
  }

  void destroy_work() noexcept override { work_.reset(); }

  bool tell() noexcept override {
    if (!has_waiter_) {
      if (!this->has_returned_) { // without an exception, if the operation that it awaited was destroyed
        this->fail_server(this->error_ ? exit_reason(this->error_) : exit_reason::killed());
      }
      return false;
    }
    server_half<coroutine_request<T>> who = std::move(result_for_);
    if (this->has_returned_) {
      who.release()->answer(std::move(*value_));
    } else {
      who.release()->end_with(std::move(this->error_));
    }
    return true;
  }

  void abandon(const exit_reason& reason) noexcept override {
    if (server_half<coroutine_request<T>> who = std::move(result_for_)) {
      who.release()->fail(errc::exited, reason);
    }
  }

  std::optional<asio::awaitable<T>> work_;
  std::optional<stored_t<T>> value_;
  server_half<coroutine_request<T>> result_for_;
  bool has_waiter_ = false;
};

template <class T>
struct initiate_co_spawn : initiation {
  template <class Handler>
  void operator()(Handler&& handler, intrusive_ptr<server_core> server, asio::awaitable<T> work) {
    using request = operation<coroutine_request<T>, T, std::decay_t<Handler>>;
    unregistered<request> wait = make_operation<request>(std::forward<Handler>(handler), server.get());
    if (!wait) {
      return;
    }
    intrusive_ptr<typed_coroutine<T>> made;
    std::exception_ptr why;
    try {
      made = intrusive_ptr<typed_coroutine<T>>(new typed_coroutine<T>(server, std::move(work)));
    } catch (...) {
      why = std::current_exception();
    }
    if (why) {
      refuse(std::move(wait), std::move(why));
      return;
    }
    wait->server = std::move(server);
    wait->timeout = infinite;
    wait->coroutine = made;
    if (server_half<request> half = register_wait(std::move(wait))) {
      made->give_result_to(std::move(half));
      made->start();
    }
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
