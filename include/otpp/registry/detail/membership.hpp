// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Which processes belong to which key: any number per key, and a process any number of times. The common part
// of pg and duplicate_registry.
//
// A membership ends with its process, at the same time as the process's names: before the end is reported.
// The process owns it (`name_registration`) and this table lists it; the thread that takes it off the list,
// under the lock, has ended it. The table is shared by the processes, so it may outlive the group, and the
// group may be destroyed first.
class membership_table : public counted<membership_table> {
 public:
  enum class change : bool { joined, left };

  virtual ~membership_table() = default;

  // Throws `errc::no_process` if the process has ended, or std::bad_alloc; both without effect.
  void add(std::string_view key, const pid& who) {
    if (!who) {
      refuse(key, who);
    }
    auto mine = std::make_unique<membership>(intrusive_ptr<membership_table>(this), key);
    membership* const kept = mine.get();
    std::unique_ptr<name_registration> holding = std::move(mine);
    bool is_held = false;
    {
      std::lock_guard lock(mutex_);
      members& all = keys_[std::string(key)];
      try {
        all.push_back({who, kept});
        kept->is_listed = true; // first: the process may end as soon as it owns the entry
        is_held = access::core(who)->hold_name(holding);
      } catch (...) {
        forget_if_empty(key);
        throw;
      }
      if (is_held) {
        ++count_;
        changed(key, change::joined, who);
      } else {
        kept->is_listed = false;
        all.pop_back();
        forget_if_empty(key);
      }
    }
    if (!is_held) {
      refuse(key, who);
    }
    tell();
  }

  // Ends one membership. Returns false if there is none.
  bool remove(std::string_view key, const pid& who) {
    membership* ended = nullptr;
    {
      std::lock_guard lock(mutex_);
      ended = erase(key, [&](const entry& one) { return one.who == who; });
    }
    if (!ended) {
      return false;
    }
    access::core(who)->release_name([&](const name_registration& one) { return &one == ended; });
    tell();
    return true;
  }

  // Returns the members of a key, in the order in which they were added.
  std::vector<pid> find(std::string_view key) const {
    std::vector<pid> result;
    std::shared_lock lock(mutex_);
    if (auto found = keys_.find(key); found != keys_.end()) {
      result.reserve(found->second.size());
      for (const entry& one : found->second) {
        result.push_back(one.who);
      }
    }
    return result;
  }

  // Returns the members as typed references; throws `errc::bad_message` if one of them has other callbacks.
  template <class Callbacks>
  std::vector<server_ref<Callbacks>> find_as(std::string_view key) const {
    std::vector<server_ref<Callbacks>> result;
    for (const pid& who : find(key)) {
      auto known = who.as<Callbacks>();
      if (!known) {
        std::rethrow_exception(make_error(
            errc::bad_message, "looking up \"" + std::string(key) + '"', {},
            who.describe() + ", whose callbacks are " + std::string(access::core(who)->type_name())));
      }
      result.push_back(*known);
    }
    return result;
  }

  // Returns all keys that have a member, sorted.
  std::vector<std::string> keys() const {
    return keys_if([](const members&) { return true; });
  }

  // Returns the keys of `who`, sorted.
  std::vector<std::string> keys(const pid& who) const {
    return keys_if([&](const members& all) {
      return std::any_of(all.begin(), all.end(), [&](const entry& one) { return one.who == who; });
    });
  }

  // Returns the number of memberships.
  std::size_t count() const {
    std::shared_lock lock(mutex_);
    return count_;
  }
  std::size_t count(std::string_view key) const {
    std::shared_lock lock(mutex_);
    auto found = keys_.find(key);
    return found == keys_.end() ? 0 : found->second.size();
  }

 protected:
  // Hooks for pg's monitors: `changed` is called under the lock, `tell` without it.
  virtual void changed(std::string_view, change, const pid&) noexcept {}
  virtual void tell() noexcept {}

  std::shared_mutex& mutex() const noexcept { return mutex_; }

  // Called under the lock.
  std::vector<pid> members_of(std::string_view key) const {
    std::vector<pid> result;
    if (auto found = keys_.find(key); found != keys_.end()) {
      for (const entry& one : found->second) {
        result.push_back(one.who);
      }
    }
    return result;
  }

 private:
  struct membership final : name_registration {
    membership(intrusive_ptr<membership_table> table, std::string_view text)
        : in(std::move(table)), key(text) {}
    ~membership() override {
      if (is_listed) {
        in->end(*this);
      }
    }

    intrusive_ptr<membership_table> in;
    std::string key;
    bool is_listed = false; // set once, by the thread that adds it
  };

  struct entry {
    pid who;
    membership* held; // the membership whose entry this is
  };
  using members = std::vector<entry>;

  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };

  template <class Wanted>
  std::vector<std::string> keys_if(Wanted wanted) const {
    std::vector<std::string> result;
    {
      std::shared_lock lock(mutex_);
      for (const auto& [key, all] : keys_) {
        if (wanted(all)) {
          result.push_back(key);
        }
      }
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  [[noreturn]] static void refuse(std::string_view key, const pid& who) {
    std::rethrow_exception(
        make_error(errc::no_process, "joining \"" + std::string(key) + '"', {}, who.describe()));
  }

  // Called when the process ends, or gives up the membership.
  void end(const membership& one) noexcept {
    {
      pid last; // released after the lock
      std::lock_guard lock(mutex_);
      erase(one.key, [&](const entry& at) {
        if (at.held == &one) {
          last = at.who;
        }
        return at.held == &one;
      });
    }
    tell();
  }

  template <class Is>
  membership* erase(std::string_view key, Is is) noexcept {
    auto found = keys_.find(key);
    if (found == keys_.end()) {
      return nullptr;
    }
    auto at = std::find_if(found->second.begin(), found->second.end(), is);
    if (at == found->second.end()) {
      return nullptr;
    }
    membership* ended = at->held;
    pid who = std::move(at->who);
    found->second.erase(at);
    forget_if_empty(key);
    --count_;
    changed(key, change::left, who);
    return ended;
  }

  void forget_if_empty(std::string_view key) noexcept {
    if (auto found = keys_.find(key); found != keys_.end() && found->second.empty()) {
      keys_.erase(found);
    }
  }

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, members, hash, std::equal_to<>> keys_;
  std::size_t count_ = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
