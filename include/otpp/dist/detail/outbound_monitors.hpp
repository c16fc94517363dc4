// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/ref_key.hpp>

#include <mutex>
#include <unordered_map>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The monitors by which those that stand for processes of a peer hear of their ends. Any thread.
class outbound_monitors {
 public:
  void add(const ref_view& ref, const pid& stands_for_it) {
    std::lock_guard lock(mutex_);
    all_.insert_or_assign(ref_key(ref), stands_for_it);
  }

  // Returns nobody if there is none.
  pid take(const ref_view& ref) {
    std::lock_guard lock(mutex_);
    auto found = all_.find(ref_key(ref));
    pid whose = found == all_.end() ? pid() : std::move(found->second);
    if (found != all_.end()) {
      all_.erase(found);
    }
    return whose;
  }

  void clear() noexcept {
    std::unordered_map<ref_key, pid, ref_key_hash> gone; // destroyed outside of the lock
    std::lock_guard lock(mutex_);
    gone.swap(all_);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<ref_key, pid, ref_key_hash> all_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
