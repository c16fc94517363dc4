// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_guard.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/co_spawn.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Runs the handlers that are coroutines, one after another, in one coroutine that lives as long as its
// server: a `co_spawn` for each message would cost several times as much.
//
// All of it runs on the server's serial executor. The coroutine is owned by the operation that it waits for:
// between two jobs that is `parked_`, and within a job it is the operation that the handler awaits. The owner
// may destroy it on any thread, because a handler may have moved to another executor.
//
//   absent -> starting -> busy -> idle -> busy ...          starting, busy: a job runs or waits
//   idle -> retired -> absent                               the server has ended
//   starting, busy -> lost                                  the operation that the job awaited was destroyed
//   busy -> deserted -> lost                                the context is destroyed while a handler waits
class handler_coroutine {
 public:
  explicit handler_coroutine(server_core& server) noexcept : server_(server) {}

  // Returns true if a job has not finished.
  bool is_busy() const noexcept { return state_.load(std::memory_order_relaxed) >= state::starting; }

  // Any thread: returns true if the slot belongs to the coroutine chain that runs the handlers. For the chain
  // itself the answer is certain, and for every other one it is no.
  bool runs_with(const asio::cancellation_slot& slot) const noexcept {
    return slot == slot_.load(std::memory_order_relaxed);
  }

  // Runs a job until it first waits or finishes; may call server_core::job_finished() before it returns.
  void run(asio::awaitable<void> job) {
    job_.emplace(std::move(job));
    if (state_.load(std::memory_order_relaxed) == state::idle) {
      set(state::busy);
      parked_.resume();
      return;
    }
    set(state::starting);
    // Run co_spawn's dispatch inline. Posting would allocate (Asio terminates on failure), and would leave a
    // window in which the job could be cancelled before it owns its request.
    server_.let_dispatch(true);
    try {
      asio::co_spawn(
          asio::any_io_executor(serial_executor(server_)), work(frame_end(*this)),
          asio::bind_cancellation_slot(signal_.slot(), [](std::exception_ptr) noexcept {}));
    } catch (...) {
      server_.let_dispatch(false);
      set(state::absent);
      job_.reset();
      throw;
    }
    server_.let_dispatch(false);
    state was = state::starting;
    if (!state_.compare_exchange_strong(
            was, state::busy, std::memory_order_acq_rel, std::memory_order_acquire) &&
        was == state::lost) {
      server_.submit(loss_);
    }
  }

  // Makes a job of a handler. `mine` is what must live as long as it: it is moved into the frame, and given to the
  // three others. A handler may end on another executor than it began on, and cancelled: it is resumed on the server
  // before anything of the server is touched, which no cancellation can prevent.
  // A class template, so that a frame with a class of an unnamed namespace in it is in a class that has one, too:
  // g++ 12 warns of it otherwise (-Wsubobject-linkage).
  template <class Server>
  struct job_of {
    template <class Held, class Start, class Conclude, class Fail>
    static asio::awaitable<void> make(
        server_core& server, Held mine, Start start, Conclude conclude, Fail fail) {
      using returned = typename decltype(start(mine))::value_type;
      std::exception_ptr error;
      try {
        if constexpr (std::is_void_v<returned>) {
          co_await start(mine);
          if (!server.is_running_here()) {
            co_await asio::this_coro::throw_if_cancelled(false);
            co_await server.coroutine_->resume_on_server();
          }
          conclude(mine);
        } else {
          returned result = co_await start(mine);
          if (!server.is_running_here()) {
            co_await asio::this_coro::throw_if_cancelled(false);
            co_await server.coroutine_->resume_on_server();
          }
          conclude(mine, std::move(result));
        }
      } catch (...) {
        error = std::current_exception();
      }
      if (error) {
        if (!server.is_running_here()) {
          co_await asio::this_coro::throw_if_cancelled(false);
          co_await server.coroutine_->resume_on_server();
        }
        fail(mine, std::move(error));
      }
    }
  };

  // Asks the job to end, as an operation is cancelled. Called on the serial executor. The job must be on that
  // executor as well: Asio does not tell where a coroutine runs, so a job that runs on another thread now has
  // to be shielded (docs/guarantees.md).
  void cancel() {
    if (is_busy()) {
      was_cancelled_ = true;
      signal_.emit(asio::cancellation_type::terminal);
    }
  }

  // Keeps the context's run() from returning while the job waits for something that may not do so itself, such
  // as a thread pool. Both are called in a step of the process, or by the destruction of its context.
  void hold_work() noexcept {
    work_.emplace(*server_.get_lane());
    context_guard(server_.context()).register_wait(*work_);
    server_.set_counted(true);
  }
  void release_work() noexcept {
    server_.set_counted(false);
    server_.context().deregister(*work_);
    work_.reset();
  }

  // Called when the context is destroyed. Returns true if a handler waits: its frame refers to the server's
  // state, and the state is destroyed when the frame is.
  bool desert() noexcept {
    state was = state::busy;
    return state_.compare_exchange_strong(
        was, state::deserted, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  // Ends the coroutine if it is between two jobs. The coroutine returns instead of being destroyed, because
  // Asio needs memory to destroy one.
  void retire() noexcept {
    if (state_.load(std::memory_order_relaxed) != state::idle) {
      return;
    }
    set(state::retired);
    try {
      parked_.resume();
    } catch (...) {
      // There was no memory for Asio to report the coroutine's end, and no code waits for that report.
    }
  }

 private:
  enum class state : std::uint8_t { absent, idle, retired, starting, busy, lost, deserted };

  // What waits on the context for as long as a job does. Nothing answers it.
  class work_guard final : public waiter {
   public:
    explicit work_guard(lane& here) noexcept { lane_ = &here; }

   private:
    bool claim_expired() noexcept override { return false; }
    void expire() noexcept override {}
    void on_context_destroyed() noexcept override {}
  };

  // Stores in place what resumes the coroutine while it has no job.
  class parked_handler {
   public:
    parked_handler() = default;
    parked_handler(const parked_handler&) = delete;
    parked_handler& operator=(const parked_handler&) = delete;
    ~parked_handler() { destroy(); }

    template <class Handler>
    void park(Handler&& handler) noexcept {
      using handler_type = std::decay_t<Handler>;
      static_assert(sizeof(handler_type) <= sizeof(storage_));
      ::new (static_cast<void*>(storage_)) handler_type(std::forward<Handler>(handler));
      act_ = [](parked_handler& self, bool resume) {
        auto* kept = std::launder(reinterpret_cast<handler_type*>(self.storage_));
        handler_type taken(std::move(*kept));
        kept->~handler_type();
        if (resume) {
          std::move(taken)();
        }
      };
    }

    void resume() {
      if (act_) {
        std::exchange(act_, nullptr)(*this, true);
      }
    }

    void destroy() noexcept {
      if (act_) {
        std::exchange(act_, nullptr)(*this, false);
      }
    }

   private:
    alignas(std::max_align_t) std::byte storage_[64];
    void (*act_)(parked_handler&, bool) = nullptr;
  };

  // A parameter of the coroutine, so that its destructor reports the frame's destruction even if the body
  // never began.
  class frame_end {
   public:
    explicit frame_end(handler_coroutine& of) noexcept : of_(&of), keep_(&of.server_) {}
    frame_end(frame_end&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), keep_(std::move(other.keep_)) {}
    frame_end& operator=(frame_end&&) = delete;
    ~frame_end() {
      if (of_) {
        of_->frame_destroyed();
      }
    }

   private:
    handler_coroutine* of_; // outlived by its server
    intrusive_ptr<server_core> keep_;
  };

  // Reports the loss of a job: Asio's operations drop a handler if they cannot allocate.
  class loss final : public task {
   public:
    explicit loss(server_core& server) noexcept : server_(server) {}
    void run() override { server_.job_lost(); } // *this is destroyed
    void discard() noexcept override {}

   private:
    server_core& server_;
  };

  class hop_back final : public task {
   public:
    explicit hop_back(parked_handler& job) noexcept : job_(job) {}
    void run() override { job_.resume(); }
    void discard() noexcept override { job_.destroy(); }

   private:
    parked_handler& job_;
  };

  // Called by the owner of the frame, possibly while the context is being destroyed on another thread.
  void frame_destroyed() noexcept {
    job_.reset(); // first, because it refers to the state
    switch (state_.exchange(state::lost, std::memory_order_acq_rel)) {
      case state::deserted: server_.leave_state(); break;
      case state::busy: server_.submit(loss_); break;
      case state::starting: break;        // run() handles it
      default: set(state::absent); break; // the next job starts another coroutine
    }
  }

  void set(state now) noexcept { state_.store(now, std::memory_order_relaxed); }

  // Resumes a handler that completed on another executor on the server's own executor. Precondition:
  // throw_if_cancelled(false), or else a cancelled job could not wait. Unlike asio::post this allocates no
  // operation, whose failure would terminate the program; only the frame that awaits it takes memory.
  asio::awaitable<void> resume_on_server() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto&& handler) {
          parked_.park(std::move(handler));
          server_.submit(hop_back_); // the job may be running already: do not touch it after this
        },
        asio::use_awaitable);
  }

  asio::awaitable<void> park() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto&& handler) { parked_.park(std::move(handler)); }, asio::use_awaitable);
  }

  asio::awaitable<void> work([[maybe_unused]] frame_end keep) {
    while (state_.load(std::memory_order_relaxed) != state::retired) {
      co_await asio::this_coro::throw_if_cancelled(true);
      std::exception_ptr error;
      try {
        // Each job has a cancellation state of its own, whatever the last one has made of it. This takes no memory,
        // because the slot has room for the state that co_spawn made: of a state that could not be made the
        // coroutine would not survive the loss (Asio 1.22 to 1.36).
        co_await asio::this_coro::reset_cancellation_state();
        asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
        slot_.store(cancellation.slot(), std::memory_order_relaxed);
        was_cancelled_ = false;
        co_await std::move(*job_);
      } catch (...) {
        error = std::current_exception();
      }
      bool is_home = !error || server_.is_running_here(); // a job that completes does so on the server
      if (!is_home || was_cancelled_) {
        co_await asio::this_coro::throw_if_cancelled(false); // the user's cancellation must not stop the rest
      }
      if (!is_home) {
        co_await resume_on_server(); // the job may have run out of memory elsewhere
      }
      job_.reset();
      set(state::idle);
      server_.job_finished(std::move(error));
      co_await park();
    }
  }

  server_core& server_;
  loss loss_{server_};
  std::optional<asio::awaitable<void>> job_;
  parked_handler parked_;
  hop_back hop_back_{parked_};
  bool was_cancelled_ = false; // the job that runs
  std::optional<work_guard> work_;
  asio::cancellation_signal signal_;
  std::atomic<asio::cancellation_slot> slot_{asio::cancellation_slot()};
  std::atomic<state> state_{state::absent};
};

} // namespace otpp::detail

#pragma GCC visibility pop
