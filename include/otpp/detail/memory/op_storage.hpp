// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstddef>
#include <new>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Storage for one posted operation of Asio's, so that a wake-up does not allocate. Precondition of posting
// into it: it holds no other operation.
struct op_storage {
  static constexpr std::size_t size = 56; // puts the two sides of an mpsc_queue 64 bytes apart
  alignas(void*) std::byte bytes[size];
};

// An allocator that uses an op_storage if the block fits, and the heap otherwise.
template <class T>
class op_allocator {
 public:
  using value_type = T;

  explicit op_allocator(op_storage* storage) noexcept : storage_(storage) {}

  template <class U>
  op_allocator(const op_allocator<U>& other) noexcept : storage_(other.storage()) {}

  template <class U = T>
  U* allocate(std::size_t count) {
    if (storage_ && count * sizeof(U) <= op_storage::size && alignof(U) <= alignof(void*)) {
      return reinterpret_cast<U*>(storage_->bytes);
    }
    return static_cast<U*>(::operator new(count * sizeof(U), std::align_val_t(alignof(U))));
  }

  template <class U = T>
  void deallocate(U* pointer, std::size_t) noexcept {
    if (!storage_ || reinterpret_cast<std::byte*>(pointer) != storage_->bytes) {
      ::operator delete(pointer, std::align_val_t(alignof(U)));
    }
  }

  op_storage* storage() const noexcept { return storage_; }

  template <class U>
  bool operator==(const op_allocator<U>& other) const noexcept {
    return storage_ == other.storage();
  }

 private:
  op_storage* storage_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
