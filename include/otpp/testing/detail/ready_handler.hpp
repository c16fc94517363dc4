// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::testing {

class context;

namespace detail {

// A handler that is ready.
class ready_handler {
 public:
  explicit ready_handler(const context& where) noexcept : home(&where) {}
  ready_handler(const ready_handler&) = delete;
  ready_handler& operator=(const ready_handler&) = delete;
  virtual ~ready_handler() = default;
  virtual void run() = 0; // deletes this object before it calls the function

  const context* const home;
};

template <class Function>
class ready_function final : public ready_handler {
 public:
  template <class F>
  ready_function(const context& where, F&& f) : ready_handler(where), function_(std::forward<F>(f)) {}
  void run() override {
    Function mine(std::move(function_));
    delete this;
    std::move(mine)();
  }

 private:
  Function function_;
};

} // namespace detail
} // namespace otpp::testing

#pragma GCC visibility pop
