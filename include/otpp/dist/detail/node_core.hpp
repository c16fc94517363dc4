// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/runtime/lane.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_exports.hpp>
#include <otpp/dist/detail/node_listeners.hpp>
#include <otpp/dist/detail/remote_names.hpp>
#include <otpp/dist/detail/remote_processes.hpp>
#include <otpp/dist/node_options.hpp>
#include <otpp/dist/node_statistics.hpp>
#include <otpp/dist/reports.hpp>

#include <asio/ip/tcp.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#pragma GCC visibility push(default)

namespace otpp::detail {

class peer_link;

// What a node, its connections and its handles share. Any thread, but for what is set while the node is opened.
class node_core : public std::enable_shared_from_this<node_core> {
 public:
  explicit node_core(dist::node_options how) : how_(std::move(how)) {}

  const dist::node_options& how() const noexcept { return how_; }
  node_exports& exports() noexcept { return exports_; }
  remote_names& names_elsewhere() noexcept { return names_elsewhere_; }
  remote_processes& processes_elsewhere() noexcept { return processes_elsewhere_; }

  node_listeners& listeners() noexcept { return listeners_; }

  // ---- set while the node is opened ----

  std::string name; // with its host
  std::string cookie;
  std::uint32_t creation = 0;      // told from its predecessors of the same name by this
  asio::ip::tcp::endpoint address; // where it listens
  pid process;                     // its own, which is Erlang's net_kernel
  intrusive_ptr<lane> home;        // where its connections are, and what stands for others

  // ----

  const std::string& cookie_for(std::string_view peer) const {
    auto own = how_.cookies().find(peer);
    return own == how_.cookies().end() ? cookie : own->second;
  }

  // A process of this node, as other nodes know it.
  pid_view identity_of(std::uint64_t id) const noexcept {
    return {name, static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32), creation, {}};
  }
  // The id of a process of this node, or zero if it is another's or of a predecessor.
  std::uint64_t process_of(const pid_view& one) const noexcept {
    bool is_ours = one.creation == creation && one.node == name;
    return is_ours ? std::uint64_t(one.serial) << 32 | one.id : 0;
  }

  // The process of ours that a peer names, if it may reach it.
  node_exports::exported find_exported(const control_place& place) const {
    if (const auto* known = std::get_if<std::string_view>(&place)) {
      return *known == net_kernel ? node_exports::exported{process, nullptr} : exports_.find(*known);
    }
    const auto* one = std::get_if<pid_view>(&place);
    std::uint64_t number = one ? process_of(*one) : 0;
    return number == 0 ? node_exports::exported() : exports_.find(number);
  }
  static constexpr std::string_view net_kernel = "net_kernel"; // as which the node itself is known

  // ---- the peers ----

  // From here on what is sent to the peer takes this connection.
  void peer_came(const std::string& peer, std::shared_ptr<peer_link> by) {
    std::lock_guard lock(mutex_);
    peers_.insert_or_assign(peer, std::move(by));
  }
  // Unless it has another by now.
  void peer_went(const std::string& peer, const std::shared_ptr<peer_link>& by) noexcept {
    std::lock_guard lock(mutex_);
    auto found = peers_.find(peer);
    if (found != peers_.end() && found->second == by) {
      peers_.erase(found);
    }
  }
  // The connection with a peer; null if there is none.
  std::shared_ptr<peer_link> link_with(const std::string& peer) const {
    std::lock_guard lock(mutex_);
    auto found = peers_.find(peer);
    return found == peers_.end() ? nullptr : found->second;
  }
  std::vector<std::string> peers() const {
    std::vector<std::string> names;
    std::lock_guard lock(mutex_);
    names.reserve(peers_.size());
    for (const auto& each : peers_) {
      names.push_back(each.first);
    }
    return names;
  }

  // ---- references ----

  // Returns the number of a new reference, of three words. The first has 18 bits, as peers may expect.
  ref_view new_ref() noexcept {
    std::uint64_t number = last_ref_.fetch_add(1, std::memory_order_relaxed) + 1;
    ref_view made;
    made.node = name;
    made.creation = creation;
    made.count = 3;
    made.words = {
        static_cast<std::uint32_t>(number & 0x3FFFF), static_cast<std::uint32_t>(number >> 18),
        static_cast<std::uint32_t>(number >> 50), 0, 0};
    return made;
  }

  // ---- what has happened ----

  struct counters {
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> unknown{0};
    std::atomic<std::uint64_t> dropped{0};
    std::atomic<std::uint64_t> refused{0};
  };
  counters counted;

  dist::node_statistics statistics() const {
    dist::node_statistics all;
    all.received = counted.received.load(std::memory_order_relaxed);
    all.sent = counted.sent.load(std::memory_order_relaxed);
    all.unknown = counted.unknown.load(std::memory_order_relaxed);
    all.dropped = counted.dropped.load(std::memory_order_relaxed);
    all.refused = counted.refused.load(std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    all.peers = peers_.size();
    return all;
  }

  // What is not to be printed is for subscribers only.
  void report(std::string peer, std::string what, bool is_to_print) noexcept {
    using topic = detail::topic<dist::connection_report>;
    if (!topic::is_heard() && !(is_to_print && may_print())) {
      return;
    }
    try {
      topic::tell({name, std::move(peer), std::move(what)});
    } catch (...) {
      // Without memory nothing is reported.
    }
  }

  // What a peer must not guess.
  static std::uint32_t random_number() {
    std::random_device source;
    return source();
  }

 private:
  // Somebody who tries all ports must not fill a log.
  bool may_print() noexcept {
    std::lock_guard lock(mutex_);
    auto now = std::chrono::steady_clock::now();
    if (now - second_began_ >= std::chrono::seconds(1)) {
      second_began_ = now;
      printed_ = 0;
    }
    return printed_++ < 10;
  }

  const dist::node_options how_;
  node_exports exports_;
  node_listeners listeners_;
  remote_names names_elsewhere_;
  remote_processes processes_elsewhere_;
  std::atomic<std::uint64_t> last_ref_{0};
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<peer_link>> peers_;
  std::chrono::steady_clock::time_point second_began_;
  int printed_ = 0;
};

} // namespace otpp::detail

#pragma GCC visibility pop
