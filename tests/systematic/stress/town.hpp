// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "node.hpp"

// Where servers and their clients live: contexts, and the list of servers.

// One execution context with its threads. Whoever is not inside it enters and leaves while it starts
// something here, because Asio's executors must not be used when their context is gone.
struct place {
  enum class kind { io_context, thread_pool };

  place(kind what, int n) : threads(n) {
    if (what == kind::thread_pool) {
      pool_.emplace(static_cast<std::size_t>(n));
      executor = pool_->get_executor();
    } else {
      io_.emplace(n);
      executor = io_->get_executor();
      work_.emplace(io_->get_executor());
      for (int i = 0; i != n; ++i) {
        crew_.emplace_back([this] { io_->run(); });
      }
    }
  }
  place(const place&) = delete;
  place& operator=(const place&) = delete;
  ~place() { close(); }

  bool enter() noexcept {
    passes_.fetch_add(1);
    if (closing.load()) {
      leave();
      return false;
    }
    return true;
  }
  void leave() noexcept { passes_.fetch_sub(1); }

  // A strand lives as long as its context, and no longer.
  asio::any_io_executor& make_strand() { return strands_.emplace_back(asio::make_strand(executor)); }

  // Destroys the context with all that lives there. From outside of it.
  void close() {
    if (closing.exchange(true)) {
      return;
    }
    while (passes_.load() != 0) {
      std::this_thread::yield();
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
    strands_.clear();
    io_.reset();
    pool_.reset();
    note(count::places_destroyed);
  }

  asio::any_io_executor executor;
  const int threads;
  std::atomic<bool> closing{false};

 private:
  std::atomic<int> passes_{0};
  std::optional<asio::io_context> io_;
  std::optional<asio::thread_pool> pool_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> crew_;
  std::deque<asio::any_io_executor> strands_;
};

struct town {
  town(std::size_t servers, std::uint32_t clients) : boxes(servers), senders(servers + clients) {
    for (std::size_t n = 0; n != servers; ++n) {
      boxes[n].name = "stress " + std::to_string(n);
    }
  }

  // ---- places ----

  place& open_place(place::kind what, int threads) {
    auto made = std::make_unique<place>(what, threads);
    std::lock_guard lock(places_mutex);
    places.push_back(std::move(made));
    return *places.back();
  }

  // One that is there, entered; null if the one that luck chose is going.
  place* enter_some_place(std::uint32_t luck) {
    std::lock_guard lock(places_mutex);
    std::vector<place*> open;
    for (auto& one : places) {
      if (!one->closing) {
        open.push_back(one.get());
      }
    }
    if (open.empty()) {
      return nullptr;
    }
    place* chosen = open[luck % open.size()];
    return chosen->enter() ? chosen : nullptr;
  }

  // ---- servers ----

  void refresh(route& to, std::uint32_t slot) {
    post_box& box = boxes[slot];
    if (box.life.load(std::memory_order_acquire) == to.life) {
      return;
    }
    std::lock_guard lock(box.mutex);
    to.ref = box.ref;
    to.where = box.where;
    to.life = box.life.load(std::memory_order_relaxed);
    to.seq = 0;
    to.calls = 0;
  }

  void put(std::uint32_t slot, node_ref server, std::uint64_t life, place* where) {
    post_box& box = boxes[slot];
    std::lock_guard lock(box.mutex);
    if (life > box.life.load(std::memory_order_relaxed)) {
      box.ref = std::move(server);
      box.where = where;
      box.life.store(life, std::memory_order_release);
    }
  }

  otpp::options options_for(std::uint32_t slot, std::uint32_t luck) {
    otpp::options how = otpp::named(boxes[slot].name);
    std::size_t limits[] = {0, 0, 0, 0, 0, 2, 16, 256};
    boxes[slot].limit = limits[luck % 8];
    how.mailbox_limit(limits[luck % 8]);
    return how;
  }

  // ---- progress ----

  void issued_some(std::int64_t n) {
    std::int64_t before = issued.fetch_add(n, std::memory_order_relaxed);
    std::int64_t event = next_event.load(std::memory_order_relaxed);
    if (before < event && before + n >= event) {
      std::lock_guard lock(mutex);
      changed.notify_all();
    }
  }

  std::deque<post_box> boxes;
  const std::size_t senders;
  std::atomic<std::uint64_t> lives{0}; // of servers and of clients
  std::atomic<bool> over{false};
  std::atomic<std::int64_t> issued{0};
  std::atomic<std::int64_t> next_event{0};

  std::mutex mutex; // guards alive, and what waits for a change
  std::condition_variable changed;
  int alive = 0; // clients

  std::mutex places_mutex;
  std::vector<std::unique_ptr<place>> places;

  // Calls that handlers have left to a thread of no context.
  std::mutex bin_mutex;
  std::condition_variable bin_changed;
  std::vector<std::pair<node::caller_type, node::answer_type>> bin;
  bool bin_closed = false;
};
