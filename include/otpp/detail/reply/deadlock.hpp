// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/detail/asio.hpp>
#include <otpp/detail/reply/reply_slot.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/runtime/wait_edge.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/timeout.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Detects servers that wait for each other in a cycle, each inside its handler: none of them could ever
// continue.
//
// A handler of P calls a server. It first sets P's edge (wait_edge.hpp), and then follows the edges from that
// server on. If they lead back to P, the call is refused with `errc::deadlock`.
//
// Every wait of a handler for another process is such an edge: also the wait for the answer of a request, for room in a
// mailbox, for a function of sys, and for a server's end, by `stop` or `join`, because the end comes after that
// server's handler. A `start` sets an edge to the new server, whose `init` is the handler that must
// return first; no call waits in that `init` yet, so a `start` itself closes no cycle.
//
// An edge X -> Y, by the slot s in which X's handler waits, is `sure` while
// - s is undecided: otherwise X continues, and merely has not been resumed yet; and
// - no otpp::caller was made for s: otherwise any thread may answer it while Y waits; this never changes
//   back.
// Then s is in Y's mailbox, waiting for room there, on its way there, or owned by the running handler of Y.
// Only Y's loop can answer it, and only after that handler has returned. A wait for the answer of a request is sure
// while the slot of the request is sure, too. A sender that waits for room sets its edge when it joins the line, under
// the lock of the mailbox: before that, Y might have room.
//
// There are no false alarms. The edges are read one after another, and X may have been answered by the time
// Y's edge is read; so all of them are checked again. A slot that is undecided then has been undecided since
// its edge was read, and it is the same slot, because no slot is freed while a thread looks. So between the
// two passes there was a moment at which all edges were sure; and a cycle of sure edges lasts until something
// outside breaks it: a timeout, a cancellation, an exit signal, the end of a context.
//
// No deadlock is missed if all edges were sure and no more than `most` servers that wait can be reached. Each handler
// sets its edge before it looks, sequentially consistently, so the last one to set its edge sees all others.
// Exactly one call is refused: if two set their edges before either looks, the first to look clears its own
// edge before the other can look.
//
// `multi_call` waits for several servers, and needs the answers of all: each of its edges may be in a cycle by itself,
// and only the request that closes one is refused. `request_set::next` needs the answer of any one. It waits forever if
// all its servers do. Those are what is left of the servers that can be reached after all have been taken out that
// wait for nothing, or for one that was taken out (for all that were, if that answer is needed). A wait is refused only
// if nothing is left without it; else some other cycle is about to be found by the wait that closes it, and one that
// goes through a request_set as well may be missed.
class wait_cycle {
 public:
  static constexpr std::size_t most = 64;

  wait_cycle() noexcept = default;
  wait_cycle(const wait_cycle&) = delete;
  wait_cycle& operator=(const wait_cycle&) = delete;
  ~wait_cycle() {
    for (std::size_t i = 1; i < count_; ++i) {
      nodes_[i].who->release();
    }
  }

  // Returns true if the edge of `from`, which is set, closes a cycle through `to`. The edge is then cleared.
  bool is_closed_by(process& from, process& to) noexcept {
    return is_closed_by(
        from, &to, [&](const wait_edge::look& looking) noexcept { from.edge().clear_in(looking); });
  }

  // As above, through any of the servers for which `from` waits if `to` is null. Instead of clearing the edge calls
  // `break_it`, before another thread can look.
  template <class Break>
  bool is_closed_by(process& from, const process* to, Break break_it) noexcept {
    wait_edge::look looking;
    to_ = to;
    if (!gather(from) || (!find_path([](const node& one) { return !one.needs_any; }) && !all_are_stuck())) {
      return false;
    }
    break_it(looking);
    return true;
  }

  // Returns true if the process waits for itself alone.
  bool is_to_itself() const noexcept { return last_ == 0; }

  // Describes the cycle: `"b" ("a" -> "b" -> "a")`. Must not be called under a lock.
  std::string describe() const {
    std::array<std::size_t, most> path; // backward
    std::size_t length = 0;
    for (std::size_t at = last_; at != 0; at = nodes_[at].parent) {
      path[length++] = at;
    }
    std::string text = nodes_[path[length - 1]].who->describe() + " (" + nodes_[0].who->describe() + " -> ";
    for (std::size_t i = 0; i != length && i + 1 != shown; ++i) {
      text += nodes_[path[length - 1 - i]].who->describe() + " -> ";
    }
    if (length + 1 > shown) {
      text += std::to_string(length + 1 - shown) + " more -> ";
    }
    return text + nodes_[0].who->describe() + ")";
  }

 private:
  static constexpr std::size_t shown = 8;
  static constexpr std::size_t none = most;

  // A process whose handler waits, and the slot in which it does. The first is the one whose wait may close a cycle;
  // the others are referenced here.
  struct node {
    process* who;
    const reply_slot* slot;
    std::size_t parent; // on the path, or none
    bool needs_any;
    bool is_stuck;
  };

  template <class Visit>
  class visitor final : public awaited_visitor {
   public:
    visitor(Visit& call, const process* only) noexcept : call_(call), only_(only) {}
    void operator()(const intrusive_ptr<process>& server, bool is_sure) noexcept override {
      if (!only_ || server.get() == only_) {
        call_(server.get(), server && is_sure);
      }
    }

   private:
    Visit& call_;
    const process* only_;
  };

  // Visits the servers for which a node waits. Returns true if the answer of any one is enough.
  template <class Visit>
  bool visit(std::size_t i, Visit each) const noexcept {
    visitor<Visit> all(each, i == 0 ? to_ : nullptr);
    return nodes_[i].slot->visit_awaited(all);
  }

  // Returns false if there are too many.
  bool gather(process& from) noexcept {
    nodes_[0] = {&from, from.edge().slot(), none, false, false};
    count_ = 1;
    bool fits = true;
    for (std::size_t i = 0; i != count_ && fits; ++i) {
      nodes_[i].needs_any = visit(
          i, [&](process* server, bool is_sure) noexcept { fits = fits && (!is_sure || add(*server)); });
    }
    return fits;
  }

  bool add(process& who) noexcept {
    const reply_slot* slot = who.edge().slot();
    if (!slot || find(who) != none) {
      return true;
    }
    if (count_ == most) {
      return false;
    }
    who.add_ref();
    nodes_[count_++] = {&who, slot, none, false, false};
    return true;
  }

  std::size_t find(const process& who) const noexcept {
    for (std::size_t i = 0; i != count_; ++i) {
      if (nodes_[i].who == &who) {
        return i;
      }
    }
    return none;
  }

  // Looks for a path from the first node back to it, through nodes that are allowed.
  template <class Allowed>
  bool find_path(Allowed allowed) noexcept {
    std::array<std::size_t, most> reached; // filled as far as it is counted
    std::size_t number = allowed(nodes_[0]) ? 1 : 0;
    reached[0] = 0;
    for (std::size_t i = 0; i != count_; ++i) {
      nodes_[i].parent = none;
    }
    for (std::size_t k = 0; k != number; ++k) {
      std::size_t here = reached[k];
      if (nodes_[here].who->has_ended()) {
        continue; // it runs no handler: its context was destroyed
      }
      bool is_closed = false;
      visit(here, [&](process* server, bool is_sure) noexcept {
        std::size_t next = is_sure ? find(*server) : none;
        is_closed = is_closed || next == 0;
        if (next != none && next != 0 && nodes_[next].parent == none && allowed(nodes_[next])) {
          nodes_[next].parent = here;
          reached[number++] = next;
        }
      });
      if (is_closed) {
        last_ = here;
        return true;
      }
    }
    return false;
  }

  // Where some need any one answer: returns true if the first cannot get what it needs, and only because of itself.
  bool all_are_stuck() noexcept {
    auto is_among_others = [this](auto what) noexcept {
      bool is_found = false;
      for (std::size_t i = 1; i < count_; ++i) {
        is_found = is_found || what(nodes_[i]);
      }
      return is_found;
    };
    if (!nodes_[0].needs_any && !is_among_others([](const node& one) noexcept { return one.needs_any; })) {
      return false;
    }
    leave_stuck(false);
    if (is_among_others([](const node& one) noexcept { return one.is_stuck; })) {
      return false;
    }
    leave_stuck(true);
    return find_path([](const node& one) noexcept { return one.is_stuck; });
  }

  // Marks those that are left when all that can continue have been taken out. The first can if it is not `included`.
  void leave_stuck(bool included) noexcept {
    nodes_[0].is_stuck = included;
    for (std::size_t i = 1; i < count_; ++i) {
      nodes_[i].is_stuck = !nodes_[i].who->has_ended();
    }
    for (bool has_changed = true; std::exchange(has_changed, false);) {
      for (std::size_t i = 0; i != count_; ++i) {
        bool is_stuck = nodes_[i].is_stuck && cannot_continue(i);
        has_changed = has_changed || is_stuck != nodes_[i].is_stuck;
        nodes_[i].is_stuck = is_stuck;
      }
    }
  }

  bool cannot_continue(std::size_t i) const noexcept {
    bool all = true;
    bool any = false;
    bool needs_any = visit(i, [&](process* server, bool is_sure) noexcept {
      std::size_t at = is_sure ? find(*server) : none;
      bool is_stuck = at != none && nodes_[at].is_stuck;
      all = all && is_stuck;
      any = any || is_stuck;
    });
    return any && (all || !needs_any);
  }

  const process* to_ = nullptr; // if set, the only one of the servers for which the first waits
  std::size_t last_ = 0;        // the end of the path
  std::size_t count_ = 0;
  std::array<node, most> nodes_; // filled as far as it is counted
};

inline std::exception_ptr refusal_of(const reply_slot& wait, const wait_cycle& cycle) noexcept {
  try {
    return wait.refusal(errc::deadlock, cycle.describe());
  } catch (...) {
    return wait.refusal(errc::deadlock, {}); // no memory for the names
  }
}

// Separate from deadlock_of(), so that a call made outside of a handler costs only one branch.
OTPP_NOINLINE inline std::exception_ptr deadlock_through(
    reply_slot& call, process& from, process& to) noexcept {
  call.set_edge(from);
  if (!to.edge().slot()) {
    return nullptr; // the usual case: that process waits for nothing
  }
  wait_cycle cycle;
  if (!cycle.is_closed_by(from, to)) {
    return nullptr;
  }
  call.forget_edge();
  call.set_said(errc::deadlock);
  return refusal_of(call, cycle);
}

// For a wait that is about to begin: returns the error if waiting for `to` would close a
// cycle, else null. A call with a zero timeout does not wait, and cannot deadlock.
inline std::exception_ptr deadlock_of(reply_slot& call, process& to) noexcept {
  process* from = call.waiting_handler();
  return from && call.timeout > duration::zero() ? deadlock_through(call, *from, to) : nullptr;
}

// For a wait for any one of several answers.
inline std::exception_ptr deadlock_of_any(reply_slot& wait) noexcept {
  process* from = wait.waiting_handler();
  if (!from || wait.timeout <= duration::zero()) {
    return nullptr;
  }
  wait.set_edge(*from);
  wait_cycle cycle;
  auto clear = [&](const wait_edge::look& looking) noexcept { from->edge().clear_in(looking); };
  if (!cycle.is_closed_by(*from, nullptr, clear)) {
    return nullptr;
  }
  wait.forget_edge();
  if (cycle.is_to_itself()) {
    return wait.refusal(errc::calling_self, from->describe());
  }
  return refusal_of(wait, cycle);
}

// For one of several answers that a wait, whose edge is set, needs: calls `give_up` to take that one out.
template <class GiveUp>
std::exception_ptr deadlock_of_one(reply_slot& wait, process& to, GiveUp give_up) noexcept {
  if (!to.edge().slot()) {
    return nullptr;
  }
  wait_cycle cycle;
  if (!cycle.is_closed_by(
          *wait.waiting_handler(), &to, [&](const wait_edge::look&) noexcept { give_up(); })) {
    return nullptr;
  }
  return refusal_of(wait, cycle);
}

} // namespace otpp::detail

#pragma GCC visibility pop
