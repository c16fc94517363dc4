// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/memory/op_storage.hpp>
#include <otpp/detail/queue/mpsc_queue.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/deadlines.hpp>
#include <otpp/detail/runtime/virtual_time.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/prefer.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>

#include <cstdint>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

class context_state;

// One executor of one context, on which servers run and callers wait. Servers with equal executors share a
// lane.
//
// It keeps the executor in the form with the cheapest post, and an inbox for completions that other contexts
// deliver.
class lane : public counted<lane> {
 public:
  lane(intrusive_ptr<context_state> context, const asio::any_io_executor& executor);

  context_state& context() const noexcept { return *context_; }
  const asio::any_io_executor& executor() const noexcept { return executor_; }

  // Returns the simulation of the context, or null in the usual case.
  virtual_time* simulated() const noexcept { return virtual_time_; }

  // Returns true if several threads may run this lane at the same time, if there are several.
  bool is_shared() const noexcept { return threads_ != threads::one; }

  // Returns true if a completion that is bound to `executor` may run on a thread that runs this lane.
  bool serves(const asio::any_io_executor& executor) const noexcept { return executor_ == executor; }

  // Posts a function. With `storage`, does not allocate if the executor is Asio's own. Precondition: the
  // thread is inside the context or its gate.
  template <class Function>
  void post(Function&& function, op_storage* storage = nullptr) const {
    op_allocator<void> allocator(storage);
    if (on_io_context_) {
      hand_to(
          asio::prefer(*on_io_context_, asio::execution::allocator(allocator)),
          std::forward<Function>(function));
    } else if (on_thread_pool_) {
      hand_to(
          asio::prefer(*on_thread_pool_, asio::execution::allocator(allocator)),
          std::forward<Function>(function));
    } else {
      hand_to(posting_, std::forward<Function>(function));
    }
  }

  // Posts what `make` makes, for which nobody is left to hear of a failure: a message has been published, or an
  // answer written. Tries until there is memory, which an executor other than Asio's own may need. Returns false
  // if the executor refuses work; what was made has then been destroyed while the exception was thrown.
  template <class Make>
  bool post_at_last(Make make, op_storage& storage) const noexcept {
    while (true) {
      try {
        post(make(), &storage);
        return true;
      } catch (const std::bad_alloc&) {
        std::this_thread::yield();
      } catch (...) {
        return false;
      }
    }
  }

  // Delivers a task from another context, to run here. Precondition: the thread is inside the context's gate.
  void deliver(task& item) noexcept;

  // Takes the delivered tasks, and parks the inbox.
  task_list take_inbox() noexcept;

 private:
  friend class context_state;
  friend intrusive_list<lane>;

  // How many threads run it.
  enum class threads : std::uint8_t { one, those_of_context, several };
  threads threads_of(const asio::any_io_executor& executor) const noexcept;

  // Everything that must not outlive the context.
  struct executors {
    asio::any_io_executor own;
    asio::any_io_executor posting;
    std::optional<asio::io_context::executor_type> on_io_context;
    std::optional<asio::thread_pool::executor_type> on_thread_pool;
    std::optional<asio::steady_timer> timer;
  };
  executors take_executors() noexcept;
  void drop_inbox() noexcept;

  friend counted<lane>;
  static void destroy(const lane* last) noexcept;

  intrusive_ptr<context_state> context_;
  asio::any_io_executor executor_;
  asio::any_io_executor posting_; // never blocks
  // Set if the executor can post without a virtual call and into storage of ours.
  std::optional<asio::io_context::executor_type> on_io_context_;
  std::optional<asio::thread_pool::executor_type> on_thread_pool_;
  mpsc_queue<queued> inbox_{true};
  virtual_time* virtual_time_;
  threads threads_ = threads::one;
  // Under the context's lock:
  list_hook<lane> hook_;   // in the context's list
  bool is_unused_ = false; // nobody refers to it any more, and the destruction of the context deletes it
  deadlines deadlines_;
  // Whose timer looks after what waits here. That of an executor that is not Asio's own is another lane of the
  // context, if there is one when this is made: Asio ends the program if such an executor finds no memory for the
  // work guard of a timer.
  lane* timekeeper_ = this;
};

} // namespace otpp::detail

#pragma GCC visibility pop
