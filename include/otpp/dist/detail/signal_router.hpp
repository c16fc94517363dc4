// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/server/relation.hpp>
#include <otpp/detail/server/relations.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/process_elsewhere.hpp>
#include <otpp/dist/detail/reason_term.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/dist/detail/remote_processes.hpp>
#include <otpp/error.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>

#include <cstdint>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Does what a peer's links and exit signals say: between our process and that which stands for the peer's. At once, and not by a
// message to the latter, so that they keep their place among the messages of the same sender. A view of the connection.
class signal_router {
 public:
  explicit signal_router(peer_link& link) noexcept : link_(link), node_(link.node()) {}

  void begin_link(const control_message& one) {
    pid ours = node_.find_exported(one.to).who;
    if (!ours) {
      refuse_link(one);
      return;
    }
    known_process theirs = process_elsewhere(node_, one.from);
    if (!theirs.who) {
      return;
    }
    relations::of(*access::core(ours));
    relations::of(*access::core(theirs.who));
    bool is_refused = false;
    theirs.links->make_by(link_.process.id(), ours.id(), [&] {
      if (link_.is_retired()) {
        return false; // what stands for the peer's process may have heard of that already
      }
      intrusive_ptr<link_relation> made(new link_relation(access::core(theirs.who), access::core(ours)));
      is_refused = made->connect_once() == relations::addition::refused; // one of them has ended
      return true;
    });
    if (is_refused) {
      refuse_link(one);
    }
  }

  // The peer takes no LINK before the answer, and takes one that comes behind it. So that of the link which is undone here must not
  // come behind it, nor that of the next link before it.
  void end_link(const control_message& one) {
    pid ours = node_.find_exported(one.to).who;
    known_process theirs = known(one.from);
    intrusive_ptr<relation> found; // is destroyed outside of the lock
    put_unlink_id_ack(link_.begin(), one.id, *std::get_if<pid_view>(&one.to), one.from);
    auto undo = [&] {
      if (ours && theirs.who) {
        found = relation::find_link(*access::core(theirs.who), ours.id());
      }
      if (found) {
        found->disconnect();
      }
      send_in_order(link_, one.from);
    };
    theirs.links ? theirs.links->alone(undo) : undo();
  }

  void end_cut(const control_message& one) {
    known_process theirs = known(one.from);
    if (theirs.links) {
      theirs.links->acknowledge(node_.process_of(*std::get_if<pid_view>(&one.to)), one.id);
    }
  }

  // The peer's process has ended, but that is told by another message: here it is this link alone. One that was cut meanwhile is
  // not told.
  void take_exit_of_linked(const control_message& one) {
    if (intrusive_ptr<relation> found = link_of(one)) {
      pid theirs = known(one.from).who;
      found->end_at(*access::core(theirs), reason_of_end(one.reason, theirs.describe()));
    }
  }

  void take_exit(const control_message& one) {
    pid ours = node_.find_exported(one.to).who;
    if (!ours) {
      return;
    }
    term_reader reason(one.reason);
    bool is_kill = reason.is_atom("kill");
    exit_reason why = is_kill ? exit_reason::killed() : reason_of(one.reason);
    if (why == exit_reason::normal() && !access::core(ours)->traps_exits()) {
      return;
    }
    relations& its = relations::of(*access::core(ours));
    auto* order = new pending_exit_message(process_elsewhere(node_, one.from).who, std::move(why));
    order->is_kill = is_kill;
    its.send_exit_signal(*order);
  }

 private:
  // That between our process and the one that stands for the peer's; null if there is none.
  intrusive_ptr<relation> link_of(const control_message& one) const {
    pid ours = node_.find_exported(one.to).who;
    pid theirs = known(one.from).who;
    return ours && theirs ? relation::find_link(*access::core(theirs), ours.id()) : intrusive_ptr<relation>();
  }

  known_process known(const pid_view& one) const {
    return node_.processes_elsewhere().get(remote_identity::text_of(one));
  }
  void refuse_link(const control_message& one) {
    term_writer& to = link_.begin();
    put_exit(to, *std::get_if<pid_view>(&one.to), one.from, reason_form::in_tuple);
    to.atom(atom_of(errc::no_process));
    send_in_order(link_, one.from);
  }

  peer_link& link_;
  node_core& node_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
