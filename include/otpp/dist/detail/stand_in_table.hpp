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

  // Of one node.
  std::size_t size_of(std::string_view node) const noexcept {
    std::lock_guard lock(mutex_);
    auto found = sizes_.find(node);
    return found == sizes_.end() ? 0 : found->second;
  }

  // Returns the one that is there already, or else this one, of the node `node`.
  Entry enter(const std::string& name, const std::string& node, Entry one) {
    std::lock_guard lock(mutex_);
    auto [at, is_new] = all_.try_emplace(name);
    if (is_new) {
      try {
        at->second.size = sizes_.try_emplace(node, 0).first;
      } catch (...) {
        all_.erase(at);
        throw;
      }
      ++at->second.size->second;
    }
    Entry& known = at->second.entry;
    if (known.who.has_ended()) {
      std::swap(known, one); // the old one is destroyed outside of the lock
    }
    return known;
  }

  // Returns one of nobody if it is not known.
  Entry get(std::string_view name) const {
    std::lock_guard lock(mutex_);
    auto found = all_.find(name);
    return found == all_.end() || found->second.entry.who.has_ended() ? Entry() : found->second.entry;
  }

  // By the process of this id, when its state is destroyed.
  void remove(std::string_view name, std::uint64_t id) noexcept {
    Entry gone; // destroyed outside of the lock
    std::lock_guard lock(mutex_);
    auto found = all_.find(name);
    if (found != all_.end() && found->second.entry.who.id() == id) {
      gone = take_out(found);
    }
  }

  // Calls `visit` under the lock with each.
  template <class Visit>
  void visit(Visit visit) const {
    std::lock_guard lock(mutex_);
    for (const auto& each : all_) {
      visit(each.second.entry);
    }
  }

 private:
  using sizes = std::map<std::string, std::size_t, std::less<>>; // by nodes
  struct place {
    Entry entry;
    sizes::iterator size; // that of its node
  };
  using places = std::map<std::string, place, std::less<>>;

  Entry take_out(typename places::iterator at) noexcept {
    Entry gone = std::move(at->second.entry);
    if (--at->second.size->second == 0) {
      sizes_.erase(at->second.size);
    }
    all_.erase(at);
    return gone;
  }

  mutable std::mutex mutex_;
  places all_;
  sizes sizes_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
