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
#include <exception>
#include <cstddef>
#include <string>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Detects servers that wait for each other in a cycle, each inside its handler: none of them could ever
// continue.
//
// A handler of P calls a server. It first sets P's edge (wait_edge.hpp), and then follows the edges from that
// server on. If they lead back to P, the call is refused with `errc::deadlock`.
//
// A wait for a server's end, by `stop` or `join`, is handled in the same way, because the end comes after
// that server's handler. A `start` sets an edge to the new server, whose `init` is the handler that must
// return first; no call waits in that `init` yet, so a `start` itself closes no cycle.
//
// An edge X -> Y, by the slot s in which X's handler waits, is `sure` while
// - s is undecided: otherwise X continues, and merely has not been resumed yet; and
// - no otpp::caller was made for s: otherwise any thread may answer it while Y waits; this never changes
//   back.
// Then s is in Y's mailbox, waiting for room there, on its way there, or owned by the running handler of Y.
// Only Y's loop can answer it, and only after that handler has returned.
//
// There are no false alarms. The edges are read one after another, and X may have been answered by the time
// Y's edge is read; so all of them are checked again. A slot that is undecided then has been undecided since
// its edge was read, and it is the same slot, because no slot is freed while a thread looks. So between the
// two passes there was a moment at which all edges were sure; and a cycle of sure edges lasts until something
// outside breaks it: a timeout, a cancellation, an exit signal, the end of a context.
//
// No deadlock is missed if all edges were sure and the cycle is not longer than `longest`. Each handler sets
// its edge before it looks, sequentially consistently, so the last one to set its edge sees all others.
// Exactly one call is refused: if two set their edges before either looks, the first to look clears its own
// edge before the other can look.
class wait_cycle {
 public:
  static constexpr std::size_t longest = 64;

  // Returns true if the edge of `from`, which is set, closes a cycle through `to`. The edge is then cleared.
  bool is_closed_by(process& from, process& to) noexcept {
    wait_edge::look looking;
    std::array<const reply_slot*, longest> path; // filled as far as it is used
    length_ = 0;
    for (process* at = &to; at != &from; at = path[length_++]->server.get()) {
      const reply_slot* slot = at->edge().slot();
      if (!slot || !slot->is_sure() || length_ == longest) {
        return false;
      }
      path[length_] = slot;
    }
    for (std::size_t i = 0; i != length_; ++i) {
      const process& waiting = i == 0 ? to : *path[i - 1]->server;
      // A process that has ended runs no handler: its context was destroyed.
      if (!path[i]->is_sure() || waiting.has_ended()) {
        return false;
      }
    }
    from.edge().clear_in(looking);
    members_[0] = intrusive_ptr<process>(&from);
    for (std::size_t i = 0; i != length_ && i + 1 != shown; ++i) {
      members_[i + 1] = i == 0 ? intrusive_ptr<process>(&to) : path[i - 1]->server;
    }
    return true;
  }

  // Describes the cycle: `"b" ("a" -> "b" -> "a")`. Must not be called under a lock.
  std::string describe() const {
    std::string text = members_[1]->describe() + " (";
    for (const intrusive_ptr<process>& one : members_) {
      text += one ? one->describe() + " -> " : std::string();
    }
    if (length_ + 1 > shown) {
      text += std::to_string(length_ + 1 - shown) + " more -> ";
    }
    return text + members_[0]->describe() + ")";
  }

 private:
  static constexpr std::size_t shown = 8;

  std::size_t length_ = 0; // without the process whose call closes the cycle
  std::array<intrusive_ptr<process>, shown> members_;
};

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
  try {
    return call.refusal(errc::deadlock, cycle.describe());
  } catch (...) {
    return call.refusal(errc::deadlock, {}); // no memory for the names
  }
}

// For a call, stop or join that is about to be sent: returns the error if waiting for `to` would close a
// cycle, else null. A call with a zero timeout does not wait, and cannot deadlock.
inline std::exception_ptr deadlock_of(reply_slot& call, process& to) noexcept {
  process* from = call.waiting_handler();
  return from && call.timeout > duration::zero() ? deadlock_through(call, *from, to) : nullptr;
}

} // namespace otpp::detail

#pragma GCC visibility pop
