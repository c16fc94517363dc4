// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/context_state.hpp>
#include <otpp/detail/runtime/impl/context_state.hpp>
#include <otpp/detail/runtime/impl/lane.hpp>
#include <otpp/detail/runtime/impl/turn.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/runtime/watchdog.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <asio/detail/signal_blocker.hpp>

#include <limits>
#include <mutex>
#include <thread>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline watched_turn::watched_turn(turn& one) noexcept : turn_(one) {
  turn_.lane_->context().get_watchdog().add(*this);
  turn_.watched_ = this;
  turn_.watched_locals_ = turn_.local_.empty() ? 0 : (std::numeric_limits<int>::max)() / 2;
}

inline watched_turn::~watched_turn() {
  turn_.lane_->context().get_watchdog().remove(*this);
  turn_.watched_ = nullptr;
}

inline void watchdog::add(watched_turn& one) noexcept {
  bool is_due = false;
  {
    std::lock_guard lock(mutex_);
    turns_.push_front(one);
    if (!is_started_ && !is_stopped_) {
      is_started_ = true;
      try {
        asio::detail::signal_blocker block; // signals are for the program's own threads
        thread_ = std::thread([this, keep = intrusive_ptr<context_state>(&context_)] { run(); });
      } catch (...) {
        // The system has no thread, or no memory for one: what is ready waits for the handler.
      }
    }
    is_due = std::exchange(is_asleep_, false);
  }
  if (is_due) {
    changed_.notify_all();
  }
}

inline void watchdog::remove(watched_turn& one) noexcept {
  std::unique_lock lock(mutex_);
  // What was taken from this turn is no work of the context until it is posted: without the turn run() could return.
  changed_.wait(lock, [&] { return handed_out_ != &one; });
  turns_.erase(one);
}

inline void watchdog::stop() noexcept {
  {
    std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach(); // it has released the last owner of the context, and ends when it returns from there
  } else if (thread_.joinable()) {
    thread_.join();
  }
}

inline void watchdog::run() noexcept {
  constexpr int patience = 50; // intervals without a turn until it sleeps
  std::unique_lock lock(mutex_);
  int without = 0;
  while (!is_stopped_) {
    without = turns_.empty() ? without + 1 : 0;
    if (without == patience) {
      is_asleep_ = true;
      changed_.wait(lock, [&] { return is_stopped_ || !is_asleep_; });
      without = 0; // the turn that has woken it may have ended already
    } else {
      changed_.wait_for(lock, interval, [&] { return is_stopped_; });
    }
    look(lock);
  }
}

inline void watchdog::look(std::unique_lock<std::mutex>& lock) noexcept {
  ++looks_;
  auto is_new = [&](watched_turn& one) { return std::exchange(one.looked_at_, looks_) != looks_; };
  while (watched_turn* one = is_stopped_ ? nullptr : turns_.find(is_new)) {
    unsigned steps = one->steps_.load(std::memory_order_relaxed);
    if (std::exchange(one->steps_seen_, steps) != steps) {
      continue;
    }
    handed_out_ = one;
    for (bool has_more = true; has_more;) {
      spoils what;
      has_more = take_from(*one, what);
      lock.unlock();
      hand_out(std::move(what));
      lock.lock();
    }
    handed_out_ = nullptr;
    changed_.notify_all();
  }
}

inline void watchdog::look() noexcept {
  std::unique_lock lock(mutex_);
  look(lock);
}

// Takes what is ready from a turn whose thread is in user code. Returns true if there is more. The turn cannot end
// meanwhile, because its destructor takes the watchdog's lock. The context's lock is taken before the turn's: the
// thread that has the turn may hold the context's lock when it takes the turn's.
inline bool watchdog::take_from(watched_turn& watched, spoils& what) noexcept {
  std::lock_guard lock(context_.mutex_);
  if (context_.closed_ || !watched.lock_.try_take()) {
    return false;
  }
  turn& one = watched.turn_;
  what.here = intrusive_ptr<lane>(one.lane_);
  what.answered.push_front(std::move(one.tail_));
  while (what.sweeps != what.to_sweep.size() && !one.local_.empty()) {
    waiter& waiting = *one.local_.back();
    waiting.is_turn_local_.store(false, std::memory_order_relaxed);
    one.local_.erase(waiting);
    if (waiting.get_membership() == waiter::membership::turn_local) {
      if (intrusive_ptr<lane> due = context_.register_locked(waiting, context_.when_over(waiting.timeout))) {
        what.to_sweep[what.sweeps++] = std::move(due);
      }
    }
  }
  // Only without turn-local waits may a server go to another thread: it would answer them there.
  bool has_more = !one.local_.empty();
  if (one.next_ && !has_more) {
    what.woken = one.kept_next_ ? std::move(one.kept_next_) : intrusive_ptr<process>(one.next_);
    one.next_ = nullptr;
  }
  watched.lock_.give_back();
  return has_more;
}

inline void watchdog::hand_out(spoils what) noexcept {
  for (std::size_t i = 0; i != what.sweeps; ++i) {
    context_.post_sweep(*what.to_sweep[i]);
  }
  while (!what.answered.empty()) {
    what.here->deliver(what.answered.pop_front());
  }
  if (what.woken) {
    what.woken->post_activation();
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
