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

namespace otpp::detail {

// Servers that wait for each other in a ring, each inside its handler: none of them could ever go on.
//
// A handler of P calls a server. It sets P's edge first (wait_edge.hpp), and then follows the edges from that
// server on. If they lead back to P, the call is refused with `errc::deadlock`.
//
// Waiting for a server's end, by `stop` and `join`, is the same: it comes after Y's handler. A `start` sets an edge
// to the new server, whose `init` is the handler that must return first; as nobody waits in that yet, it closes
// no ring itself.
//
// An edge X -> Y, by the slot s in which X's handler waits, is `sure` while
//   - s is not decided: else X goes on, it is only not resumed yet; and
//   - no otpp::caller was made for s: else anybody may answer it, while Y waits. It stays so.
// Then s is in Y's mailbox, in line for room in it, on its way there, or in hand of the handler of Y that runs
// now; nobody but Y's loop can answer, and not before that handler has returned.
//
// Never a false alarm: the edges are read one after another, and X may have been answered when Y's is read.
// So all are looked at again. A slot that is undecided now was so all the time since its edge was seen,
// and it is the same slot, as none is freed while somebody looks. So there was a moment, that between the
// two, at which all were sure; and a ring that is sure stays so until something from outside breaks it: a timeout, a
// cancellation, an exit signal, the end of a context.
//
// Never missed, if all were sure, and the ring is not longer than `longest`: each sets its edge before it
// looks, sequentially consistently, so that the last one to set sees all the others. Exactly one is refused: if
// two set their edges before either looks, the first that looks takes its own edge away before the other can.
class wait_cycle {
 public:
  static constexpr std::size_t longest = 64;

  // True if the edge of `from`, which is set, closes a ring through `to`. Then the edge is cleared again.
  bool is_closed_by(process& from, process& to) noexcept {
    wait_edge::look looking;
    std::array<const reply_slot*, longest> path; // no need to fill it
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
      // One that has ended is not in its handler any more: its context has gone.
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

  // Says who waits for whom: `"b" ("a" -> "b" -> "a")`. To be asked in no lock.
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

  std::size_t length_ = 0; // without the one who closes it
  std::array<intrusive_ptr<process>, shown> members_;
};

// Two functions, so that a call that is made in no handler pays for one branch.
template <class Operation>
OTPP_NOINLINE std::exception_ptr deadlock_through(Operation& call, process& from, process& to) noexcept {
  call.set_edge(from);
  if (!to.edge().slot()) {
    return nullptr; // almost always: it waits for nobody
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

// For a call, stop or join that is about to be sent: returns the error if waiting for `to` would close a cycle, else null.
// A call with a timeout of zero does not wait, and closes none.
template <class Operation>
std::exception_ptr deadlock_of(Operation& call, process& to) noexcept {
  process* from = call.waiting_handler();
  return from && call.timeout > duration::zero() ? deadlock_through(call, *from, to) : nullptr;
}

} // namespace otpp::detail
