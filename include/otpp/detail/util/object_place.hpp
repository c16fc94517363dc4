// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>

#include <cstddef>
#include <new>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Memory for one object, which is made and destroyed in it by the owner. AddressSanitizer reports whoever uses the
// object after it was destroyed, although the memory is still there.
template <class T>
class object_place {
 public:
  object_place() noexcept {} // the memory is left as it is
  object_place(const object_place&) = delete;
  object_place& operator=(const object_place&) = delete;
  ~object_place() { unpoison(memory_, sizeof(memory_)); }

  void* memory() noexcept { return static_cast<void*>(memory_); }
  T& object() noexcept { return *std::launder(reinterpret_cast<T*>(memory_)); }

  void destroy() noexcept {
    object().~T();
    poison(memory_, sizeof(memory_));
  }

 private:
  // Whole units: AddressSanitizer cannot poison a part of one.
  static constexpr std::size_t size = (sizeof(T) + poison_unit - 1) / poison_unit * poison_unit;

  alignas(T) alignas(poison_unit) std::byte memory_[size];
};

} // namespace otpp::detail

#pragma GCC visibility pop
