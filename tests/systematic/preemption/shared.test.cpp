// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/spin_mutex.hpp>

#include <array>
#include <cstddef>
#include <mutex>
#include <new>
#include <utility>

#include "explorer.hpp"
#include "instrumented.hpp"

namespace {

using preemption::cell;
using preemption::entry;
using preemption::expect;

struct one_at_a_time : preemption::scenario {
  otpp::detail::spin_mutex mutex;
  cell<int> count{0};
  bool inside = false;

  void run(int) override {
    for (int round = 0; round != 2; ++round) {
      std::lock_guard lock(mutex);
      expect(!inside, "two threads are inside");
      inside = true;
      preemption::mark(1);
      ++count.write();
      inside = false;
    }
  }
  void finish() override { expect(count.read() == 6, "somebody was not let in"); }
};
const entry brief_mutex_entry("spin_mutex", 3, 3, preemption::make<one_at_a_time>);

// Each thread uses what it shares, copies and drops it; the last one destroys it, after all the others.
struct share : preemption::scenario {
  struct object : otpp::detail::counted<object> {
    explicit object(int& count) : destroyed(count) {}
    ~object() { ++destroyed; }
    cell<int> content{7};
    int& destroyed;
  };
  using pointer = otpp::detail::intrusive_ptr<object>;

  int destroyed = 0;
  std::array<pointer, 3> owned;

  share() {
    pointer first(new object(destroyed));
    owned = {first, first, first};
  }

  void run(int thread) override {
    pointer mine = std::move(owned[static_cast<std::size_t>(thread - 1)]);
    pointer copy = mine;
    mine = pointer();
    expect(destroyed == 0, "destroyed while it is held");
    expect(copy->content.read() == 7, "changed");
    pointer again;
    again = copy;
    copy = std::move(again);
    expect(copy->content.read() == 7, "changed");
  }
  void finish() override { expect(destroyed == 1, "not destroyed once"); }
};
const entry share_entry("intrusive_ptr", 3, 3, preemption::make<share>);

// The depot between threads that free what others allocate, a batch at a time.
struct depot : preemption::scenario {
  using cache = otpp::detail::block_cache;
  static constexpr std::size_t blocks_of_a_batch = 32;
  static constexpr std::size_t size = 64;

  struct in_use {
    cell<int> owner;
  };
  using batch = std::array<void*, blocks_of_a_batch>;

  std::array<batch, 4> given;

  depot() {
    static_assert(sizeof(in_use) <= size);
    preemption::keeps_freed_blocks = true;
    for (batch& one : given) {
      take(one);
    }
  }

  // Of two batches that a thread frees it keeps one, and gives the other to the depot.
  void run(int thread) override {
    batch mine;
    if (thread != 3) {
      give(given[static_cast<std::size_t>(2 * thread - 2)]);
      give(given[static_cast<std::size_t>(2 * thread - 1)]);
      take(mine); // its own
    }
    std::array<void*, 2> from_depot; // or from the heap
    take(from_depot);
    if (thread != 3) {
      give(mine);
    }
    give(from_depot);
  }

  void finish() override {
    for (cache::bins& of_one : cache::mine.all()) {
      cache::free_all(std::exchange(of_one.of[0].current, nullptr));
      cache::free_all(std::exchange(of_one.of[0].spare, nullptr));
      of_one.of[0].count = 0;
    }
    std::size_t bytes = 0;
    for (cache::block* first = cache::shared.batches[0].exchange(nullptr); first;) {
      cache::block* next = first->next_batch;
      std::size_t blocks = 0;
      for (cache::block* one = first; one; one = one->next) {
        ++blocks;
      }
      expect(blocks == blocks_of_a_batch, "not a whole batch");
      bytes += blocks * size;
      cache::free_all(first);
      first = next;
    }
    expect(std::exchange(cache::shared.bytes, 0u) == bytes, "the depot has lost count");
  }

  template <class Blocks>
  static void take(Blocks& blocks) {
    for (void*& one : blocks) {
      one = cache::allocate(size);
      ::new (one) in_use{preemption::current_thread()};
    }
  }
  template <class Blocks>
  static void give(Blocks& blocks) {
    for (void* one : blocks) {
      auto* used = static_cast<in_use*>(one);
      used->owner.read();
      used->~in_use();
      cache::deallocate(one, size);
    }
  }
};
const entry depot_entry("depot", 3, 3, preemption::make<depot>);

} // namespace
