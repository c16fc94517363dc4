// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <utility>

namespace otpp::detail {

// A singly linked list in order of arrival, for elements that have one link only: their member `next`, which
// may have the type of a base. It owns nothing, allocates nothing and locks nothing.
template <class T>
class intrusive_fifo {
 public:
  intrusive_fifo() = default;
  intrusive_fifo(intrusive_fifo&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(other.last_) {}
  intrusive_fifo& operator=(intrusive_fifo&&) = delete;

  // Takes a linked list, oldest first.
  explicit intrusive_fifo(T* first) noexcept : first_(first), last_(first) {
    while (last_ && last_->next) {
      last_ = next_of(*last_);
    }
  }

  bool empty() const noexcept { return first_ == nullptr; }
  bool has_many() const noexcept { return first_ && first_->next; }

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

  // Puts `others` behind the elements of this list, or in front of them.
  void append(intrusive_fifo others) noexcept {
    if (others.first_) {
      if (first_) {
        last_->next = others.first_;
      } else {
        first_ = others.first_;
      }
      last_ = others.last_;
    }
  }
  void prepend(intrusive_fifo others) noexcept {
    others.append(std::move(*this));
    first_ = others.first_;
    last_ = others.last_;
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

  // Takes out all elements, as a linked list.
  T* take_all() noexcept { return std::exchange(first_, nullptr); }

  // Calls `visit` with each element.
  template <class Visit>
  void for_each(Visit visit) const {
    for (T* one = first_; one; one = next_of(*one)) {
      visit(*one);
    }
  }

 private:
  static T* next_of(const T& one) noexcept { return static_cast<T*>(one.next); }

  T* first_ = nullptr;
  T* last_ = nullptr; // valid only if first_ is set
};

} // namespace otpp::detail
