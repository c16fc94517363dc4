// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/impl/turn.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/require.hpp>
#include <asio/thread_pool.hpp>

#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline lane::lane(intrusive_ptr<context_state> context, const asio::any_io_executor& executor)
    : context_(std::move(context)),
      executor_(executor),
      posting_(asio::require(executor, asio::execution::blocking.never)),
      virtual_time_(context_->virtual_time_) {
  if (const auto* io = executor_target<asio::io_context::executor_type>(posting_)) {
    on_io_context_ = *io;
  } else if (const auto* pool = executor_target<asio::thread_pool::executor_type>(posting_)) {
    on_thread_pool_ = *pool;
  }
}

inline waiter::~waiter() {
  if (holds_lane_) {
    lane_->release();
  }
}

inline lane::~lane() {
  // The last reference may be released by a thread of another context while this context is being destroyed.
  // The executors are therefore released under the lock, which makes shutdown() wait for them.
  std::lock_guard lock(context_->mutex_);
  context_->lanes_.erase_if_linked(*this);
  take_executors();
}

inline lane::executors lane::take_executors() noexcept {
  return {
      std::exchange(executor_, {}), std::exchange(posting_, {}), std::exchange(on_io_context_, std::nullopt),
      std::exchange(on_thread_pool_, std::nullopt)};
}

inline task_list lane::take_inbox() noexcept {
  task_list result;
  while (true) {
    if (queued* item = inbox_.pop()) {
      result.push_back(static_cast<task&>(*item));
    } else if (inbox_.park()) {
      return result; // the next push posts again
    }
  }
}

inline void lane::deliver(task& item) noexcept {
  struct inbox_function {
    intrusive_ptr<lane> here;
    void operator()() const {
      turn on_this_thread(*here);
      task_list tasks = here->take_inbox();
      on_this_thread.run(std::move(tasks));
    }
  };
  if (virtual_time_) {
    task_list alone;
    alone.push_back(item);
    post(posted_tasks{intrusive_ptr<lane>(this), std::move(alone)});
    return;
  }
  if (inbox_.push(&item) != push_result::woke) {
    return;
  }
  while (true) {
    try {
      post(inbox_function{intrusive_ptr<lane>(this)}, &inbox_.wake_storage);
      return;
    } catch (const std::bad_alloc&) {
      std::this_thread::yield(); // as in process::post_activation
    }
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
