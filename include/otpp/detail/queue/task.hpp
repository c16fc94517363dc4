// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// An item in a mailbox: a task or a message. It has its own link, so that queueing allocates nothing.
class queued {
 public:
  enum class kind : bool { task, message };

  queued(const queued&) = delete;
  queued& operator=(const queued&) = delete;

  kind what() const noexcept { return kind_; }
  bool counts() const noexcept { return kind_ == kind::message; } // to the length of the queue

  queued* next = nullptr; // set by the queue that holds it

 protected:
  explicit queued(kind what) noexcept : kind_(what) {}
  ~queued() = default;

 private:
  const kind kind_;
};

// A piece of work with its own link, which its owner either runs or discards, exactly once.
//
// Either ends the ownership: the task may be destroyed before the function returns.
class task : public queued {
 public:
  task() noexcept : queued(kind::task) {}

  // Does the work, on the executor to which it was posted. Exceptions of user code propagate.
  virtual void run() = 0;

  // Destroys the work, because its context is being destroyed. Runs no handler.
  virtual void discard() noexcept = 0;

  task* next_task() const noexcept { return static_cast<task*>(next); }

 protected:
  virtual ~task() = default;
};

// An owning list of tasks, in order of arrival. Its destructor discards the remaining tasks.
class task_list {
 public:
  task_list() = default;
  task_list(task_list&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
  task_list& operator=(task_list&&) = delete;

  // Takes a linked list, oldest first.
  explicit task_list(task* first) noexcept : first_(first), last_(first) {
    while (last_ && last_->next) {
      last_ = last_->next_task();
    }
  }

  ~task_list() { discard(); }

  bool empty() const noexcept { return first_ == nullptr; }
  bool has_many() const noexcept { return first_ && first_->next; }

  void push_back(task& item) noexcept {
    item.next = nullptr;
    if (first_) {
      last_->next = &item;
    } else {
      first_ = &item;
    }
    last_ = &item;
  }

  // Puts `others` in front of the tasks in this list.
  void push_front(task_list others) noexcept {
    if (!others.empty()) {
      others.last_->next = first_;
      if (!first_) {
        last_ = others.last_;
      }
      first_ = std::exchange(others.first_, nullptr);
      others.last_ = nullptr;
    }
  }

  task& pop_front() noexcept {
    task& item = *first_;
    first_ = item.next_task();
    return item;
  }

  // Takes at most `count` tasks from the front.
  task_list take(int count) noexcept {
    task_list result;
    while (count-- > 0 && !empty()) {
      result.push_back(pop_front());
    }
    return result;
  }

  void discard() noexcept {
    while (!empty()) {
      pop_front().discard();
    }
  }

 private:
  task* first_ = nullptr;
  task* last_ = nullptr; // valid only if first_ is set
};

} // namespace otpp::detail

#pragma GCC visibility pop
