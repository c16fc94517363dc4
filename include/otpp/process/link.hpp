// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/address.hpp>
#include <otpp/address/pid.hpp>
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
      return; // its start has failed, which whoever starts it is told by start
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

} // namespace detail

/// Links this process with another: when one of them ends, the other is sent an exit signal with the reason. OTP's
/// `link/1`.
///
/// By it the other ends too, without `terminate`, unless the reason is `normal` or it traps exits (`trap_exit`);
/// then it is sent an `exit_signal`. Two processes have at most one link. With one that has ended already, the
/// signal comes at once, and its reason is `errc::no_process`.
///
/// To be called inside a callback, or the body of a spawned coroutine. `start_link` starts a server and links it in
/// one step.
///
/// @par Errors
/// - `errc::no_process`: it is no process that calls this, or `other` is nobody.
/// - std::bad_alloc; then nothing is linked.
///
/// @par Thread safety
/// It is about the process whose step this is; the other may be anywhere.
///
/// @par Lifetime
/// A link ends with either process, or by `unlink`. It keeps neither alive.
///
/// @par Complexity
/// Linear in the links and monitors of the other; constant at the end.
inline void link(const pid& other) {
  detail::intrusive_ptr<detail::server_core> mine = detail::running_process("link");
  if (!other) {
    std::rethrow_exception(detail::make_error(errc::no_process, "link", {}, "nobody"));
  }
  if (detail::access::core(other) == mine) {
    return;
  }
  if (detail::relation::find_link(*detail::access::core(other), mine->id())) {
    return;
  }
  detail::relations::of(*mine);
  detail::relations::of(*detail::access::core(other));
  detail::intrusive_ptr<detail::link_relation> made(
      new detail::link_relation(mine, detail::access::core(other)));
  if (!made->connect()) {
    made->notify(
        *detail::access::core(other), detail::make_error(errc::no_process, "link", {}, other.describe()));
  }
}

template <detail::name_address Name>
void link(Name) {
  detail::refuse_name<Name>();
}

/// Takes a link away. No exit signal comes through it afterwards, also if it was on its way. OTP's `unlink/1`, with
/// what its documentation says to flush. Without a link, and for nobody, it does nothing.
///
/// @par Errors
/// `errc::no_process`: it is no process that calls this.
///
/// @par Thread safety
/// It is about the process whose step this is; the other may be anywhere.
inline void unlink(const pid& other) {
  detail::intrusive_ptr<detail::server_core> mine = detail::running_process("unlink");
  if (!other) {
    return; // its id, 0, is also what stands in place of one where there is no link: in monitors, and in signals
  }
  if (detail::intrusive_ptr<detail::relation> found = detail::relation::find_link(*mine, other.id())) {
    found->cut();
  }
  if (detail::relations* its = mine->related()) {
    its->ignore_exit_signals_of(other.id());
  }
}

template <detail::name_address Name>
void unlink(Name) {
  detail::refuse_name<Name>();
}

} // namespace otpp
