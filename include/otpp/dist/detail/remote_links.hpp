// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The links of our processes with one elsewhere, as far as the protocol needs more than the relation between our process and
// the one that stands for the other: those that were cut here, until the other side has said that it knows. Any thread.
//
//   (none) -> cut   unlink: UNLINK_ID with a new id is to be sent. A LINK that comes meanwhile was sent before the other knew,
//                   and counts for nothing
//   cut -> (none)   by UNLINK_ID_ACK with that id; or because a LINK of ours follows the UNLINK_ID. Not before that is sent: if an
//                   unlink of the other undoes the link first, no LINK follows, and one that comes still counts for nothing
//
// Relations are made and undone for these reasons in the functions that they are given, so that of a LINK and an unlink at the
// same time one comes first.
class remote_links {
 public:
  // Returns the id for UNLINK_ID, which is never zero.
  template <class Undo>
  std::uint64_t cut(std::uint64_t process, Undo undo) {
    std::lock_guard lock(mutex_);
    cut_[process] = ++last_;
    undo();
    return last_;
  }
  void acknowledge(std::uint64_t process, std::uint64_t id) noexcept {
    std::lock_guard lock(mutex_);
    auto found = cut_.find(process);
    if (found != cut_.end() && found->second == id) {
      cut_.erase(found);
    }
  }
  // Returns the id of the unlink that the other side may not know of yet, or zero.
  std::uint64_t last_cut(std::uint64_t process) noexcept {
    std::lock_guard lock(mutex_);
    auto found = cut_.find(process);
    return found == cut_.end() ? 0 : found->second;
  }
  // LINK follows the UNLINK_ID with that id; unless there was another one meanwhile.
  void link_follows(std::uint64_t process, std::uint64_t id) noexcept { acknowledge(process, id); }
  // Our process has ended.
  void forget(std::uint64_t process) noexcept {
    std::lock_guard lock(mutex_);
    cut_.erase(process);
  }
  template <class Do>
  void unless_cut(std::uint64_t process, Do what) {
    std::lock_guard lock(mutex_);
    if (!cut_.contains(process)) {
      what();
    }
  }
  // Not at the same time as any of these.
  template <class Do>
  void alone(Do what) {
    std::lock_guard lock(mutex_);
    what();
  }
  void clear() noexcept {
    std::lock_guard lock(mutex_);
    cut_.clear();
  }

 private:
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> cut_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
