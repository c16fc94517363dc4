// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/node_event.hpp>

#include <functional>
#include <iterator>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Who is told of nodes that come and go, in order. Any thread; they are called without the lock.
class node_listeners {
 public:
  // Returns false if it has ended.
  using listener = std::function<bool(const dist::node_event&)>;

  void add(listener one) {
    std::lock_guard lock(mutex_);
    all_.push_back(std::move(one));
  }

  // By the node.
  void tell(const dist::node_event& event) {
    std::vector<listener> all;
    {
      std::lock_guard lock(mutex_);
      all.swap(all_);
    }
    std::erase_if(all, [&](const listener& each) {
      try {
        return !each(event);
      } catch (const std::bad_alloc&) {
        return false; // this is not told
      }
    });
    std::lock_guard lock(mutex_);
    all_.insert(all_.begin(), std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()));
  }

 private:
  std::mutex mutex_;
  std::vector<listener> all_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
