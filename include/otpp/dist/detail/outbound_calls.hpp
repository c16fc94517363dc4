// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/outbound_call.hpp>
#include <otpp/dist/detail/ref_key.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Our calls that a peer has not answered. Any thread. Calls are answered outside of the lock.
class outbound_calls {
 public:
  struct entry {
    std::unique_ptr<outbound_call> call;
    std::string name;         // the one that is called, and monitored
    std::uint64_t asking = 0; // the process as which that was done
    std::uint64_t target = 0; // the process here that stands for the one that is called
  };

  // Returns false, and takes nothing, once it is closed.
  bool add(const ref_view& ref, entry& one) {
    std::lock_guard lock(mutex_);
    if (is_closed_) {
      return false;
    }
    all_.try_emplace(ref_key(ref), std::move(one));
    return true;
  }

  // Takes one out, because it is answered, or can not be any more; it is empty if there is none.
  entry take_answered(const ref_view& ref) noexcept { return take(ref, true); }
  entry take_ended(const ref_view& ref) noexcept { return take(ref, false); }

  // The process for which this one stands has ended. O(calls to the peer).
  void end_those_to(std::uint64_t target, std::string_view reason_bytes) {
    std::vector<entry> ended;
    {
      std::lock_guard lock(mutex_);
      for (auto each = all_.begin(); each != all_.end();) {
        if (each->second.target == target) {
          ended.push_back(std::move(each->second));
          each = all_.erase(each);
        } else {
          ++each;
        }
      }
    }
    for (entry& each : ended) {
      each.call->ended(reason_bytes);
    }
  }

  // Takes out those for whose answer nobody waits any more.
  std::vector<std::pair<ref_key, entry>> take_forgotten() {
    std::vector<std::pair<ref_key, entry>> forgotten;
    std::lock_guard lock(mutex_);
    for (auto each = all_.begin(); each != all_.end();) {
      if (each->second.call->is_waiting()) {
        ++each;
      } else {
        forgotten.emplace_back(each->first, std::move(each->second));
        each = all_.erase(each);
      }
    }
    return forgotten;
  }

  // The connection is lost: ends all.
  void close() noexcept {
    std::unordered_map<ref_key, entry, ref_key_hash> lost;
    {
      std::lock_guard lock(mutex_);
      is_closed_ = true;
      lost = std::move(all_);
      all_.clear();
    }
    for (auto& each : lost) {
      each.second.call->lost(nullptr);
    }
  }

 private:
  entry take(const ref_view& ref, bool is_answered) noexcept {
    std::lock_guard lock(mutex_);
    auto found = all_.find(ref_key(ref));
    if (found == all_.end() || (is_answered && !found->second.call->wants_answer())) {
      return {};
    }
    entry one = std::move(found->second);
    all_.erase(found);
    return one;
  }

  std::mutex mutex_;
  bool is_closed_ = false;
  std::unordered_map<ref_key, entry, ref_key_hash> all_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
