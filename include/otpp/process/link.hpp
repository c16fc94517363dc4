// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
#include <otpp/detail/queue/envelope.hpp>
#include <otpp/detail/reply/request.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>

#include <exception>
#include <memory>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp {

namespace detail {

struct order_discarder {
  void operator()(pending_exit_message* order) const noexcept { static_cast<task*>(order)->discard(); }
};

class link_relation final : public relation {
 public:
  link_relation(core_ptr one, core_ptr other)
      : relation(one, other, true),
        to_first_(new pending_exit_message(access::make<pid>(std::move(other)))),
        to_second_(new pending_exit_message(access::make<pid>(std::move(one)))) {}

  void notify(const server_core& who, const exit_reason& reason) noexcept override {
    bool first_ended = &who == first().get();
    server_core& left = first_ended ? *second() : *first();
    if (!who.has_run() && relations::parent_of(who) == left.id()) {
      return; // its start has failed, which start reports to the starter
    }
    if (reason == exit_reason::normal() && !left.traps_exits()) {
      return;
    }
    pending_exit_message& order = first_ended ? *to_second_.release() : *to_first_.release();
    order.reason = reason;
    order.came_through(intrusive_ptr<relation>(this));
    left.related()->send_exit_signal(order);
  }

 private:
  std::unique_ptr<pending_exit_message, order_discarder> to_first_;
  std::unique_ptr<pending_exit_message, order_discarder> to_second_;
};

// Takes the messages out of the process's own mailbox that came through a link with `other`.
inline void flush_exit_signals(server_core& mine, const pid& other) {
  auto came_from_there = [&](const envelope& item) {
    const auto* message = dynamic_cast<const plain_message<exit_signal>*>(&item);
    return message && message->content().from == other && access::of(message->content());
  };
  while (envelope* item = mine.queue().take_first(came_from_there)) {
    item->discard_message();
  }
}

} // namespace detail

/// Links this process with another: when one of them ends, the other gets an exit signal with the reason.
/// OTP's `link/1`.
///
/// The exit signal ends the other process, without `terminate`, unless the reason is `normal` or the process
/// traps exits (`trap_exit`); then it gets an `exit_signal` message. Two processes have at most one link. If
/// the other process has already ended, the signal comes at once, with the reason `errc::no_process`.
///
/// Must be called inside a callback, or in the body of a spawned coroutine. `start_link` starts a server and
/// links it in one step.
///
/// @param other  The process to link with; this process itself is allowed, and has no effect.
///
/// @par Errors
/// - `errc::no_process`: the caller is not a process, or `other` is nobody.
/// - std::bad_alloc; then nothing is linked.
///
/// @par Thread safety
/// Affects the process in whose step it is called; the other may run on any context.
///
/// @par Lifetime
/// A link ends with either process, or by `unlink`. It keeps neither alive.
///
/// @par Complexity
/// Linear in the links and monitors of the younger of the two; constant at the end.
inline void link(const pid& other) {
  detail::intrusive_ptr<detail::server_core> mine = detail::running_process("link");
  if (!other) {
    std::rethrow_exception(detail::make_error(errc::no_process, "link", {}, "nobody"));
  }
  if (detail::access::core(other) == mine) {
    return;
  }
  detail::relations::of(*mine);
  detail::relations::of(*detail::access::core(other));
  detail::intrusive_ptr<detail::link_relation> made(
      new detail::link_relation(mine, detail::access::core(other)));
  switch (made->connect_once()) {
    case detail::relations::addition::redundant: break;
    case detail::relations::addition::refused:
      made->notify(
          *detail::access::core(other), detail::make_error(errc::no_process, "link", {}, other.describe()));
      break;
    case detail::relations::addition::made:
      try {
        detail::access::core(other)->tell_elsewhere(detail::process::deed::link, mine.get(), nullptr);
      } catch (...) {
        made->disconnect();
        throw;
      }
  }
}

/// Is refused with a sentence: a name may belong to another process by now.
template <detail::name_address Name>
void link(Name) {
  detail::refuse_name<Name>();
}

/// Removes a link. Afterwards no exit signal comes through it, even if one was already in transit. OTP's
/// `unlink/1`, including the flush that its documentation recommends.
///
/// @param other  The process that was linked. Has no effect without a link with it, or if it is nobody.
///
/// @par Errors
/// `errc::no_process`: the caller is not a process.
///
/// @par Thread safety
/// Affects the process in whose step it is called; the other may run on any context.
///
/// @par Complexity
/// Linear in the links and monitors of this process; without a link, also in the messages that it has waiting.
inline void unlink(const pid& other) {
  detail::intrusive_ptr<detail::server_core> mine = detail::running_process("unlink");
  if (!other) {
    return; // in monitors and signals, its id 0 means that there is no link
  }
  detail::relations* its = mine->related();
  if (!its) {
    return;
  }
  if (detail::intrusive_ptr<detail::relation> found = detail::relation::find_link(*mine, other.id())) {
    if (found->disconnect()) {
      detail::access::core(other)->tell_elsewhere(detail::process::deed::unlink, mine.get(), nullptr);
    }
  } else {
    detail::flush_exit_signals(*mine, other); // it may have ended, and its signal have become a message
  }
  its->ignore_exit_signals_of(other.id());
}

/// Is refused with a sentence, as by `link`.
template <detail::name_address Name>
void unlink(Name) {
  detail::refuse_name<Name>();
}

} // namespace otpp

#pragma GCC visibility pop
