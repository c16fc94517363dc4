// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/carried_context.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/server/tracing.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/watchers.hpp>
#include <otpp/exit_reason.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/co_spawn.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A coroutine that ends with its server (otpp::co_spawn): its frame is destroyed before the server's state is, so
// that it may refer to the state.
//
// It runs on the server's serial executor, so never at the same time as a handler or another one. It begins in a
// task of its own, after the step that has asked for it.
//
// This object has four kinds of owners, each with a counted reference: the server's list (relations::coroutines),
// from start() until the coroutine is over; the queue in which it waits to begin or to end; the frame; and the slot
// of whoever waits for the result. The frame is owned by the operation that the coroutine awaits, which may destroy
// it on any thread. That changes the state as follows, in a step of the server unless it says otherwise:
//
//   created -> running            the task begins it
//   created -> gone               the server ends before that; or its context is destroyed
//   running -> gone               any thread: the frame is destroyed, because the coroutine is over, or because the
//                                 operation that it awaited was destroyed
//   running -> deserted -> gone   the context is destroyed, or its executor refuses the server, while the coroutine
//                                 waits; then any thread destroys the frame, and the last of these frames destroys
//                                 the server's state (server_core::leave_state)
//
// When the frame is gone, a task of the server says how it ended, and takes it off the list. Where somebody waits for
// the result, that task is queued again behind the result: a completion handler on the server's executor is called
// before the server, which waits for an empty list, goes on with its end (server_core::end_coroutines).
class owned_coroutine : public task, public counted<owned_coroutine> {
 public:
  // May throw std::bad_alloc.
  explicit owned_coroutine(intrusive_ptr<server_core> server) : server_(std::move(server)) {
    relations::of(*server_);
    if (is_tracing()) [[unlikely]] {
      carried_ = intrusive_ptr<carried_context>(new carried_context(context_here(turn::current())));
    }
  }
  ~owned_coroutine() override = default;

  // Any thread; once. In a step of the server, the server owns the coroutine from here on.
  void start() noexcept {
    if (server_->is_running_here()) {
      server_->refuses_coroutines_ ? refuse() : enlist();
    }
    submit();
  }

  // Cancels it, as the server's end does. Called in a step of the server. `again`: even if it has been before.
  void cancel(bool again) noexcept {
    if (was_cancelled_ && !again) {
      return;
    }
    was_cancelled_ = true;
    if (state_.load(std::memory_order_acquire) == state::running) {
      try {
        signal_.emit(asio::cancellation_type::terminal);
      } catch (...) {
        // There was no memory to cancel it; its server ends when it has completed, or is killed.
      }
    }
  }

  // Any thread: cancels it for whoever waits for its result.
  void request_cancel() noexcept {
    if (server_->is_running_here()) {
      cancel(true);
    } else if (!cancel_.is_queued.exchange(true, std::memory_order_acq_rel)) {
      add_ref();
      server_->submit(cancel_);
    }
  }

  // Called by the destruction of the context, for one that was on the list. Returns true if its frame lives on.
  bool desert(const exit_reason& reason) noexcept {
    state was = state::running;
    if (state_.compare_exchange_strong(
            was, state::deserted, std::memory_order_acq_rel, std::memory_order_acquire)) {
      abandon(reason);
      return true;
    }
    if (was == state::created) {
      state_.store(state::gone, std::memory_order_relaxed);
      destroy_work();
      abandon(reason);
    }
    return false;
  }

 protected:
  // A parameter of the coroutine, so that its destructor reports the frame's destruction even if the body
  // never began.
  class frame_end {
   public:
    explicit frame_end(owned_coroutine& of) noexcept : of_(&of) {}
    frame_end(frame_end&&) noexcept = default;
    frame_end& operator=(frame_end&&) = delete;
    ~frame_end() {
      if (of_) {
        of_->frame_destroyed();
      }
    }

   private:
    intrusive_ptr<owned_coroutine> of_;
  };

  // Runs the user's coroutine, and writes down how it has ended. Throws nothing.
  virtual asio::awaitable<void> body(frame_end end) = 0;

  // Destroys the user's coroutine, or what makes it: it may refer to the state.
  virtual void destroy_work() noexcept = 0;

  // The frame is gone: tells whoever waits for the result, and returns true; false if nobody does.
  virtual bool tell() noexcept = 0;

  // The server has ended without it: tells whoever waits for the result.
  virtual void abandon(const exit_reason& reason) noexcept = 0;

  // Ends the server, as an exception of a handler would, and at once: a handler that waits is cancelled.
  void fail_server(exit_reason reason) noexcept {
    if (!server_->is_to_end()) {
      server_->request_end(std::move(reason), "a coroutine of otpp::co_spawn");
      server_->wake_to_end();
    }
  }

  bool has_returned_ = false;
  std::exception_ptr error_; // that has ended it

 private:
  friend intrusive_list<owned_coroutine>;

  enum class state : std::uint8_t { created, running, gone, deserted };

  class cancel_task final : public task {
   public:
    explicit cancel_task(owned_coroutine& one) noexcept : one_(one) {}
    void run() override {
      is_queued.store(false, std::memory_order_release);
      one_.cancel(true);
      one_.release();
    }
    void discard() noexcept override { one_.release(); }

    std::atomic<bool> is_queued{false};

   private:
    owned_coroutine& one_;
  };

  void run() final {
    auto keep = intrusive_ptr<owned_coroutine>::adopt(this); // the reference of the queue
    state_.load(std::memory_order_acquire) == state::created ? begin() : conclude();
  }

  // The server has ended with its context.
  void discard() noexcept final {
    auto keep = intrusive_ptr<owned_coroutine>::adopt(this);
    abandon(exit_reason::killed());
  }

  void submit() noexcept {
    add_ref();
    server_->submit(*this);
  }

  void enlist() noexcept {
    add_ref();
    server_->related()->coroutines.push_front(*this);
  }

  // It will not begin. At once, because the state may be destroyed next.
  void refuse() noexcept {
    state_.store(state::gone, std::memory_order_relaxed);
    destroy_work();
  }

  void begin() noexcept {
    if (!hook_.is_linked()) { // it was not started in a step of the server
      server_->refuses_coroutines_ ? void(was_cancelled_ = true) : enlist();
    }
    if (was_cancelled_) {
      refuse();
      conclude();
      return;
    }
    state_.store(state::running, std::memory_order_relaxed);
    // Run co_spawn's dispatch inline: where posting finds no memory, Asio terminates. The handler keeps the signal as
    // long as Asio's frame, which refers to it.
    server_->let_dispatch(true);
    try {
      asio::co_spawn(
          asio::any_io_executor(serial_executor(*server_, carried_)), body(frame_end(*this)),
          asio::bind_cancellation_slot(
              signal_.slot(), [keep = intrusive_ptr<owned_coroutine>(this)](std::exception_ptr) noexcept {}));
    } catch (...) {
      if (!has_returned_ && !error_) {
        error_ = std::current_exception();
      }
    }
    server_->let_dispatch(false);
  }

  // Called by the owner of the frame, possibly while the context is being destroyed on another thread.
  void frame_destroyed() noexcept {
    destroy_work(); // first, because it refers to the state
    if (state_.exchange(state::gone, std::memory_order_acq_rel) == state::deserted) {
      server_->leave_state();
    } else {
      submit();
    }
  }

  void conclude() noexcept {
    if (!std::exchange(is_told_, true) && tell()) {
      submit(); // behind the result
    } else if (server_->related()->coroutines.erase_if_linked(*this)) {
      release();
      if (server_->waits_for_ == server_core::waits_for::coroutines &&
          server_->related()->coroutines.empty()) {
        server_->waits_for_ = server_core::waits_for::turn;
      } else {
        server_->look_if_it_drains();
      }
    }
  }

  intrusive_ptr<server_core> server_;
  intrusive_ptr<carried_context> carried_; // null where nothing is traced
  cancel_task cancel_{*this};
  bool was_cancelled_ = false;
  bool is_told_ = false;
  std::atomic<state> state_{state::created};
  asio::cancellation_signal signal_;
  list_hook<owned_coroutine> hook_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
