// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/exit_reason.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// A monitor or a link between two processes. Each process lists its end of it until the process ends, and
// holds a reference.
//
//   connected -> notified      one process has ended: it takes the other end off its list and notifies that
//                              process
//             -> disconnected  no process will be notified, and a notification in transit is void
//   notified -> disconnected   a notification in transit is void
class relation : public counted<relation> {
 public:
  using core_ptr = intrusive_ptr<server_core>;

  virtual ~relation() = default;

  // Adds it to the lists of both processes. Returns false if one of them has ended; then it is in neither
  // list, and counts as notified.
  bool connect() noexcept {
    return list(first_) == relations::addition::made ? complete(second_) : !begin_notify();
  }

  // As connect(), for a link: redundant if the two have one, which then is in both lists. Two processes that link with
  // each other at the same moment look in the same list: that of the younger, which is likely to be the shorter.
  relations::addition connect_once() noexcept {
    end& younger = first_.who->id() > second_.who->id() ? first_ : second_;
    end& older = other(younger);
    intrusive_ptr<relation> twin;
    auto is_twin = [&](relations::node& node) {
      end& listed = static_cast<end&>(node);
      if (listed.whole.is_connected_link() && listed.whole.other(listed).who == older.who) {
        twin = intrusive_ptr<relation>(&listed.whole);
      }
      return static_cast<bool>(twin);
    };
    if (list(younger, is_twin) == relations::addition::made) {
      return complete(older) ? relations::addition::made : relations::addition::refused;
    }
    if (!twin) {
      begin_notify();
      return relations::addition::refused;
    }
    bool is_twin_connected = twin->complete(twin->first_.who == older.who ? twin->first_ : twin->second_);
    return is_twin_connected ? relations::addition::redundant : relations::addition::refused;
  }

  // Separates the two. Returns true if neither had ended.
  bool disconnect() noexcept {
    bool was_connected = state_.exchange(state::disconnected, std::memory_order_acq_rel) == state::connected;
    erase(first_);
    erase(second_);
    return was_connected;
  }

  bool is_disconnected() const noexcept {
    return state_.load(std::memory_order_acquire) == state::disconnected;
  }

  const core_ptr& first() const noexcept { return first_.who; }
  const core_ptr& second() const noexcept { return second_.who; }

  // `who`, one of the two, has ended. Called at most once, and not under a lock.
  virtual void notify(const server_core& who, const exit_reason& reason) noexcept = 0;

  // Returns the link of a process with another, or null.
  static intrusive_ptr<relation> find_link(server_core& one, std::uint64_t other) noexcept {
    intrusive_ptr<relation> found;
    if (relations* its = one.related()) {
      its->find_node([&](relations::node& node) {
        end& mine = static_cast<end&>(node);
        if (mine.whole.is_link_ && mine.whole.other(mine).who->id() == other) {
          found = intrusive_ptr<relation>(&mine.whole);
        }
        return static_cast<bool>(found);
      });
    }
    return found;
  }

  // Ends this relation alone, as if `who`, one of the two, had ended.
  void end_at(const server_core& who, const exit_reason& reason) noexcept {
    intrusive_ptr<relation> keep(this);
    if (begin_notify()) {
      end& mine = &who == first_.who.get() ? first_ : second_;
      erase(mine);
      notify(who, reason);
      erase(other(mine));
    }
  }

  // Calls `visit` under the lock for each relation: with the id of the other process, whether it is a link, and
  // whether this process is the one that has made it.
  template <class Visit>
  static void visit_all(relations& its, Visit visit) noexcept {
    its.find_node([&](relations::node& node) {
      end& mine = static_cast<end&>(node);
      visit(mine.whole.other(mine).who->id(), mine.whole.is_link_, &mine == &mine.whole.first_);
      return false;
    });
  }

  // Called when the process has ended: notifies the other end of each of its relations.
  static void notify_all(relations& its, const exit_reason& reason) noexcept {
    while (relations::node* node = its.take_node()) {
      end& mine = static_cast<end&>(*node);
      mine.whole.ended(mine, reason);
    }
  }

 protected:
  // Precondition: both processes have relations (relations::of()).
  relation(core_ptr first, core_ptr second, bool is_link) noexcept
      : first_(*this, std::move(first)), second_(*this, std::move(second)), is_link_(is_link) {}

 private:
  enum class state : std::uint8_t { connected, notified, disconnected };

  struct end final : relations::node {
    end(relation& of, core_ptr process) noexcept : whole(of), who(std::move(process)) {}

    relation& whole;
    core_ptr who;
  };

  end& other(const end& one) noexcept { return &one == &first_ ? second_ : first_; }

  // The process at this end has ended, and no longer lists it.
  void ended(end& mine, const exit_reason& reason) noexcept {
    auto keep = intrusive_ptr<relation>::adopt(this); // the reference of the list
    if (begin_notify()) {
      notify(*mine.who, reason);
    }
    // After notify(): until the signal can be found by the other process, the relation still can.
    erase(other(mine));
  }

  // Lists it at its second end; its maker does that, and whoever has found it at the first one. Returns false if the process
  // there has ended, and the other has not been notified of that.
  bool complete(end& last) noexcept {
    if (list(last) == relations::addition::refused) {
      erase(other(last));
      return !begin_notify();
    }
    if (state_.load(std::memory_order_acquire) != state::connected) {
      erase(last); // what has ended the relation meanwhile may have found it at one end only
    }
    return true;
  }

  bool is_connected_link() const noexcept {
    return is_link_ && state_.load(std::memory_order_acquire) == state::connected;
  }

  // Of several that end it at the same time, one gets true.
  bool begin_notify() noexcept {
    state was = state::connected;
    return state_.compare_exchange_strong(
        was, state::notified, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  template <class... Twin>
  relations::addition list(end& one, Twin... is_twin) noexcept {
    add_ref();
    relations::addition result = one.who->related()->add(one, is_twin...);
    if (result != relations::addition::made) {
      release(); // the reference of the list
    }
    return result;
  }

  void erase(end& one) noexcept {
    if (one.who->related()->erase(one)) {
      release();
    }
  }

  end first_;
  end second_;
  std::atomic<state> state_{state::connected};
  const bool is_link_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
