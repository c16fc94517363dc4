// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The processes here that stand for what is on other nodes, by what they print. An entry has the process as `who`; those of
// ended ones count for nothing. Any thread.
template <class Entry>
class stand_in_table {
 public:
  using entry = Entry;

  std::size_t size() const noexcept {
    std::lock_guard lock(mutex_);
    return all_.size();
  }

  // Returns the one that is there already, or else this one.
  Entry enter(const std::string& name, Entry one) {
    std::lock_guard lock(mutex_);
    Entry& known = all_[name];
    if (known.who.has_ended()) {
      std::swap(known, one); // the old one is destroyed outside of the lock
    }
    return known;
  }

  // Returns one of nobody if it is not known.
  Entry get(std::string_view name) const {
    std::lock_guard lock(mutex_);
    auto found = all_.find(name);
    return found == all_.end() || found->second.who.has_ended() ? Entry() : found->second;
  }

  // By the process of this id, when its state is destroyed.
  void remove(std::string_view name, std::uint64_t id) noexcept {
    Entry gone; // destroyed outside of the lock
    std::lock_guard lock(mutex_);
    auto found = all_.find(name);
    if (found != all_.end() && found->second.who.id() == id) {
      gone = std::move(found->second);
      all_.erase(found);
    }
  }

  // Calls `visit` under the lock with each.
  template <class Visit>
  void visit(Visit visit) const {
    std::lock_guard lock(mutex_);
    for (const auto& each : all_) {
      visit(each.second);
    }
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> all_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
