// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The links of our processes with one elsewhere, as far as the protocol needs more than the relation between our process and
// the one that stands for the other: those that were cut here, until the other side has said that it knows, and by which
// connection it has made links. Any thread.
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
  // LINK has come by that connection. Unless the link was cut it is made by `make`, which returns false if that connection does not
  // count any more.
  template <class Make>
  void make_by(std::uint64_t connection, std::uint64_t process, Make make) {
    std::lock_guard lock(mutex_);
    if (!cut_.contains(process) && make()) {
      made_by_ = connection;
    }
  }
  // Whether there may be links that the other side has made by that connection; or by another one.
  bool has_made_by(std::uint64_t connection) const noexcept {
    std::lock_guard lock(mutex_);
    return made_by_ == connection;
  }
  bool has_made_by_other(std::uint64_t connection) const noexcept {
    std::lock_guard lock(mutex_);
    return made_by_ != 0 && made_by_ != connection;
  }
  // Not at the same time as any of these.
  template <class Do>
  void alone(Do what) {
    std::lock_guard lock(mutex_);
    what();
  }
  // A connection is lost.
  void clear() noexcept {
    std::lock_guard lock(mutex_);
    cut_.clear();
    made_by_ = 0;
  }

  // Keeps `next`, without which a connection is not read, until has_moved_to() says that nothing is left of the one before. So
  // what comes by the new one is not taken for the old one's.
  void keep_until_moved(std::uint64_t connection, std::shared_ptr<const void> next) noexcept {
    std::lock_guard lock(mutex_);
    if (moved_to_ != connection) { // else it has sent something by it before it was told
      moving_to_ = connection;
      next_.swap(next); // the last one is destroyed outside of the lock
    }
  }
  void has_moved_to(std::uint64_t connection) noexcept {
    std::shared_ptr<const void> gone; // destroyed outside of the lock
    std::lock_guard lock(mutex_);
    moved_to_ = connection;
    if (moving_to_ == connection) {
      gone.swap(next_);
    }
  }

 private:
  mutable std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> cut_;
  std::uint64_t made_by_ = 0; // the connection; as all its links are broken off before another makes one
  std::uint64_t moving_to_ = 0;
  std::uint64_t moved_to_ = 0;
  std::shared_ptr<const void> next_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
