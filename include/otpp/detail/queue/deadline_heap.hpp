// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <chrono>
#include <utility>

namespace otpp::detail {

// Something with a time at which it is over. Belongs to one deadline_heap at most.
class deadline {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  deadline() = default;
  deadline(const deadline&) = delete;
  deadline& operator=(const deadline&) = delete;

  // The time has come. Called with the heap's lock held, so it only claims: true if it was not too
  // late already, and then expire() follows without the lock, exactly once.
  virtual bool claim_expired() noexcept = 0;
  virtual void expire() noexcept = 0;

  // Its context is being destroyed, and nobody else has taken it out of the heap before.
  virtual void context_gone() noexcept {}

 protected:
  virtual ~deadline() = default;

 private:
  friend class deadline_heap;
  friend class expired_list;

  time_point at_{};
  deadline* child_ = nullptr;
  deadline* sibling_ = nullptr;
  deadline* before_ = nullptr; // the sibling before, or the parent of a first child
  bool listed_ = false;
  // Apart from the heap's links: one that has expired may be armed again before expire() was called.
  deadline* next_expired_ = nullptr;
};

// A pairing heap of deadlines, linked through themselves: adding costs O(1), removing O(log n)
// amortized, nothing allocates. (A std::multimap would cost an allocation for each timed call.)
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

  // Removes the earliest if its time has come.
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

  // Two passes, as a loop: the recursion would be as deep as the list is long.
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

// Claimed deadlines that wait for expire(), linked through themselves.
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

 private:
  deadline* first_ = nullptr;
  deadline* last_ = nullptr;
};

} // namespace otpp::detail
