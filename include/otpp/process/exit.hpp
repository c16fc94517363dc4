// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/address/server_ref.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/runtime/turn.hpp>
#include <otpp/detail/server/exit_signals.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/process/self.hpp>

#include <cstdint>
#include <memory>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

/// The message that a process that traps exits gets instead of being ended: an exit signal from a linked
/// process, or from `otpp::exit`. It is passed to `handle_info(otpp::exit_signal, State&)`. OTP's `{'EXIT',
/// Pid, Reason}`.
class exit_signal {
 public:
  exit_signal(pid who, exit_reason why, detail::intrusive_ptr<detail::relation> link = {}) noexcept
      : from(std::move(who)), reason(std::move(why)), link_(std::move(link)) {}

  pid from;           ///< The process that ended or called `otpp::exit`; nobody if no process did.
  exit_reason reason; ///< Why.

  /// Returns true if it came through a link that has been removed; the library then drops it.
  bool is_void() const noexcept { return link_ && link_->is_disconnected(); }

 private:
  friend struct detail::access;

  const detail::intrusive_ptr<detail::relation>& of() const noexcept { return link_; }

  detail::intrusive_ptr<detail::relation> link_;
  bool is_kill_ = false; // only of what stands for a process elsewhere
};

namespace detail {

template <>
inline constexpr bool is_news<exit_signal> = true;

// An exit signal that can take either form, created before it is sent.
class pending_exit_message final : public pending_exit {
 public:
  explicit pending_exit_message(pid from, exit_reason why = {}, intrusive_ptr<relation> link = {})
      : pending_exit(std::move(why)),
        message_(new plain_message<exit_signal>(&opened, exit_signal({}, {}), source_location())),
        from_(std::move(from)),
        link_(std::move(link)) {}

  std::uint64_t linked_from() const noexcept override { return link_ ? from_.id() : 0; }

  /// It came through this link, keeps it alive, and is void if the link is removed.
  void came_through(intrusive_ptr<relation> link) noexcept { link_ = std::move(link); }

  envelope& to_message(std::uint64_t parent) noexcept override {
    plain_message<exit_signal>& item = *message_.release();
    item.is_system = from_ && from_.id() == parent; // it ends a server that is suspended too
    item.is_ahead = is_ahead && item.is_system;
    item.content() = exit_signal(std::move(from_), std::move(reason), std::move(link_));
    access::is_kill(item.content()) = is_kill;
    delete this;
    return item;
  }

  // As in OTP, a server ends with its parent; its handlers cannot prevent that.
  static void opened(server_core& server, envelope& item) {
    auto& content = static_cast<plain_message<exit_signal>&>(item).content();
    envelope::opener open = nullptr;
    if (content.is_void()) {
      // as if it had never been sent
    } else if (content.from && content.from.id() == relations::parent_of(server)) {
      server.request_end(content.reason);
    } else {
      open = server.find_opener(server_core::verb::info, typeid(exit_signal));
    }
    open ? open(server, item) : item.discard_message();
  }

 private:
  ~pending_exit_message() override = default;
  bool link_is_disconnected() const noexcept override { return link_ && link_->is_disconnected(); }

  std::unique_ptr<plain_message<exit_signal>, envelope_discarder> message_;
  pid from_;
  intrusive_ptr<relation> link_;
};

inline pid running_pid() noexcept {
  turn* here = turn::current();
  return access::make<pid>(
      intrusive_ptr<server_core>(here ? dynamic_cast<server_core*>(here->running()) : nullptr));
}

inline void send_exit(const pid& target, exit_reason reason, bool is_ahead) {
  if (!target) {
    return;
  }
  server_core& to = *access::core(target);
  pid from = running_pid();
  if (reason == exit_reason::normal() && from != target && !to.traps_exits()) {
    return;
  }
  relations& its = relations::of(to);
  is_ahead = is_ahead && !to.stands_for_another();
  if (is_ahead) {
    to.queue().let_ahead(its.notice);
  }
  auto* signal = new pending_exit_message(std::move(from), std::move(reason));
  signal->is_ahead = is_ahead;
  its.send_exit_signal(*signal);
}

} // namespace detail

/// Makes this process trap exits: an exit signal becomes an `exit_signal` message. OTP's
/// `process_flag(trap_exit, true)`.
///
/// `kill` ends the process all the same. So does, for a server, the end of its parent, after `terminate`. A
/// spawned coroutine gets its parent's end as a message like any other, as in OTP, where only behaviors end
/// with their parents: a body that traps exits must end by itself when `exit_signal::from` is its parent.
///
/// Must be called inside a callback, usually `init`, or in the body of a spawned coroutine; elsewhere throws
/// `errc::no_process`. A server without `handle_info(otpp::exit_signal, State&)` ignores the messages.
/// Trapping exits also makes the server run its `terminate` when its parent ends or its supervisor shuts it
/// down; without it, `terminate` is not run.
///
/// @param on  False makes exit signals end this process again.
///
/// @par Thread safety
/// Affects the process in whose step it is called.
///
/// @par Example
/// @code
/// state init() { otpp::trap_exit(); return state(); }
/// @endcode
inline void trap_exit(bool on = true) { detail::running_process("trap_exit")->trap_exits(on); }

/// Sends a process an exit signal. OTP's `exit/2`.
///
/// A process that does not trap exits ends with the reason at once: the messages in its mailbox are not
/// handled, a handler that waits is cancelled (`asio::cancellation_type::terminal`), and its `terminate` is
/// not run. A process that traps exits gets an `exit_signal` message, which needs no room in a mailbox with a
/// limit. A function handler is never interrupted, and neither is a coroutine that ignores the cancellation:
/// the process ends when the handler returns. As in every coroutine of Asio, each wait after a cancellation
/// fails at once, until `asio::this_coro::reset_cancellation_state()`; a loop that catches everything and
/// goes on waiting therefore never ends, and leaves its thread to nobody. The cancellation is emitted on the
/// process's own executor; a handler that continues on another thread must shield itself from it there
/// (docs/guarantees.md).
///
/// @param target  The process, which may be this one. Nothing happens if it has ended or is nobody.
/// @param reason  What it ends with, or finds in the message. `normal` only ends a process that sends it to
///                itself.
///
/// @par Errors
/// std::bad_alloc; then nothing is sent.
///
/// @par Thread safety
/// Safe from any thread, and inside any handler.
///
/// @par Example
/// @code
/// otpp::exit(worker, otpp::exit_reason::shutdown());
/// @endcode
inline void exit(const pid& target, exit_reason reason) {
  detail::send_exit(target, std::move(reason), false);
}

/// Sends an exit signal that comes before what is queued where it becomes a message: after the handler that runs, and in
/// order with others that were sent so. OTP's `exit/3` with the option `priority`; there the receiver has to hand out an
/// alias first. From a parent it ends a server that traps exits before it handles anything else, as `shutdown(otpp::ahead)`
/// does. Where exits are not trapped, and for a process elsewhere, it is as without `ahead`. All else as above.
///
/// @param target  As above.
/// @param reason  As above.
///
/// @par Example
/// @code
/// otpp::exit(worker, otpp::exit_reason::shutdown(), otpp::ahead);
/// @endcode
inline void exit(const pid& target, exit_reason reason, ahead_t) {
  detail::send_exit(target, std::move(reason), true);
}

/// Is refused with a sentence: a name may belong to another process by now.
template <detail::name_address Name>
void exit(Name, exit_reason) {
  detail::refuse_name<Name>();
}

/// As above.
template <detail::name_address Name>
void exit(Name, exit_reason, ahead_t) {
  detail::refuse_name<Name>();
}

/// Ends a process with the reason `killed`, which cannot be trapped. OTP's `exit(Pid, kill)`.
///
/// If an exit signal has already cancelled its handler, which has reset its cancellation state and waits
/// again, cancels it once more. Cuts a `terminate` short that waits. The reason is `killed` then, too,
/// whatever the process was ending with. All else as `exit`.
///
/// @param target  As for `exit`.
inline void kill(const pid& target) {
  if (target) {
    detail::relations& its = detail::relations::of(*detail::access::core(target));
    auto* order = new detail::pending_exit_message(detail::running_pid(), exit_reason::killed());
    order->is_kill = true;
    its.send_exit_signal(*order);
  }
}

/// Is refused with a sentence, as by `exit`.
template <detail::name_address Name>
void kill(Name) {
  detail::refuse_name<Name>();
}

} // namespace otpp

#pragma GCC visibility pop
