// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

template <class T>
class intrusive_list;

// The place of an element in a list, as its member `hook_`; the element makes the list its friend.
template <class T>
class list_hook {
 public:
  list_hook() = default;
  list_hook(const list_hook&) = delete;
  list_hook& operator=(const list_hook&) = delete;

  bool is_linked() const noexcept { return before_ != nullptr; }

 private:
  friend class intrusive_list<T>;
  T* next_ = nullptr;   // null in the last element
  T* before_ = nullptr; // the last element in the first one; null if not linked
};

// A doubly linked list whose elements have the links. It owns nothing, allocates nothing and locks nothing,
// and it is one pointer large, because each idle server has one.
//
// An element may be incomplete where the list is declared, and may be destroyed once it is not linked.
template <class T>
class intrusive_list {
 public:
  intrusive_list() = default;
  intrusive_list(const intrusive_list&) = delete;
  intrusive_list& operator=(const intrusive_list&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }

  // Return null if the list is empty.
  T* front() const noexcept { return first_; }
  T* back() const noexcept { return first_ ? first_->hook_.before_ : nullptr; }

  void push_front(T& one) noexcept {
    one.hook_.before_ = first_ ? std::exchange(first_->hook_.before_, &one) : &one;
    one.hook_.next_ = std::exchange(first_, &one);
  }

  void push_back(T& one) noexcept {
    T* last = back();
    push_front(one); // the elements form a ring, except that the last one has no next
    if (last) {
      first_ = std::exchange(one.hook_.next_, nullptr);
      last->hook_.next_ = &one;
    }
  }

  // Precondition: `one` is in this list.
  void erase(T& one) noexcept {
    T* next = one.hook_.next_;
    T* before = std::exchange(one.hook_.before_, nullptr);
    (first_ == &one ? first_ : before->hook_.next_) = next;
    if (T* follower = next ? next : first_) {
      follower->hook_.before_ = before;
    }
  }

  // Returns false if `one` is not linked. Precondition: it is in no other list.
  bool erase_if_linked(T& one) noexcept {
    bool is_linked = one.hook_.is_linked();
    if (is_linked) {
      erase(one);
    }
    return is_linked;
  }

  // Takes off the first element, and returns it; returns null if there is none.
  T* pop_front() noexcept {
    T* one = first_;
    if (one) {
      erase(*one);
    }
    return one;
  }

  // Returns the first element for which `wanted` returns true, or null.
  template <class Wanted>
  T* find(Wanted wanted) const {
    T* one = first_;
    while (one && !wanted(*one)) {
      one = one->hook_.next_;
    }
    return one;
  }

  // Returns the element before one that is in this list, or null.
  T* before(const T& one) const noexcept { return &one == first_ ? nullptr : one.hook_.before_; }

  // Calls `visit` with each element, which may then be erased and destroyed.
  template <class Visit>
  void for_each(Visit visit) const {
    for (T* one = first_; one;) {
      visit(*std::exchange(one, one->hook_.next_));
    }
  }

 private:
  T* first_ = nullptr;
};

} // namespace otpp::detail

#pragma GCC visibility pop
