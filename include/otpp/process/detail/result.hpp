// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/process/self.hpp>

#include <asio/awaitable.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What the coroutine of a process has returned, until the last reference to the process is gone.
template <class T>
class result_of final : public kept_result {
 public:
  explicit result_of(T&& value) : value_(std::move(value)) {}

  // Gives the value to a join: a copy, or the value itself, once, if it cannot be copied. Returns false if it is gone.
  bool give_to(answer_slot<T>& join) noexcept {
    if constexpr (std::is_copy_constructible_v<T>) {
      join.emplace(std::as_const(value_));
      return true;
    } else {
      bool is_mine = !is_taken_.exchange(true, std::memory_order_acq_rel);
      if (is_mine) {
        join.emplace(std::move(value_));
      }
      return is_mine;
    }
  }

 private:
  T value_;
  std::atomic<bool> is_taken_{false};
};

// The body of a process whose coroutine returns a value. A class template for the same reason as
// handler_coroutine::job_of.
template <class T>
struct returning_body {
  static asio::awaitable<void> run(asio::awaitable<T> body) {
    relations& its = relations::of(*running_process("spawn"));
    T value = co_await std::move(body);
    its.keep_result(std::make_unique<result_of<T>>(std::move(value)));
  }
};

// A join that completes with what the coroutine has returned.
template <class T>
class result_request : public answer_slot<T> {
 public:
  explicit result_request(server_core* to) {
    if (to) {
      relations::of(*to);
    }
  }

  void write_end(const exit_reason& reason) noexcept override {
    relations* its = static_cast<server_core&>(*this->server).related();
    auto* kept = static_cast<result_of<T>*>(its->result().get());
    if (kept && kept->give_to(*this)) {
      return;
    }
    std::exception_ptr why = kept ? nullptr : reason.exception();
    this->write_error(why ? std::move(why) : this->say(errc::exited, reason));
  }

 protected:
  ~result_request() override = default;
  std::string_view operation() const noexcept override { return "join"; }
};

} // namespace otpp::detail

#pragma GCC visibility pop
