// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <new>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Memory for messages: each thread keeps some of the blocks that it frees, in batches, and reuses them.
//
// A call is one allocation. The heap's own cache holds seven blocks of a size (glibc), and Asio's
// recycling_allocator two, so a burst of casts would exceed both. And a cast is usually freed by another
// thread than the one that allocated it, which is the slowest case for a heap. So a thread with more than two
// batches of a size gives one to a depot that all threads share, and a thread with none takes one from there;
// a lock is taken once for 32 blocks. A thread keeps at most 63 blocks of each size, and the depot 1 MiB.
class block_cache {
 public:
  static void* allocate(std::size_t size) {
    if (!keeps_freed_blocks || size > largest) {
      return ::operator new(size);
    }
    if (void* kept = take(size_class(size))) {
      return kept;
    }
    return ::operator new((size_class(size) + 1) * step);
  }

  static void deallocate(void* pointer, std::size_t size) noexcept {
    if (!keeps_freed_blocks || size > largest || !keep(pointer, size_class(size))) {
      ::operator delete(pointer);
    }
  }

 private:
  static constexpr std::size_t step = 64;
  static constexpr std::size_t largest = 512;
  static constexpr std::size_t classes = largest / step;
  static constexpr int batch = 32;
  static constexpr std::size_t depot_limit = std::size_t{1024} * 1024;

  static constexpr std::size_t size_class(std::size_t size) noexcept { return (size - 1) / step; }

  struct block {
    block* next;
    block* next_batch; // of the first block of a batch in the depot
  };

  // Trivial, so that access to the thread_local costs no more than its address.
  struct bin {
    block* current;
    block* spare; // null, or a full batch
    int count;    // number of blocks in `current`
  };
  struct bins {
    bin of[classes];
    bool is_open; // from the first block that is kept to the end of the thread
    bool is_over;
  };
  struct emptier {
    emptier() noexcept { mine.is_open = true; }
    ~emptier() {
      mine.is_open = false;
      mine.is_over = true;
      for (bin& one : mine.of) {
        free_all(std::exchange(one.current, nullptr));
        free_all(std::exchange(one.spare, nullptr));
      }
    }
  };

  // Never destroyed: messages may be freed by the destructors of statics.
  struct depot {
    static_mutex mutex;
    std::atomic<block*> batches[classes]; // modified under the mutex
    std::size_t bytes;
  };

  // Out of line, like turn::current(): compilers keep a thread_local's address across a suspension.
  OTPP_NOINLINE static void* take(std::size_t index) noexcept {
    bin& kept = mine.of[index];
    if (!kept.current && !refill(kept, index)) {
      return nullptr;
    }
    --kept.count;
    return std::exchange(kept.current, kept.current->next);
  }

  OTPP_NOINLINE static bool keep(void* pointer, std::size_t index) noexcept {
    if (!mine.is_open && !open()) {
      return false;
    }
    bin& kept = mine.of[index];
    kept.current = ::new (pointer) block{kept.current, nullptr};
    if (++kept.count == batch) {
      if (kept.spare) {
        give(kept.spare, index);
      }
      kept.spare = std::exchange(kept.current, nullptr);
      kept.count = 0;
    }
    return true;
  }

  // A thread that takes a batch gives what is left of it back at its end; one that is past its end takes none.
  static bool refill(bin& kept, std::size_t index) noexcept {
    if (!mine.is_open && !open()) {
      return false;
    }
    if (kept.spare) {
      kept.current = std::exchange(kept.spare, nullptr);
    } else if (shared.batches[index].load(std::memory_order_relaxed)) {
      std::lock_guard lock(shared.mutex);
      block* first = shared.batches[index].load(std::memory_order_relaxed);
      if (first) {
        shared.batches[index].store(first->next_batch, std::memory_order_relaxed);
        shared.bytes -= batch * (index + 1) * step;
      }
      kept.current = first;
    }
    kept.count = kept.current ? batch : 0;
    return kept.current != nullptr;
  }

  static void give(block* first, std::size_t index) noexcept {
    constexpr std::size_t blocks = batch;
    std::size_t bytes = blocks * (index + 1) * step;
    {
      std::lock_guard lock(shared.mutex);
      if (shared.bytes + bytes <= depot_limit) {
        shared.bytes += bytes;
        first->next_batch = shared.batches[index].load(std::memory_order_relaxed);
        shared.batches[index].store(first, std::memory_order_relaxed);
        return;
      }
    }
    free_all(first);
  }

  static void free_all(block* first) noexcept {
    while (first) {
      ::operator delete(std::exchange(first, first->next));
    }
  }

  // A thread that is ending may free blocks after it has emptied its bins.
  static bool open() noexcept {
    if (mine.is_over) {
      return false;
    }
    static thread_local emptier at_end_of_thread;
    return mine.is_open;
  }

  static inline constinit thread_local bins mine{};
  static inline constinit depot shared{};
};

// A base for what is allocated and freed with each message.
class cached_memory {
 public:
  static void* operator new(std::size_t size) { return block_cache::allocate(size); }
  static void operator delete(void* pointer, std::size_t size) noexcept {
    block_cache::deallocate(pointer, size);
  }
  // A message may need a stricter alignment than the heap guarantees.
  static void* operator new(std::size_t size, std::align_val_t alignment) {
    return ::operator new(size, alignment);
  }
  static void operator delete(void* pointer, std::size_t, std::align_val_t alignment) noexcept {
    ::operator delete(pointer, alignment);
  }

 protected:
  ~cached_memory() = default;
};

} // namespace otpp::detail

#pragma GCC visibility pop
