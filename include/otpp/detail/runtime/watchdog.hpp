// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/util/biased_lock.hpp>
#include <otpp/detail/util/intrusive_list.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#pragma GCC visibility push(default)

namespace otpp::detail {

class context_state;
class process;
class turn;

// A turn from which the watchdog may take what is ready. On the stack of the thread that has the turn.
class watched_turn {
 public:
  explicit watched_turn(turn& one) noexcept;
  watched_turn(const watched_turn&) = delete;
  watched_turn& operator=(const watched_turn&) = delete;
  ~watched_turn();

  // Called by the thread that has the turn, before each step.
  void goes_on() noexcept {
    steps_.store(steps_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  // Of the thread that has the turn; see turn::access.
  void lock() noexcept { lock_.lock(); }
  void unlock() noexcept { lock_.unlock(); }

 private:
  friend class watchdog;
  friend intrusive_list<watched_turn>;

  turn& turn_;
  biased_lock lock_;
  std::atomic<unsigned> steps_{0};
  // Under the watchdog's lock:
  list_hook<watched_turn> hook_;
  unsigned steps_seen_ = ~0u; // not seen yet
  unsigned looked_at_ = 0;
};

// Looks after the turns of a context that several threads run.
//
// What a turn has found ready waits on its thread: callers that were answered, a server that was woken, and the
// deadlines of calls that the turn made. That is what makes a turn cheap, and right while user code is quick.
// Once a handler computes or blocks, the other threads could run all that. So a thread of its own looks at the
// turns at intervals, and if one has made no step in between, hands what is ready there to the executor.
//
// It sleeps once there have been no turns for a while. It is started by the first turn of a context of several threads, and ended by
// the destruction of the context, which waits for it. Asio's resolver has such a thread as well. Without it, for
// want of threads or with OTPP_DISABLE_WATCHDOG, what is ready waits for the handler.
class watchdog {
 public:
  explicit watchdog(context_state& context) noexcept : context_(context) {}

  // Called by the turn's own thread.
  void add(watched_turn& one) noexcept;
  void remove(watched_turn& one) noexcept;

  // Ends the thread. Called once, by the destruction of the context.
  void stop() noexcept;

  // Looks at each turn once, and takes what is ready where no step was made since the last look.
  void look() noexcept;

  // How long a turn may stand still. What is ready waits for one to two of these.
  static constexpr std::chrono::milliseconds interval{4};

 private:
  // What was taken from one turn.
  struct spoils {
    intrusive_ptr<lane> here;
    task_list answered;
    intrusive_ptr<process> woken;
    std::array<intrusive_ptr<lane>, 4> to_sweep;
    std::size_t sweeps = 0;
  };

  void run() noexcept;
  void look(std::unique_lock<std::mutex>& lock) noexcept;
  bool take_from(watched_turn& watched, spoils& what) noexcept;
  void hand_out(spoils what) noexcept;

  context_state& context_;
  std::mutex mutex_;
  std::condition_variable changed_;
  intrusive_list<watched_turn> turns_;
  const watched_turn* handed_out_ = nullptr; // whose things are being posted
  unsigned looks_ = 0;
  bool is_started_ = false;
  bool is_asleep_ = false;
  bool is_stopped_ = false;
  std::thread thread_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
