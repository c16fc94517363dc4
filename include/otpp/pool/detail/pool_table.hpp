// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/spin_mutex.hpp>
#include <otpp/error.hpp>
#include <otpp/pool/pool_options.hpp>
#include <otpp/supervisor/detail/child_maker.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The calls that one worker has not answered, counted by those who send them. A worker that is started anew has another
// one.
class pool_load : public counted<pool_load> {
 public:
  std::size_t now() const noexcept { return calls_.load(std::memory_order_relaxed); }
  void add() noexcept { calls_.fetch_add(1, std::memory_order_relaxed); }
  void remove() noexcept { calls_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> calls_{0};
};

// One of those calls.
class pool_lease {
 public:
  pool_lease() noexcept = default;
  explicit pool_lease(intrusive_ptr<pool_load> of) noexcept : of_(std::move(of)) {} // which has been added
  pool_lease(pool_lease&&) noexcept = default;
  pool_lease& operator=(pool_lease&& other) noexcept {
    pool_lease old(std::exchange(of_, std::move(other.of_)));
    return *this;
  }
  ~pool_lease() {
    if (of_) {
      of_->remove();
    }
  }

 private:
  intrusive_ptr<pool_load> of_;
};

// With n buckets: when one is added, only 1/(n+1) of the keys move, all of them to the new one. Lamping and Veach's jump
// consistent hash, of a key that is mixed first, because std::hash of an integer is that integer.
inline std::size_t bucket_of(std::uint64_t key, std::size_t buckets) noexcept {
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9U;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebU;
  key ^= key >> 31;
  std::int64_t bucket = -1;
  std::int64_t next = 0;
  while (next < static_cast<std::int64_t>(buckets)) {
    bucket = next;
    key = key * 2862933555777941757U + 1;
    next = static_cast<std::int64_t>(
        static_cast<double>(bucket + 1) *
        (static_cast<double>(std::int64_t{1} << 31) / static_cast<double>((key >> 33) + 1)));
  }
  return static_cast<std::size_t>(bucket);
}

// The workers of a pool, as the handles of it, its supervisor and whoever sends to it share them. Each worker is put in when
// it has started, in its supervisor. One that has ended stays in its place until the next one is put there.
//
// The mutex is held for no user code: what is taken out is released outside of it.
class pool_table {
 public:
  struct worker {
    intrusive_ptr<server_core> who;
    intrusive_ptr<pool_load> load;
  };

  pool_table(routing how, std::size_t size, std::size_t in_flight) noexcept
      : how_(how), most_(in_flight), first_size_(size), size_(size) {}

  // ---- any thread ----

  // Returns the worker that gets the next message. With a lease it is counted. If none lives, nobody; throws
  // errc::mailbox_full if it is for a call, and all that live have as many as they may have.
  intrusive_ptr<server_core> choose(pool_lease* lease) {
    std::lock_guard lock(mutex_);
    const std::size_t n = workers_.size();
    const std::size_t first = n == 0 ? 0 : next_++ % n;
    worker* best = nullptr;
    worker* draining = nullptr; // refuses what comes, and says why
    bool is_any_alive = false;
    for (std::size_t i = 0; i != n; ++i) {
      worker& one = workers_[(first + i) % n];
      if (!one.who || one.who->has_ended()) {
        continue;
      }
      if (one.who->queue().is_draining()) {
        draining = &one;
        continue;
      }
      is_any_alive = true;
      if (lease && one.load->now() >= most_) {
        continue;
      }
      if (!best || one.load->now() < best->load->now()) {
        best = &one;
      }
      if (how_ == routing::round_robin || best->load->now() == 0) {
        break;
      }
    }
    return give(best || is_any_alive ? best : draining, is_any_alive, lease);
  }

  // Likewise of the worker for a key.
  intrusive_ptr<server_core> choose_for(std::uint64_t key, pool_lease* lease) {
    std::lock_guard lock(mutex_);
    if (workers_.empty()) {
      return {};
    }
    worker& one = workers_[bucket_of(key, workers_.size())];
    bool is_alive = one.who && !one.who->has_ended();
    return give(is_alive && (!lease || one.load->now() < most_) ? &one : nullptr, is_alive, lease);
  }

  std::size_t size() const noexcept {
    std::lock_guard lock(mutex_);
    return size_;
  }

  pid supervisor() const noexcept {
    std::lock_guard lock(mutex_);
    return supervisor_;
  }

  // ---- the supervisor ----

  // A worker has started. The first one of another supervisor takes the places of all before.
  void put(std::size_t place, const pid& who, const pid& supervisor) {
    intrusive_ptr<pool_load> load(new pool_load);
    std::vector<worker> places(first_size_); // a key has its place before all have started
    worker before;
    pid supervisor_before = supervisor;
    std::lock_guard lock(mutex_);
    if (supervisor_ != supervisor) {
      places.swap(workers_);
      size_ = first_size_;
      std::swap(supervisor_, supervisor_before);
    }
    if (place < size_) {
      if (workers_.size() <= place) {
        workers_.resize(place + 1);
      }
      before = std::exchange(workers_[place], {access::core(who), std::move(load)});
    }
  }

  // ---- whoever resizes: one at a time ----

  bool begin_resize() noexcept { return !is_resizing_.exchange(true, std::memory_order_acquire); }
  void end_resize() noexcept { is_resizing_.store(false, std::memory_order_release); }

  // Nothing is sent to those beyond it any more. Has no effect if the pool has been restarted meanwhile.
  void set_size(std::size_t size, const pid& supervisor) {
    std::vector<worker> gone;
    gone.reserve(this->size());
    std::lock_guard lock(mutex_);
    if (supervisor_ != supervisor) {
      return;
    }
    size_ = size;
    while (workers_.size() > size) {
      gone.push_back(std::move(workers_.back()));
      workers_.pop_back();
    }
  }

  // How a worker is started; set before the first one is.
  std::shared_ptr<const child_maker> maker;

 private:
  // Called under the lock.
  static intrusive_ptr<server_core> give(worker* one, bool is_any_alive, pool_lease* lease) {
    if (!one) {
      if (is_any_alive) {
        throw error(
            errc::mailbox_full, "otpp: call to a pool, whose workers have as many calls as they may have");
      }
      return {};
    }
    if (lease) {
      one->load->add();
      *lease = pool_lease(one->load);
    }
    return one->who;
  }

  const routing how_;
  const std::size_t most_; // calls of each worker
  const std::size_t first_size_;
  mutable spin_mutex mutex_;
  std::vector<worker> workers_;
  std::size_t size_;
  std::size_t next_ = 0;
  pid supervisor_;
  std::atomic<bool> is_resizing_{false};
};

} // namespace otpp::detail

#pragma GCC visibility pop
