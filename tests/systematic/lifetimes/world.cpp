// SPDX-License-Identifier: BSL-1.0

#include "world.hpp"

#include <otpp/sys/processes.hpp>

#include <cstdio>
#include <cstdlib>

#include "nap.hpp"
#include "worker.hpp"

namespace lifetimes {

namespace {

std::array<std::atomic<std::int64_t>, static_cast<std::size_t>(count::size)> counters{};

} // namespace

void note(count what, std::int64_t n) noexcept {
  counters[static_cast<std::size_t>(what)].fetch_add(n, std::memory_order_relaxed);
}
std::int64_t total(count what) noexcept {
  return counters[static_cast<std::size_t>(what)].load(std::memory_order_relaxed);
}

// ---- place ----

place::place(kind what, int threads, int strand_count) : is_serial(threads == 1) {
  note(count::contexts_made);
  if (what == kind::thread_pool) {
    pool_.emplace(static_cast<std::size_t>(threads));
    executor = pool_->get_executor();
  } else {
    io_.emplace(threads);
    executor = io_->get_executor();
    work_.emplace(io_->get_executor());
  }
  bool may_block = what == kind::thread_pool;
  homes.push_back({otpp::options().on(executor), may_block});
  for (int n = 0; n != strand_count; ++n) {
    strands.emplace_back(asio::make_strand(executor));
    homes.push_back({otpp::options().on(strands.back()), may_block});
  }
  if (io_) {
    for (int n = 0; n != threads; ++n) {
      crew_.emplace_back([this] { io_->run(); });
    }
  }
}

void place::close() {
  if (closing->exchange(true)) {
    return;
  }
  if (io_) {
    io_->stop();
  } else {
    pool_->stop();
    pool_->join();
  }
  for (std::thread& one : crew_) {
    one.join();
  }
  work_.reset();
  executor = {};
  strands.clear();
  io_.reset();
  pool_.reset();
  homes.clear();
  note(count::contexts_destroyed);
}

void place::nudge() {
  asio::post(executor, [] {});
}

// ---- world ----

world::world(std::uint64_t with_seed) : seed(with_seed) {
  for (place* one : {&io, &pool}) {
    homes_.insert(homes_.end(), one->homes.begin(), one->homes.end());
  }
  gravedigger_ = std::thread([this] {
    std::unique_lock lock(grave_mutex_);
    while (true) {
      grave_changed_.wait(lock, [this] { return !graves_.empty() || is_grave_closed_; });
      if (graves_.empty()) {
        return;
      }
      std::unique_ptr<place> last(graves_.back());
      graves_.pop_back();
      lock.unlock();
      last.reset();
      lock.lock();
      --owned_;
      grave_changed_.notify_all();
    }
  });
}

world::~world() {
  {
    std::lock_guard lock(grave_mutex_);
    is_grave_closed_ = true;
  }
  grave_changed_.notify_all();
  gravedigger_.join();
}

worker_ref world::pick(dice& random) { return at(random.below(slots)); }

std::vector<worker_ref> world::pick_some(dice& random) {
  std::vector<worker_ref> result;
  for (std::uint32_t n = 2 + random.below(4); n != 0; --n) {
    worker_ref one = pick(random);
    if (one) {
      result.push_back(std::move(one));
    }
  }
  return result;
}

void world::put(std::size_t slot, worker_ref one) {
  {
    std::lock_guard lock(mutex_);
    std::swap(servers_[slot], one);
  }
  // Nobody knows it any more, and if it owned its context by its executor, both would live forever.
  if (one) {
    otpp::kill(one);
  }
}

worker_ref world::at(std::size_t slot) {
  std::lock_guard lock(mutex_);
  return servers_[slot];
}

home world::pick_home(dice& random) {
  std::lock_guard lock(mutex_);
  return homes_[random.below(homes_.size())];
}

asio::any_io_executor world::make_custom(dice& random, permission& may_go) {
  custom_executor made;
  switch (random.below(3)) {
    case 0: {
      auto* owned = new place(place::kind::io_context, 1, 0);
      {
        std::lock_guard lock(grave_mutex_);
        ++owned_;
      }
      made.inner = owned->executor;
      may_go = owned->closing;
      made.owner = std::shared_ptr<void>(owned, [this](void* last) { bury(static_cast<place*>(last)); });
      break;
    }
    case 1:
      made.inner = io.strands[random.below(7)];
      may_go = io.closing;
      break;
    default:
      made.inner = io.strands[7];
      made.limit = std::make_shared<refusal>(static_cast<int>(random.below(24)));
      may_go = made.limit->has_refused;
  }
  return made;
}

void world::bury(place* last) {
  otpp::processes(); // as the destructor of a user's executor may ask
  std::lock_guard lock(grave_mutex_);
  graves_.push_back(last);
  grave_changed_.notify_all();
}

int world::wait_for_owned(std::chrono::seconds patience) {
  std::unique_lock lock(grave_mutex_);
  grave_changed_.wait_for(lock, patience, [this] { return owned_ == 0; });
  return owned_;
}

place& world::make_mortal(dice& random, std::size_t which) {
  bool is_pool = random.below(2) == 0;
  auto made = std::make_unique<place>(
      is_pool ? place::kind::thread_pool : place::kind::io_context, 1 + static_cast<int>(random.below(2)),
      static_cast<int>(random.below(6)));
  mortals[which] = std::move(made);
  place& result = *mortals[which];
  std::lock_guard lock(mutex_);
  homes_.insert(homes_.end(), result.homes.begin(), result.homes.end());
  while (homes_.size() > 28) { // of which the first are of contexts that stay
    homes_.erase(homes_.begin() + 12);
  }
  return result;
}

void world::leave_call(otpp::caller<int> from) {
  std::lock_guard lock(calls_mutex_);
  calls_.push_back(std::move(from));
  calls_changed_.notify_one();
}

std::vector<otpp::caller<int>> world::take_calls() {
  std::unique_lock lock(calls_mutex_);
  calls_changed_.wait(lock, [this] { return !calls_.empty() || over; });
  return std::exchange(calls_, {});
}

void world::end_calls() {
  std::lock_guard lock(calls_mutex_);
  calls_changed_.notify_all();
}

std::shared_ptr<actor> world::add_actor(std::string name) {
  auto made = std::make_shared<actor>(std::move(name));
  std::lock_guard lock(mutex_);
  std::erase_if(actors_, [](const auto& one) { return one->is_gone.load(); });
  actors_.push_back(made);
  return made;
}

void world::watch(std::chrono::seconds patience) {
  auto time = std::chrono::steady_clock::now();
  bool hangs = false;
  std::lock_guard lock(mutex_);
  for (const auto& one : actors_) {
    std::int64_t steps = one->steps.load(std::memory_order_relaxed);
    if (one->is_gone || steps != one->seen) {
      one->seen = steps;
      one->since = time;
    } else if (time - one->since > patience) {
      std::fprintf(
          stderr, "lifetimes: %s hangs since %lld s in: %s\n", one->name.c_str(),
          static_cast<long long>(std::chrono::duration_cast<std::chrono::seconds>(time - one->since).count()),
          one->doing.load());
      hangs = true;
    }
  }
  if (hangs) {
    std::fprintf(stderr, "lifetimes: with seed %llu\n", static_cast<unsigned long long>(seed));
    std::abort();
  }
}

} // namespace lifetimes
