// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_messages.hpp>
#include <otpp/dist/detail/peer_error.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/tell_connection_changed.hpp>
#include <otpp/dist/node_event.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/gen_server/caller.hpp>
#include <otpp/process/exit.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

// The connections with one peer. dist_node.hpp says what becomes of them.
struct peer_entry {
  pid connection; // that is up, or nobody
  std::shared_ptr<peer_link> link;
  bool is_own = false;                  // we have begun it
  bool is_unwanted = false;             // it was told to end
  pid attempt;                          // our own that goes on, or nobody
  bool has_yielded = false;             // that waits for the peer's
  std::shared_ptr<peer_link> successor; // that, once the peer has taken it though another connection is up
  std::vector<caller<void>> waiting;
};

// Which connections are with which peer, and which handshakes may still become one. It belongs to the process of the node.
class peer_table {
 public:
  peer_table() = default;
  explicit peer_table(std::shared_ptr<node_core> core) noexcept : core_(std::move(core)) {}

  // Adds it if there is none.
  peer_entry& of(const std::string& peer) { return all_[peer]; }
  // Returns null if there is none.
  peer_entry* find(const std::string& peer) noexcept {
    auto found = all_.find(peer);
    return found == all_.end() ? nullptr : &found->second;
  }

  // A connection that ends is still the entry's, but is used no more; another may come up beside it.
  bool is_alive(const std::string& peer, const peer_entry& entry) const {
    return entry.connection && core_->link_with(peer) == entry.link;
  }
  // The same, also where nothing is known of the peer.
  bool is_connected(const std::string& peer) {
    const peer_entry* entry = find(peer);
    return entry != nullptr && is_alive(peer, *entry);
  }

  void forget_if_empty(const std::string& peer) {
    const peer_entry* entry = find(peer);
    if (entry != nullptr && !entry->connection && !entry->attempt && entry->waiting.empty()) {
      all_.erase(peer);
    }
  }

  // The peer whose connection, or attempt, this is; empty if it is nobody's.
  std::string peer_of(const pid& one) const {
    auto found = std::find_if(all_.begin(), all_.end(), [&](const auto& each) {
      return each.second.connection == one || each.second.attempt == one;
    });
    return found == all_.end() ? std::string() : found->first;
  }

  // Adds all that there is.
  void append_all(std::vector<pid>& to) const {
    for (const auto& each : all_) {
      for (const pid& one : {each.second.connection, each.second.attempt}) {
        if (one) {
          to.push_back(one);
        }
      }
    }
  }

  // ---- handshakes that peers have begun ----

  void admit(const pid& connection, peer_admission what) { admitted_[connection.id()] = std::move(what); }
  // Null if there is none.
  const peer_admission* admitted(const pid& connection) const noexcept {
    auto found = admitted_.find(connection.id());
    return found == admitted_.end() ? nullptr : &found->second;
  }
  // Returns the name that it has given; empty if none.
  std::string forget_admitted(const pid& connection) noexcept {
    auto found = admitted_.extract(connection.id());
    return found.empty() ? std::string() : std::move(found.mapped().peer);
  }
  // Whether one of the peer goes on.
  bool is_admitted(const std::string& peer) const {
    return std::any_of(admitted_.begin(), admitted_.end(), [&](const auto& each) {
      return each.second.may_come_up_as(peer);
    });
  }

  // ----

  // From here on the peer is known by this connection.
  void come_up(
      const std::string& peer, peer_entry& entry, const pid& connection,
      const std::shared_ptr<peer_link>& link) {
    bool is_own = entry.attempt == connection;
    if (pid old = std::exchange(entry.connection, connection)) {
      entry.link->retire(); // it may have read what was sent before
      core_->peer_went(peer, entry.link);
      core_->listeners().tell(
          {peer, dist::node_event::kind::down, peer_error(peer, "it has connected again")});
      end(old, "another connection takes its place");
    }
    if (is_own) {
      entry.attempt = pid();
      entry.successor = nullptr;
    } else if (entry.has_yielded || entry.successor) { // which the peer has lost, as it has connected anew
      end(std::exchange(entry.attempt, pid()), "the peer has connected meanwhile");
      entry.successor = nullptr;
    }
    entry.link = link;
    entry.is_own = is_own;
    entry.is_unwanted = false;
    entry.has_yielded = false;
    core_->peer_came(peer, link);
    tell_connection_changed(*core_, peer, nullptr, link); // whereupon it comes up
    core_->listeners().tell({peer, dist::node_event::kind::up, {}});
    for (caller<void>& each : std::exchange(entry.waiting, {})) {
      each.reply();
    }
  }

  static void fail_waiting(peer_entry& entry, const std::exception_ptr& why) {
    for (caller<void>& each : std::exchange(entry.waiting, {})) {
      each.fail(why);
    }
  }

  static void end(const pid& connection, const char* why) {
    exit(connection, exit_reason::shutdown(peer_error({}, why)));
  }

 private:
  std::shared_ptr<node_core> core_;
  std::map<std::string, peer_entry> all_;
  std::unordered_map<std::uint64_t, peer_admission> admitted_; // by the ids of their connections
};

} // namespace otpp::detail

#pragma GCC visibility pop
