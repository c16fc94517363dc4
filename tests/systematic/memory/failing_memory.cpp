// SPDX-License-Identifier: BSL-1.0

#include "failing_memory.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace failing_memory {

namespace {

std::atomic<long> live_blocks{0};
std::atomic<long> all_allocations{0};
std::atomic<const char*> first_complaint{nullptr};

// Of the thread that runs the scenario. Without constructors: it is used before main.
thread_local bool is_armed = false;
thread_local long next_index = 0;
thread_local long first_to_fail = -1;
thread_local long second_to_fail = -1;
thread_local int strikes = 0;

bool fails() noexcept {
  if (!is_armed) {
    return false;
  }
  long index = next_index++;
  if (index != first_to_fail && index != second_to_fail) {
    return false;
  }
  ++strikes;
  return true;
}

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (fails()) {
    return nullptr;
  }
  void* block = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    block = std::malloc(size == 0 ? 1 : size);
  } else {
    block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  }
  if (block) {
    ++live_blocks;
    ++all_allocations;
  }
  return block;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* block = allocate(size, alignment);
  if (!block) {
    throw std::bad_alloc();
  }
  return block;
}

void free_block(void* block) noexcept {
  if (block) {
    --live_blocks;
    std::free(block);
  }
}

} // namespace

long live() noexcept { return live_blocks; }
long allocations() noexcept { return all_allocations; }

void expect(bool holds, const char* what) noexcept {
  const char* none = nullptr;
  if (!holds) {
    first_complaint.compare_exchange_strong(none, what);
  }
}

armed::armed() noexcept { arm(); }
armed::~armed() { disarm(); }
void arm() noexcept { is_armed = true; }
void disarm() noexcept { is_armed = false; }
int struck() noexcept { return strikes; }

void plan(long first, long second) noexcept {
  is_armed = false;
  next_index = 0;
  first_to_fail = first;
  second_to_fail = second;
  strikes = 0;
  first_complaint = nullptr;
}

long numbered() noexcept { return next_index; }
const char* complaint() noexcept { return first_complaint; }

} // namespace failing_memory

using failing_memory::allocate;
using failing_memory::allocate_or_throw;
using failing_memory::free_block;

void* operator new(std::size_t size) { return allocate_or_throw(size, 1); }
void* operator new[](std::size_t size) { return allocate_or_throw(size, 1); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t to) {
  return allocate_or_throw(size, static_cast<std::size_t>(to));
}
void* operator new[](std::size_t size, std::align_val_t to) {
  return allocate_or_throw(size, static_cast<std::size_t>(to));
}
void* operator new(std::size_t size, std::align_val_t to, const std::nothrow_t&) noexcept {
  return allocate(size, static_cast<std::size_t>(to));
}
void* operator new[](std::size_t size, std::align_val_t to, const std::nothrow_t&) noexcept {
  return allocate(size, static_cast<std::size_t>(to));
}
void operator delete(void* block) noexcept { free_block(block); }
void operator delete[](void* block) noexcept { free_block(block); }
void operator delete(void* block, std::size_t) noexcept { free_block(block); }
void operator delete[](void* block, std::size_t) noexcept { free_block(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { free_block(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { free_block(block); }
void operator delete(void* block, std::align_val_t) noexcept { free_block(block); }
void operator delete[](void* block, std::align_val_t) noexcept { free_block(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { free_block(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { free_block(block); }
void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept { free_block(block); }
void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept { free_block(block); }
