// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/impl/turn.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/util/biased_lock.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/execution.hpp>
#include <asio/io_context.hpp>
#include <asio/query.hpp>
#include <asio/require.hpp>
#include <asio/thread_pool.hpp>

#include <exception>
#include <mutex>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline lane::lane(intrusive_ptr<context_state> context, const asio::any_io_executor& executor)
    : context_(std::move(context)),
      executor_(executor),
      posting_(asio::require(executor, asio::execution::blocking.never)),
      virtual_time_(context_->virtual_time_) {
  threads_ = threads_of(executor);
  if (threads_ == threads::several) {
    context_->expect_several_threads();
  }
  if (const auto* io = executor_target<asio::io_context::executor_type>(posting_)) {
    on_io_context_ = *io;
  } else if (const auto* pool = executor_target<asio::thread_pool::executor_type>(posting_)) {
    on_thread_pool_ = *pool;
  }
}

// Of an executor that is not Asio's own it is assumed that it has several threads.
inline lane::threads lane::threads_of(const asio::any_io_executor& executor) const noexcept {
  if (!has_watchdog || virtual_time_ || !biased_lock::is_supported()) {
    return threads::one; // nobody could take anything from its turns
  }
  if (const auto* pool = executor_target<asio::thread_pool::executor_type>(executor)) {
    return asio::query(*pool, asio::execution::occupancy) == 1 ? threads::those_of_context : threads::several;
  }
  if (executor_target<asio::io_context::executor_type>(executor)) {
    return threads::those_of_context;
  }
  return is_asios_own(executor) ? threads::one : threads::several; // a strand
}

inline waiter::~waiter() {
  if (holds_lane_) {
    lane_->release();
  }
}

// The last reference may be released by a thread of another context, while this context is being destroyed.
// An executor must be destroyed before its context, and under no lock, because it may be the user's.
inline void lane::destroy(const lane* last) noexcept {
  lane* unused = const_cast<lane*>(last);
  intrusive_ptr<context_state> context = unused->context_;
  if (!context->enter()) {
    std::lock_guard lock(context->mutex_);
    if (unused->hook_.is_linked()) {
      unused->is_unused_ = true; // shutdown() has yet to take its executors, and deletes it
    } else {
      delete unused;
    }
    return;
  }
  const context_state* outer = std::exchange(context_state::whose_lane_ends(), context.get());
  {
    executors destroyed_in_the_gate;
    {
      std::lock_guard lock(context->mutex_);
      context->forget(*unused);
      destroyed_in_the_gate = unused->take_executors();
    }
    delete unused;
  }
  context_state::whose_lane_ends() = outer;
  context->leave();
}

inline lane::executors lane::take_executors() noexcept {
  return {
      std::exchange(executor_, {}), std::exchange(posting_, {}), std::exchange(on_io_context_, std::nullopt),
      std::exchange(on_thread_pool_, std::nullopt), std::exchange(deadlines_.timer, std::nullopt)};
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

// The executor will not run what is in the inbox. In a context that is being destroyed, shutdown() takes it.
inline void lane::drop_inbox() noexcept {
  if (context_->enter()) {
    intrusive_ptr<context_state> context = context_;
    task_list dropped = take_inbox();
    context->leave();
    dropped.discard(); // in no gate, because it destroys the user's handlers
  }
}

inline void lane::deliver(task& item) noexcept {
  struct inbox_function {
    explicit inbox_function(lane& where) noexcept : here(&where) {}
    inbox_function(inbox_function&&) noexcept = default;
    inbox_function& operator=(inbox_function&&) = delete;
    ~inbox_function() {
      if (here && !std::uncaught_exceptions()) { // else post_at_last() catches what was thrown
        here->drop_inbox();
      }
    }

    void operator()() {
      intrusive_ptr<lane> taken = std::move(here);
      turn on_this_thread(*taken);
      task_list tasks = taken->take_inbox();
      on_this_thread.run(std::move(tasks));
    }

    intrusive_ptr<lane> here;
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
  intrusive_ptr<lane> keep(this);
  if (!post_at_last([this] { return inbox_function(*this); }, inbox_.wake_storage)) {
    drop_inbox();
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
