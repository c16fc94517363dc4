// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The processes that stand for names on other nodes, by what they print: `{cache,'erl@host'}`. Any thread.
class remote_names {
 public:
  // Returns the one that is there already, or else this one.
  pid enter(std::string_view name, const pid& who) {
    std::lock_guard lock(mutex_);
    pid& known = all_[std::string(name)];
    if (known.has_ended()) {
      known = who;
    }
    return known;
  }
  pid find(std::string_view name) const {
    std::lock_guard lock(mutex_);
    auto found = all_.find(name);
    return found == all_.end() || found->second.has_ended() ? pid() : found->second;
  }
  void remove(std::string_view name, std::uint64_t id) noexcept {
    pid gone; // destroyed outside of the lock
    std::lock_guard lock(mutex_);
    auto found = all_.find(name);
    if (found != all_.end() && found->second.id() == id) {
      gone = std::move(found->second);
      all_.erase(found);
    }
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, pid, std::less<>> all_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
