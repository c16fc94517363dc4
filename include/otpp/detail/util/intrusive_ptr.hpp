// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A reference count inside the object: a server costs one allocation, and a reference to it one word. A class
// with a function `destroy` is destroyed by it.
template <class Derived>
class counted {
 public:
  counted() = default;
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;

  void add_ref() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }

  // Adds a reference, unless the last one has been released. Returns false if it has: somebody destroys it.
  bool try_add_ref() const noexcept {
    std::uint32_t count = count_.load(std::memory_order_relaxed);
    while (count != 0 && !count_.compare_exchange_weak(
                             count, count + 1, std::memory_order_relaxed, std::memory_order_relaxed)) {
    }
    return count != 0;
  }

  void release() const noexcept {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      if constexpr (requires { Derived::destroy(static_cast<const Derived*>(this)); }) {
        Derived::destroy(static_cast<const Derived*>(this));
      } else {
        delete static_cast<const Derived*>(this);
      }
    }
  }

 protected:
  ~counted() = default;

 private:
  mutable std::atomic<std::uint32_t> count_{0};
};

template <class T>
class intrusive_ptr {
 public:
  intrusive_ptr() noexcept = default;

  explicit intrusive_ptr(T* object) noexcept : object_(object) {
    if (object_) {
      object_->add_ref();
    }
  }

  intrusive_ptr(const intrusive_ptr& other) noexcept : intrusive_ptr(other.object_) {}
  intrusive_ptr(intrusive_ptr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}

  // Converts from a pointer to a derived class.
  template <class Derived>
    requires std::is_convertible_v<Derived*, T*>
  intrusive_ptr(intrusive_ptr<Derived> other) noexcept : object_(other.detach()) {}

  intrusive_ptr& operator=(intrusive_ptr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }

  ~intrusive_ptr() {
    if (object_) {
      object_->release();
    }
  }

  // Takes over a reference that has already been counted.
  static intrusive_ptr adopt(T* object) noexcept {
    intrusive_ptr result;
    result.object_ = object;
    return result;
  }

  // Releases ownership of the reference without decrementing the count.
  T* detach() noexcept { return std::exchange(object_, nullptr); }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

  friend bool operator==(const intrusive_ptr& a, const intrusive_ptr& b) noexcept {
    return a.object_ == b.object_;
  }

 private:
  T* object_ = nullptr;
};

} // namespace otpp::detail

#pragma GCC visibility pop
