// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <cstddef>
#include <new>
#include <utility>

namespace otpp::detail {

// Memory for messages: each thread keeps what it frees, up to 256 KiB, and takes from there.
//
// A call is one allocation. The heap's own cache has seven blocks of a size (glibc), and Asio's
// recycling_allocator has two, so that a burst of casts would go past both. A block belongs to nobody
// while it is kept: it may be freed by another thread than the one that made it, and stays there.
class block_cache {
 public:
  static void* allocate(std::size_t size) {
    if (!keeps_freed_blocks || size > largest) {
      return ::operator new(size);
    }
    if (void* kept = take(bin_of(size))) {
      return kept;
    }
    return ::operator new((bin_of(size) + 1) * step);
  }

  static void deallocate(void* pointer, std::size_t size) noexcept {
    if (!keeps_freed_blocks || size > largest || !keep(pointer, bin_of(size))) {
      ::operator delete(pointer);
    }
  }

 private:
  static constexpr std::size_t step = 64;
  static constexpr std::size_t largest = 512;
  static constexpr std::size_t budget = 256 * 1024;

  static constexpr std::size_t bin_of(std::size_t size) noexcept { return (size - 1) / step; }

  struct block {
    block* next;
  };
  // Without constructor and destructor, so that its use costs no more than its address.
  struct bins {
    block* first[largest / step];
    std::size_t bytes;
    bool is_open;  // between the first block that is kept and the end of the thread
    bool is_over;
  };
  struct emptier {
    emptier() noexcept { mine.is_open = true; }
    ~emptier() {
      mine.is_open = false;
      mine.is_over = true;
      for (block*& first : mine.first) {
        while (first) {
          ::operator delete(std::exchange(first, first->next));
        }
      }
    }
  };

  // Out of line, as turn::current(): compilers keep a thread_local's address across a suspension.
  OTPP_NOINLINE static void* take(std::size_t bin) noexcept {
    bins& kept = mine;
    block* first = kept.first[bin];
    if (first) {
      kept.first[bin] = first->next;
      kept.bytes -= (bin + 1) * step;
    }
    return first;
  }

  OTPP_NOINLINE static bool keep(void* pointer, std::size_t bin) noexcept {
    bins& kept = mine;
    std::size_t size = (bin + 1) * step;
    if (kept.bytes + size > budget || (!kept.is_open && !open())) {
      return false;
    }
    kept.bytes += size;
    kept.first[bin] = ::new (pointer) block{kept.first[bin]};
    return true;
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
};

// A base for what is made and freed for each message.
class cached_memory {
 public:
  static void* operator new(std::size_t size) { return block_cache::allocate(size); }
  static void operator delete(void* pointer, std::size_t size) noexcept {
    block_cache::deallocate(pointer, size);
  }
  // A message may want more alignment than the heap gives by itself.
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
