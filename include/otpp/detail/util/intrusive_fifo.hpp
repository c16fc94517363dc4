// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A singly linked list in order of arrival, for elements that have one link only: their member `next`, which
// may have the type of a base. It owns nothing, allocates nothing and locks nothing.
//
// The queues of messages and tasks (mailbox.hpp, task.hpp) do not use it: with it a burst of casts took 7 %
// longer (g++ 12, W3_1b_try), though no more instructions.
template <class T>
class intrusive_fifo {
 public:
  intrusive_fifo() = default;
  intrusive_fifo(const intrusive_fifo&) = delete;
  intrusive_fifo& operator=(const intrusive_fifo&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }

  void push_back(T& one) noexcept {
    one.next = nullptr;
    if (first_) {
      last_->next = &one;
    } else {
      first_ = &one;
    }
    last_ = &one;
  }

  // Takes off the oldest element, and returns it; returns null if there is none.
  T* pop_front() noexcept {
    T* one = first_;
    if (one) {
      first_ = next_of(*one);
    }
    return one;
  }

  // Takes out the oldest element for which `wanted` returns true; returns null if there is none.
  template <class Wanted>
  T* take_first(Wanted wanted) {
    T* before = nullptr;
    for (T* one = first_; one; before = std::exchange(one, next_of(*one))) {
      if (wanted(*one)) {
        if (before) {
          before->next = one->next;
        } else {
          first_ = next_of(*one);
        }
        last_ = last_ == one ? before : last_;
        return one;
      }
    }
    return nullptr;
  }

  // Returns true if `wanted` returns true for one of the elements.
  template <class Wanted>
  bool any(Wanted wanted) const {
    const T* one = first_;
    while (one && !wanted(*one)) {
      one = next_of(*one);
    }
    return one != nullptr;
  }

  // Forgets all elements.
  void clear() noexcept { first_ = nullptr; }

 private:
  static T* next_of(const T& one) noexcept { return static_cast<T*>(one.next); }

  T* first_ = nullptr;
  T* last_ = nullptr; // valid only if first_ is set
};

} // namespace otpp::detail

#pragma GCC visibility pop
