// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/util/intrusive_fifo.hpp>

#include <utility>

namespace otpp::detail {

// An item in a mailbox: a task or a message. It has its own link, so that queueing allocates nothing.
class queued {
 public:
  enum class kind : bool { task, message };

  queued(const queued&) = delete;
  queued& operator=(const queued&) = delete;

  kind what() const noexcept { return kind_; }

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

 protected:
  virtual ~task() = default;
};

// An owning list of tasks, in order of arrival. Its destructor discards the remaining tasks.
class task_list {
 public:
  task_list() = default;
  task_list(task_list&&) = default;
  task_list& operator=(task_list&&) = delete;

  // Takes a linked list, oldest first.
  explicit task_list(task* first) noexcept : tasks_(first) {}

  ~task_list() { discard(); }

  bool empty() const noexcept { return tasks_.empty(); }
  bool has_many() const noexcept { return tasks_.has_many(); }

  void push_back(task& item) noexcept { tasks_.push_back(item); }

  // Puts `others` in front of the tasks in this list.
  void push_front(task_list others) noexcept { tasks_.prepend(std::move(others.tasks_)); }

  // Precondition: the list is not empty.
  task& pop_front() noexcept { return *tasks_.pop_front(); }

  // Takes at most `count` tasks from the front.
  task_list take(int count) noexcept {
    task_list result;
    while (count-- > 0 && !empty()) {
      result.push_back(pop_front());
    }
    return result;
  }

  void discard() noexcept {
    while (task* item = tasks_.pop_front()) {
      item->discard();
    }
  }

 private:
  intrusive_fifo<task> tasks_;
};

} // namespace otpp::detail
