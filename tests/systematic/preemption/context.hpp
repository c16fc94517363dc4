// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/runtime/context_state.hpp>

#include <asio/execution.hpp>
#include <asio/execution_context.hpp>

#include <memory>
#include <type_traits>
#include <utility>

#include "explorer.hpp"

namespace preemption {

// An execution context whose queue is one point to put into and one to take from, and which any thread of a
// scenario may run. Asio's own has locks that the explorer does not see.
class context : public asio::execution_context {
 public:
  class executor_type {
   public:
    explicit executor_type(context& owner) noexcept : owner_(&owner) {}

    asio::execution_context& query(asio::execution::context_t) const noexcept { return *owner_; }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
      return asio::execution::blocking.never;
    }
    executor_type require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

    template <class Function>
    void execute(Function&& function) const {
      using kept = posted_function<std::decay_t<Function>>;
      owner_->put(std::make_unique<kept>(std::forward<Function>(function)));
    }

    friend bool operator==(const executor_type& a, const executor_type& b) noexcept {
      return a.owner_ == b.owner_;
    }
    friend bool operator!=(const executor_type& a, const executor_type& b) noexcept { return !(a == b); }

   private:
    context* owner_;
  };

  ~context() {
    if (!closed_) {
      close();
    }
  }

  executor_type get_executor() noexcept { return executor_type(*this); }

  // Runs what comes until there is no more, and nothing more is to come.
  void run() {
    while (run_one()) {
    }
  }

  // Runs one function, and waits for it; false if there is nothing more to come.
  bool run_one() {
    point(operation::wait, this, place::current(), [](const void* self) noexcept {
      auto& here = *static_cast<const context*>(self);
      return here.first_ || here.over_;
    });
    return run_next();
  }

  // Runs what is there, for the one who sets up.
  void poll() {
    while (run_next()) {
    }
  }

  // Nothing more is to come.
  void end() noexcept {
    point(operation::store, this, place::current());
    release(released_);
    over_ = true;
    changed();
    published();
  }

  // What the destructor of an io_context does, in the same order.
  void close() noexcept {
    shutdown();
    closed_ = true;
    clock().join(released_);
    while (first_) {
      std::unique_ptr<posted> one = std::move(first_);
      first_ = std::move(one->next);
    }
  }

 private:
  struct posted {
    virtual ~posted() = default;
    virtual void run() = 0;
    std::unique_ptr<posted> next;
  };

  template <class Function>
  struct posted_function final : posted {
    template <class From>
    explicit posted_function(From&& from) : function(std::forward<From>(from)) {}
    void run() override { function(); }
    Function function;
  };

  bool run_next() {
    clock().join(released_);
    if (!first_) {
      return false;
    }
    std::unique_ptr<posted> one = std::move(first_);
    first_ = std::move(one->next);
    if (!first_) {
      last_ = nullptr;
    }
    changed();
    one->run();
    return true;
  }

  void put(std::unique_ptr<posted> one) noexcept {
    point(operation::store, this, place::current());
    expect(!closed_, "posted to a context that has gone");
    release(released_);
    posted* added = one.get();
    (last_ ? last_->next : first_) = std::move(one);
    last_ = added;
    changed();
    published();
  }

  std::unique_ptr<posted> first_;
  posted* last_ = nullptr;
  bool over_ = false;
  bool closed_ = false;
  vector_clock released_;
};

} // namespace preemption
