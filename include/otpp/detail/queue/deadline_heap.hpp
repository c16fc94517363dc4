// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <chrono>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Something that expires at a certain time. It is in at most one deadline_heap.
class deadline {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  deadline() = default;
  deadline(const deadline&) = delete;
  deadline& operator=(const deadline&) = delete;

  // The deadline has passed. Called under the lock of the heap, so it only claims: it returns true if this is
  // not too late, and then expire() is called without the lock, exactly once.
  virtual bool claim_expired() noexcept = 0;
  virtual void expire() noexcept = 0;

  // Its context is being destroyed, and nothing else has removed it from the heap.
  virtual void on_deadlines_destroyed() noexcept {}

 protected:
  virtual ~deadline() = default;

 private:
  friend class deadline_heap;
  friend class expired_list;

  time_point at_;
  deadline* child_ = nullptr;
  deadline* sibling_ = nullptr;
  deadline* before_ = nullptr; // the previous sibling, or the parent of a first child
  bool listed_ = false;
  // Separate from the heap's links, because an expired deadline may be rearmed before expire() is called.
  deadline* next_expired_ = nullptr;
};

// An intrusive pairing heap of deadlines: adding costs O(1), removing O(log n) amortized, and nothing
// allocates. (A std::multimap would need an allocation for each call with a timeout.)
class deadline_heap {
 public:
  bool empty() const noexcept { return root_ == nullptr; }
  deadline::time_point earliest() const noexcept { return root_->at_; }

  void add(deadline& item, deadline::time_point at) noexcept {
    item.at_ = at;
    item.listed_ = true;
    item.child_ = item.sibling_ = item.before_ = nullptr;
    root_ = meld(root_, &item);
  }

  void remove(deadline& item) noexcept {
    if (!item.listed_) {
      return;
    }
    item.listed_ = false;
    if (&item == root_) {
      root_ = merge_pairs(item.child_);
      return;
    }
    (item.before_->child_ == &item ? item.before_->child_ : item.before_->sibling_) = item.sibling_;
    if (item.sibling_) {
      item.sibling_->before_ = item.before_;
    }
    root_ = meld(root_, merge_pairs(item.child_));
  }

  // Removes and returns the earliest deadline if it has passed; else returns null.
  deadline* pop_due(deadline::time_point now) noexcept {
    if (!root_ || root_->at_ > now) {
      return nullptr;
    }
    deadline* item = root_;
    remove(*item);
    return item;
  }

 private:
  static deadline* meld(deadline* a, deadline* b) noexcept {
    if (!a || !b) {
      return a ? a : b;
    }
    if (b->at_ < a->at_) {
      std::swap(a, b);
    }
    b->before_ = a;
    b->sibling_ = a->child_;
    if (a->child_) {
      a->child_->before_ = b;
    }
    a->child_ = b;
    a->sibling_ = a->before_ = nullptr;
    return a;
  }

  // Merges in two passes, iteratively: recursion would be as deep as the list is long.
  static deadline* merge_pairs(deadline* first) noexcept {
    deadline* pairs = nullptr; // linked through sibling_, newest first
    while (first) {
      deadline* a = first;
      deadline* b = a->sibling_;
      first = b ? b->sibling_ : nullptr;
      a->sibling_ = a->before_ = nullptr;
      if (b) {
        b->sibling_ = b->before_ = nullptr;
      }
      a = meld(a, b);
      a->sibling_ = pairs;
      pairs = a;
    }
    deadline* result = nullptr;
    while (pairs) {
      deadline* rest = pairs->sibling_;
      pairs->sibling_ = nullptr;
      result = meld(result, pairs);
      pairs = rest;
    }
    return result;
  }

  deadline* root_ = nullptr;
};

// An intrusive list of deadlines that have left the heap: claimed ones whose expire() has yet to be called, or
// those of a context that is being destroyed.
class expired_list {
 public:
  void push_back(deadline& item) noexcept {
    item.next_expired_ = nullptr;
    (first_ ? last_->next_expired_ : first_) = &item;
    last_ = &item;
  }

  void expire_all() noexcept {
    while (first_) {
      std::exchange(first_, first_->next_expired_)->expire();
    }
  }

  void destroy_all() noexcept {
    while (first_) {
      std::exchange(first_, first_->next_expired_)->on_deadlines_destroyed();
    }
  }

 private:
  deadline* first_ = nullptr;
  deadline* last_ = nullptr;
};

} // namespace otpp::detail

#pragma GCC visibility pop
