// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/queue/task.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/runtime/virtual_time.hpp>
#include <otpp/detail/runtime/waiter.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>

#include <utility>

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
  // While a server lives its room holds it, and only the turn that runs it takes it from there.
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
  while (!is_spent()) {
    if (!tail_.empty()) {
      spend();
      tail_.pop_front().run();
    } else if (next_) {
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
  running_ = std::exchange(next_, nullptr);
  tail_size_ = 0;
  running_->run_steps(*this);
}

inline void turn::keep(process& ended) noexcept { ended_ = intrusive_ptr<process>::adopt(&ended); }

inline void turn::run_later(task& item) noexcept {
  tail_.push_back(item);
  // While a server is at work, other threads of the context may resume those whom it has answered:
  // in chunks, because a post each costs three times as much (performance.md, 4.7).
  if (running_ && ++tail_size_ == 8) {
    tail_size_ = 0;
    post_tail();
  }
}

inline void turn::post_tail() noexcept {
  posted_tasks all{intrusive_ptr<lane>(lane_), std::move(tail_)};
  try {
    lane_->post(std::move(all));
  } catch (...) {
    tail_.push_front(std::move(all.tasks)); // no memory: they stay here
  }
}

inline void turn::settle_one(waiter& one) noexcept {
  remove_fresh(one);
  lane_->context().enroll_and(one, waiter::membership::fresh, [] {});
}

inline turn::~turn() {
  slot() = outer_;
  if (next_) {
    settle(next_);
    next_->post_activation();
  }
  // One goes through the inbox, for which there is memory; of many the rest would be handed on from turn to
  // turn, each time one by one. In a virtual_time each goes by itself, so that their order can be another.
  if (tail_.has_many() && !lane_->simulated()) {
    post_tail();
  }
  while (!tail_.empty()) {
    lane_->deliver(tail_.pop_front());
  }
}

} // namespace otpp::detail
