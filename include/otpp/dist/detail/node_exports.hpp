// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/dist/detail/inbound.hpp>
#include <otpp/error.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A name that other nodes know.
struct published_name {
  std::function<pid()> find; // who has it now; nobody if nobody has
  const inbound* how;
};

// What other nodes can reach: the names that were published, and the processes whose pids were given out. Any thread.
class node_exports {
 public:
  struct exported {
    pid who;
    const inbound* how = nullptr; // null if the class of its callbacks is unknown
  };

  // Throws errc::name_taken.
  void publish(std::string name, published_name what) {
    auto made = std::make_shared<const published_name>(std::move(what));
    std::lock_guard lock(mutex_);
    known_.emplace(std::type_index(*made->how->callbacks), made->how);
    auto [place, is_new] = names_.try_emplace(std::move(name), std::move(made));
    if (!is_new) {
      std::rethrow_exception(make_error(errc::name_taken, "publish", {}, '"' + place->first + '"'));
    }
  }

  bool unpublish(std::string_view name) {
    std::shared_ptr<const published_name> gone; // destroyed outside of the lock, as it is the user's
    std::lock_guard lock(mutex_);
    auto found = names_.find(name);
    if (found == names_.end()) {
      return false;
    }
    gone = std::move(found->second);
    names_.erase(found);
    return true;
  }

  // The process that has a published name now; nobody if none has, or the name is not published.
  exported find(std::string_view name) const {
    std::shared_ptr<const published_name> known;
    {
      std::lock_guard lock(mutex_);
      auto found = names_.find(name);
      if (found == names_.end()) {
        return {};
      }
      known = found->second;
    }
    pid who = known->find();
    return who.has_ended() ? exported() : exported{std::move(who), known->how};
  }

  // A process whose pid was given out, and that has not ended.
  exported find(std::uint64_t id) const {
    std::lock_guard lock(mutex_);
    auto found = pids_.find(id);
    return found == pids_.end() || found->second.who.has_ended() ? exported() : found->second;
  }

  // Lets other nodes reach a process. Ended ones are forgotten each time the table has doubled.
  void give_out(const pid& who) {
    std::vector<exported> gone; // destroyed outside of the lock: they may have kept what is the user's
    std::lock_guard lock(mutex_);
    if (pids_.contains(who.id())) {
      return;
    }
    if (pids_.size() >= sweep_at_) {
      sweep(gone);
    }
    auto known = known_.find(std::type_index(access::core(who)->callbacks_type_info()));
    pids_.emplace(who.id(), exported{who, known == known_.end() ? nullptr : known->second});
  }

 private:
  void sweep(std::vector<exported>& gone) {
    for (auto each = pids_.begin(); each != pids_.end();) {
      if (each->second.who.has_ended()) {
        gone.push_back(std::move(each->second));
        each = pids_.erase(each);
      } else {
        ++each;
      }
    }
    sweep_at_ = (2 * pids_.size()) + 64;
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const published_name>, std::less<>> names_;
  std::unordered_map<std::uint64_t, exported> pids_;
  std::unordered_map<std::type_index, const inbound*> known_;
  std::size_t sweep_at_ = 64;
};

} // namespace otpp::detail

#pragma GCC visibility pop
