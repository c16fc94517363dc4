// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/ref_key.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>

#include <asio/cancellation_signal.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A monitor that a peer's process has of one of ours.
struct peer_tie {
  std::string bytes; // what its control message repeats: what is monitored, who monitors, the reference
  ref_key key;

  // Who monitors.
  pid_view watcher() const noexcept {
    term_reader from(bytes);
    pid_view one;
    from.skip();
    get_pid(from, one);
    return one;
  }

  // Begins the frame that tells the peer of the end; the reason is to follow.
  void begin_end(term_writer& to, reason_form form) const {
    bool is_payload = form == reason_form::as_payload;
    begin_control(to, is_payload ? 4 : 5, is_payload ? 28 : 21);
    to.raw(bytes);
  }
};

// A process of ours with which a peer has monitors. One join tells all of them of its end.
struct tied_process {
  explicit tied_process(pid one) : who(std::move(one)) {}

  const pid who;
  std::list<peer_tie> ties;
  asio::cancellation_signal cancel; // ends the join, which keeps this
};

// The monitors that a peer has of our processes. Used on the connection's executor.
class peer_ties {
 public:
  std::size_t size() const noexcept { return monitors_.size(); }

  // Returns the process, which is new if `is_new`: then its end is to be waited for.
  const std::shared_ptr<tied_process>& process(const pid& who, bool& is_new) {
    std::shared_ptr<tied_process>& known = processes_[who.id()];
    is_new = !known;
    if (is_new) {
      known = std::make_shared<tied_process>(who);
    }
    return known;
  }

  // Adds one, unless the peer has it already.
  void add(tied_process& with, peer_tie one) {
    if (monitors_.contains(one.key)) {
      return;
    }
    with.ties.push_front(std::move(one));
    auto made = with.ties.begin();
    try {
      monitors_.emplace(made->key, place{&with, made});
    } catch (...) {
      with.ties.erase(made);
      throw;
    }
  }

  // Takes one out; returns false if there is none.
  bool take(const ref_key& key, peer_tie& one) noexcept {
    auto found = monitors_.find(key);
    if (found == monitors_.end()) {
      return false;
    }
    one = std::move(*found->second.tie);
    found->second.with->ties.erase(found->second.tie);
    monitors_.erase(found);
    return true;
  }

  // A process has ended: takes out all that the peer has with it.
  std::list<peer_tie> take_all(std::uint64_t process) noexcept {
    std::list<peer_tie> all;
    auto found = processes_.find(process);
    if (found == processes_.end()) {
      return all;
    }
    all.swap(found->second->ties);
    processes_.erase(found);
    for (const peer_tie& each : all) {
      monitors_.erase(each.key);
    }
    return all;
  }

  // Calls `visit` with each process, and forgets all.
  template <class Visit>
  void clear(Visit visit) noexcept {
    auto all = std::move(processes_);
    processes_.clear();
    monitors_.clear();
    for (auto& each : all) {
      visit(*each.second);
    }
  }

 private:
  struct place {
    tied_process* with;
    std::list<peer_tie>::iterator tie;
  };

  std::unordered_map<std::uint64_t, std::shared_ptr<tied_process>> processes_;
  std::unordered_map<ref_key, place, ref_key_hash> monitors_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
