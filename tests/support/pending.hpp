// SPDX-License-Identifier: BSL-1.0

#pragma once

#include "support/event.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

// The result of an operation that was started and is awaited later, if at all:
//
//   pending<int> answer;
//   otpp::call<counter::get>(server, answer.token());
//   ...
//   int n = co_await answer.get();
template <class R = void>
class pending {
  struct empty {};
  using stored = std::conditional_t<std::is_void_v<R>, empty, R>;

  struct state {
    int times = 0;
    std::exception_ptr error;
    std::optional<stored> value;
    event done;
  };

 public:
  // A completion handler. It counts how often it is called, which must be once.
  class handler {
   public:
    explicit handler(std::shared_ptr<state> to) : to_(std::move(to)) {}

    void operator()(std::exception_ptr error) const {
      ++to_->times;
      to_->error = std::move(error);
      to_->done.happen();
    }
    template <class Value>
    void operator()(std::exception_ptr error, Value&& value) const {
      if (!error) {
        to_->value.emplace(std::forward<Value>(value));
      }
      (*this)(std::move(error));
    }

   private:
    std::shared_ptr<state> to_;
  };

  handler token() const { return handler(state_); }

  int times() const { return state_->times; }
  bool is_done() const { return state_->times != 0; }

  // The result: a value, or throws.
  asio::awaitable<R> get() const { return get_from(state_); }

  // The code of the error; none if there was a value.
  asio::awaitable<std::error_code> code() const { return code_from(state_); }

 private:
  static asio::awaitable<R> get_from(std::shared_ptr<state> from) {
    co_await from->done.wait();
    if (from->error) {
      std::rethrow_exception(from->error);
    }
    if constexpr (!std::is_void_v<R>) {
      co_return std::move(*from->value);
    }
  }

  static asio::awaitable<std::error_code> code_from(std::shared_ptr<state> from) {
    co_await from->done.wait();
    if (from->error) {
      try {
        std::rethrow_exception(from->error);
      } catch (const std::system_error& error) {
        co_return error.code();
      }
    }
    co_return std::error_code();
  }

  std::shared_ptr<state> state_ = std::make_shared<state>();
};

template <class R, class Handler>
asio::awaitable<void> run_into(asio::awaitable<R> work, Handler done) {
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<R>) {
      co_await std::move(work);
      done(std::exception_ptr());
    } else {
      R value = co_await std::move(work);
      done(std::exception_ptr(), std::move(value));
    }
    co_return;
  } catch (...) {
    error = std::current_exception();
  }
  done(std::move(error));
}

// Starts a coroutine, to be awaited later. It may run at once or a little later: Asio has changed its mind.
template <class R>
pending<R> in_background(const asio::any_io_executor& executor, asio::awaitable<R> work) {
  pending<R> result;
  asio::co_spawn(executor, run_into(std::move(work), result.token()), [](std::exception_ptr) {});
  return result;
}
