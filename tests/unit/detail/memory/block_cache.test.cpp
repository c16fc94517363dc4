// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/memory/block_cache.hpp>
#include <otpp/otpp.hpp>

#include "support/catch.hpp"
#include "support/run.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <set>
#include <thread>
#include <vector>

using otpp::detail::block_cache;

namespace {

std::vector<void*> allocate_many(std::size_t count, std::size_t size) {
  std::vector<void*> blocks;
  for (std::size_t n = 0; n != count; ++n) {
    blocks.push_back(block_cache::allocate(size));
    std::memset(blocks.back(), 0x55, size); // all of it is ours
  }
  return blocks;
}

void free_many(const std::vector<void*>& blocks, std::size_t size) {
  for (void* block : blocks) {
    block_cache::deallocate(block, size);
  }
}

std::size_t count_of_same(const std::vector<void*>& blocks, const std::vector<void*>& others) {
  std::set<void*> known(blocks.begin(), blocks.end());
  std::size_t same = 0;
  for (void* block : others) {
    same += known.count(block);
  }
  return same;
}

// What the depot is given after this is kept: nothing of earlier tests is in it. Frees what it took at the end.
class emptied_depot {
 public:
  emptied_depot() {
    for (std::size_t size = 64; size <= 512; size += 64) {
      taken_.push_back(
          allocate_many(1024 * 1024 / size + 64, size)); // all that it may hold, and this thread's own
    }
  }
  ~emptied_depot() {
    for (std::size_t n = 0; n != taken_.size(); ++n) {
      free_many(taken_[n], 64 * (n + 1));
    }
  }

 private:
  std::vector<std::vector<void*>> taken_;
};

struct large_letter {
  struct show {
    using reply_type = bool;
    alignas(64) int n = 1;
  };
  struct note {
    alignas(64) int n = 1;
  };

  int init() { return 0; }
  bool handle_call(show&& message, int& noted) {
    return noted == 1 && reinterpret_cast<std::uintptr_t>(&message) % 64 == 0;
  }
  void handle_cast(note&& message, int& noted) {
    noted = reinterpret_cast<std::uintptr_t>(&message) % 64 == 0 ? 1 : 2;
  }
};

} // namespace

TEST_CASE("block_cache: a block that was freed is the next of its size", "[block_cache]") {
  void* first = block_cache::allocate(100);
  block_cache::deallocate(first, 100);
  void* second = block_cache::allocate(128); // of the same class
  void* other = block_cache::allocate(129);  // of the next
  CHECK((second == first || !otpp::detail::keeps_freed_blocks));
  CHECK(other != first);
  block_cache::deallocate(second, 128);
  block_cache::deallocate(other, 129);
}

TEST_CASE("block_cache: blocks of every size are as long as they were asked to be", "[block_cache]") {
  std::vector<std::vector<void*>> all;
  for (int round = 0; round != 3; ++round) {
    for (std::size_t size = 1; size <= 700; size += 9) {
      all.push_back(allocate_many(3, size));
    }
    std::set<void*> different;
    for (const auto& blocks : all) {
      different.insert(blocks.begin(), blocks.end());
    }
    CHECK(different.size() == 3 * all.size());
    for (std::size_t size = 1, at = 0; size <= 700; size += 9, ++at) {
      free_many(all[at], size);
    }
    all.clear();
  }
}

TEST_CASE("block_cache: what another thread frees comes back through the depot", "[block_cache]") {
  constexpr std::size_t size = 200;
  emptied_depot empty;
  std::vector<void*> made = allocate_many(1000, size);
  std::thread([&] { free_many(made, size); }).join();
  std::vector<void*> again = allocate_many(1000, size);
  // The other thread has kept two batches at most, and freed them at its end.
  CHECK((count_of_same(made, again) >= 900 || !otpp::detail::keeps_freed_blocks));
  free_many(again, size);
}

TEST_CASE("block_cache: many threads exchange blocks", "[block_cache]") {
  constexpr std::size_t size = 64;
  std::vector<std::thread> threads;
  std::vector<std::vector<void*>> handed_on(4);
  for (int round = 0; round != 20; ++round) {
    for (auto& blocks : handed_on) {
      threads.emplace_back([&blocks] {
        free_many(blocks, size);
        blocks = allocate_many(500, size);
      });
    }
    for (auto& thread : threads) {
      thread.join();
    }
    threads.clear();
    std::rotate(handed_on.begin(), handed_on.begin() + 1, handed_on.end());
  }
  std::set<void*> different;
  for (const auto& blocks : handed_on) {
    different.insert(blocks.begin(), blocks.end());
    free_many(blocks, size);
  }
  CHECK(different.size() == 2000);
}

TEST_CASE("block_cache: a block may be freed when its thread has emptied its own", "[block_cache]") {
  struct freed_late {
    void* block = nullptr;
    ~freed_late() { block_cache::deallocate(block, 64); }
  };
  void* kept = nullptr;
  std::thread([&] {
    static thread_local freed_late last; // made first, so destroyed last
    void* first = block_cache::allocate(64);
    last.block = block_cache::allocate(64);
    kept = last.block;
    block_cache::deallocate(first, 64);
  }).join();
  CHECK(kept != nullptr); // and AddressSanitizer has nothing to say
}

TEST_CASE("block_cache: a thread that is past its end takes nothing from the depot", "[block_cache]") {
  constexpr std::size_t size = 256;
  struct made_late {
    void* block = nullptr;
    void** result = nullptr;
    ~made_late() { *result = block_cache::allocate(size); }
  };
  emptied_depot empty;
  std::vector<void*> known = allocate_many(1000, size);
  free_many(known, size);
  void* late = nullptr;
  std::thread([&] {
    static thread_local made_late last; // made first, so destroyed last
    last.result = &late;
    block_cache::deallocate(block_cache::allocate(64), 64); // opens the cache, with none of the known blocks
  }).join();
  CHECK((count_of_same(known, {late}) == 0 || !otpp::detail::keeps_freed_blocks));
  block_cache::deallocate(late, size);
}

TEST_CASE("block_cache: a thread that only takes gives the rest of its batch back", "[block_cache]") {
  constexpr std::size_t size = 384;
  emptied_depot empty;
  std::vector<void*> known = allocate_many(1000, size);
  free_many(known, size);
  void* taken = nullptr;
  std::thread([&] { taken = block_cache::allocate(size); }).join();
  std::vector<void*> from_heap;
  for (int n = 0; n != 2000; ++n) {
    from_heap.push_back(::operator new(size));
  }
  CHECK((count_of_same(known, from_heap) > 0 || !otpp::detail::keeps_freed_blocks));
  for (void* block : from_heap) {
    ::operator delete(block);
  }
  block_cache::deallocate(taken, size);
}

TEST_CASE("block_cache: a message with a large alignment gets it", "[block_cache]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<large_letter>();
    for (int n = 0; n != 5; ++n) {
      co_await otpp::cast<large_letter::note>(server);
      bool is_aligned = co_await otpp::call<large_letter::show>(server);
      CHECK(is_aligned);
    }
    co_await server.stop();
  });
}
