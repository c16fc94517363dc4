// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/virtual_time.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/runtime/watchdog.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <limits>
#include <mutex>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

inline turn::turn(lane& here) noexcept : lane_(&here), outer_(std::exchange(slot(), this)) {
  if (here.simulated()) {
    budget_ = here.simulated()->turn_limit();
  }
}

inline bool turn::has_place_for(const lane& other) const noexcept {
  return !next_ && budget_ > 0 && lane_ == &other;
}

inline void turn::run_next(process& claimed) noexcept {
  next_ = &claimed;
  // A living process is kept alive by its context's reference, which only the turn that runs the process
  // takes.
  if (!claimed.is_active()) {
    kept_next_ = intrusive_ptr<process>(next_);
  }
}

inline void turn::run(intrusive_ptr<process> first) {
  next_ = first.get();
  kept_next_ = std::move(first);
  run_all();
}

inline void turn::run(task_list tasks) {
  tail_.push_front(std::move(tasks));
  run_all();
}

inline void turn::run_all() {
  if (lane_->is_shared() && lane_->context().may_be_shared(static_cast<const void*>(&slot()))) [[unlikely]] {
    run_all_watched();
    return;
  }
  while (!is_spent()) {
    if (!tail_.empty()) {
      spend();
      tail_.pop_front().run();
    } else if (next_) {
      running_ = std::exchange(next_, nullptr);
      run_process();
    } else {
      return;
    }
  }
}

OTPP_NOINLINE inline void turn::run_all_watched() {
  watched_turn while_it_runs(*this);
  while (!is_spent()) {
    while_it_runs.goes_on();
    task* resumed = nullptr;
    process* woken = nullptr;
    {
      std::lock_guard mine(while_it_runs);
      if (!tail_.empty()) {
        resumed = &tail_.pop_front();
      } else {
        woken = std::exchange(next_, nullptr);
        running_ = woken;
      }
    }
    if (resumed) {
      spend();
      resumed->run();
    } else if (woken) {
      run_process();
    } else {
      return;
    }
  }
}

inline void turn::run_process() {
  struct running {
    turn& here;
    intrusive_ptr<process> kept;
    ~running() {
      here.running_ = nullptr;
      here.ended_ = {};
    }
  } scope{*this, std::move(kept_next_)};
  tail_room_ = chunk;
  running_->run_steps(*this);
}

inline void turn::keep(process& ended) noexcept { ended_ = intrusive_ptr<process>::adopt(&ended); }

inline void turn::run_later(task& item) noexcept {
  if (watched_) [[unlikely]] {
    run_later_watched(item);
  } else {
    put_into_tail(item);
  }
}

OTPP_NOINLINE inline void turn::run_later_watched(task& item) noexcept {
  std::lock_guard mine(*watched_);
  put_into_tail(item);
}

OTPP_INLINE void turn::put_into_tail(task& item) noexcept {
  tail_.push_back(item);
  // While a server is busy, other threads of the context may resume the callers that it has answered. They
  // are posted in chunks, because one post for each costs three times as much.
  if (running_ && --tail_room_ <= 0) {
    tail_room_ += chunk;
    post_tail();
  }
}

inline void turn::post_tail() noexcept {
  posted_tasks all{intrusive_ptr<lane>(lane_), std::move(tail_)};
  try {
    lane_->post(std::move(all));
  } catch (...) {
    tail_.push_front(std::move(all.tasks)); // no memory for the post: they stay in this turn
  }
}

inline void turn::register_one(waiter& one) noexcept {
  access mine(*this);
  remove_local(one);
  lane_->context().register_and(one, waiter::membership::turn_local, [] {});
}

inline void turn::hand_out(const process& owner) noexcept {
  access mine(*this);
  budget_ = 0;
  tail_room_ = (std::numeric_limits<int>::min)() / 2; // each answer is posted
  register_local(&owner);
  while (!tail_.empty()) {
    lane_->deliver(tail_.pop_front());
  }
  if (next_) {
    register_local(next_);
    intrusive_ptr<process> kept = std::move(kept_next_);
    std::exchange(next_, nullptr)->post_activation();
  }
}

inline turn::~turn() {
  slot() = outer_;
  if (next_) {
    register_local(next_);
    next_->post_activation();
  }
  // A single task is delivered through the lane's inbox, which needs no memory. Several are posted together;
  // the inbox would pass the rest from turn to turn, one at a time. In virtual time each is delivered on its
  // own, so that the simulation can change their order.
  if (tail_.has_many() && !lane_->simulated()) {
    post_tail();
  }
  while (!tail_.empty()) {
    lane_->deliver(tail_.pop_front());
  }
}

} // namespace otpp::detail

#pragma GCC visibility pop
