// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/serial_executor.hpp>
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

#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace otpp::detail {

// Runs the handlers that are coroutines, one after another, in one coroutine that lives as long as its
// server: a `co_spawn` for each message would cost several times as much.
//
// All of it runs on the server's serial executor. The coroutine is owned by whatever it waits for:
// between jobs by `parked_`, within a job by the operation that the handler awaits.
class worker {
 public:
  // Told of the end of a job. Lives as long as the worker's coroutine.
  class owner : public process {
   public:
    // The job returned, or left with an exception. On the serial executor, inside a step, wherever the job ended.
    virtual void job_finished(std::exception_ptr error) noexcept = 0;
    // The coroutine was destroyed, which ends the job too if there was one: on the thread that had it in hand.
    virtual void worker_destroyed() noexcept = 0;
    // What the job waited for has thrown it away; the worker is of no use any more. On the serial executor,
    // inside a step. Not if it is the context that is going.
    virtual void job_lost() noexcept = 0;

   protected:
    using process::process;
  };

  explicit worker(owner& server) noexcept : owner_(server) {}

  bool is_busy() const noexcept { return busy_; }

  // True if what is to be resumed with this slot is the chain of coroutines that runs the handlers (deadlock.hpp).
  bool runs_with(const asio::cancellation_slot& slot) const noexcept { return slot == slot_; }

  // Runs a job, as far as it goes without waiting; job_finished() may be called within.
  void run(asio::awaitable<void> job) {
    job_.emplace(std::move(job));
    busy_ = true;
    if (exists_) {
      parked_.resume();
      return;
    }
    exists_ = true;
    starting_ = true;
    // So that it begins here: that takes no memory that Asio cannot do without, and nobody cancels a job
    // that has not begun, whose request would stay in nobody's hand.
    owner_.let_dispatch(true);
    try {
      asio::co_spawn(
          asio::any_io_executor(serial_executor(owner_)), work(frame_end(*this)),
          asio::bind_cancellation_slot(signal_.slot(), [](std::exception_ptr) noexcept {}));
      owner_.let_dispatch(false);
      starting_ = false;
    } catch (...) {
      owner_.let_dispatch(false);
      starting_ = false;
      exists_ = false;
      busy_ = false;
      job_.reset();
      throw;
    }
  }

  // Asks the job to end, as an operation is cancelled. On the serial executor, where the job has to be: Asio
  // tells nobody where a coroutine is, so that one that is on another thread now has to be shielded (docs/guarantees.md).
  void cancel() {
    if (busy_) {
      needs_state_ = true;
      signal_.emit(asio::cancellation_type::terminal);
    }
  }

  // Brings a job that runs elsewhere back to the serial executor. It must have said throw_if_cancelled(false):
  // a job that is cancelled would be refused the wait. Asio's post would end the program for want of memory;
  // here only the frame that awaits it takes some.
  auto resume_on_server() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto&& handler) {
          parked_.park(std::move(handler));
          owner_.submit(hop_back_); // and nothing of the job is touched any more: it may be running there
        },
        asio::use_awaitable);
  }

  // Ends the coroutine, if it is between jobs. It returns, because Asio wants memory to destroy one.
  void retire() noexcept {
    if (busy_) {
      return;
    }
    retired_ = true;
    try {
      parked_.resume();
    } catch (...) {
      // There was none to tell Asio of its end, which nobody has asked for.
    }
  }

 private:
  // The coroutine's resumption while it has nothing to do, kept in place.
  class parked_handler {
   public:
    parked_handler() = default;
    parked_handler(const parked_handler&) = delete;
    parked_handler& operator=(const parked_handler&) = delete;
    ~parked_handler() { drop(); }

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

    void drop() noexcept {
      if (act_) {
        std::exchange(act_, nullptr)(*this, false);
      }
    }

   private:
    alignas(std::max_align_t) std::byte storage_[64];
    void (*act_)(parked_handler&, bool) = nullptr;
  };

  // A parameter of the coroutine, so that it tells of the frame's end also if the body never began.
  class frame_end {
   public:
    explicit frame_end(worker& w) noexcept : worker_(&w), keep_(&w.owner_) {}
    frame_end(frame_end&& other) noexcept
        : worker_(std::exchange(other.worker_, nullptr)), keep_(std::move(other.keep_)) {}
    frame_end& operator=(frame_end&&) = delete;
    ~frame_end() {
      if (worker_) {
        worker_->job_.reset();    // first: it refers to the state
        worker_->exists_ = false; // the next job starts another
        bool is_lost = worker_->busy_ && !worker_->starting_;
        keep_->worker_destroyed();
        if (is_lost) {
          keep_->submit(worker_->loss_);
        }
      }
    }

   private:
    worker* worker_; // lives as long as its owner
    intrusive_ptr<owner> keep_;
  };

  // Asio's operations throw away a handler that they find no memory for.
  class loss final : public task {
   public:
    explicit loss(owner& server) noexcept : owner_(server) {}
    void run() override { owner_.job_lost(); } // *this is gone
    void discard() noexcept override {}

   private:
    owner& owner_;
  };

  class hop_back final : public task {
   public:
    explicit hop_back(parked_handler& job) noexcept : job_(job) {}
    void run() override { job_.resume(); }
    void discard() noexcept override { job_.drop(); }

   private:
    parked_handler& job_;
  };

  // Each job has a cancellation state of its own. It is made anew only if there was a cancellation, or if the
  // last job has put another in its place, which destroys this. It lets through what a coroutine's first state does.
  class watched_filter {
   public:
    explicit watched_filter(bool& is_destroyed) noexcept : is_destroyed_(&is_destroyed) {}
    watched_filter(const watched_filter&) noexcept = default;
    watched_filter& operator=(const watched_filter&) = delete;
    ~watched_filter() { *is_destroyed_ = true; }
    asio::cancellation_type operator()(asio::cancellation_type type) const noexcept {
      return type & asio::cancellation_type::terminal;
    }

   private:
    bool* is_destroyed_;
  };

  auto park() {
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto&& handler) { parked_.park(std::move(handler)); }, asio::use_awaitable);
  }

  asio::awaitable<void> work([[maybe_unused]] frame_end keep) {
    while (!retired_) {
      co_await asio::this_coro::throw_if_cancelled(true);
      std::exception_ptr error;
      try {
        if (needs_state_) {
          {
            watched_filter filter(needs_state_);
            co_await asio::this_coro::reset_cancellation_state(filter);
          }
          asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
          slot_ = state.slot();
          needs_state_ = false;
        }
        co_await std::move(*job_);
      } catch (...) {
        error = std::current_exception();
      }
      bool is_home = owner_.is_running_here();
      if (needs_state_ || !is_home) {
        co_await asio::this_coro::throw_if_cancelled(false); // what follows is not the user's to cancel
      }
      if (!is_home) {
        co_await resume_on_server(); // for want of memory the job has not
      }
      job_.reset();
      busy_ = false;
      owner_.job_finished(std::move(error));
      co_await park();
    }
  }

  owner& owner_;
  loss loss_{owner_};
  std::optional<asio::awaitable<void>> job_;
  parked_handler parked_;
  hop_back hop_back_{parked_};
  bool needs_state_ = true; // the next job, a cancellation state: outlives the signal
  asio::cancellation_signal signal_;
  asio::cancellation_slot slot_;
  bool exists_ = false; // the coroutine
  bool starting_ = false;
  bool retired_ = false;
  bool busy_ = false;
};

} // namespace otpp::detail
