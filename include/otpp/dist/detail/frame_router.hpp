// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/util/topic.hpp>
#include <otpp/dist/detail/control.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/inbound.hpp>
#include <otpp/dist/detail/inbound_call.hpp>
#include <otpp/dist/detail/known_messages.hpp>
#include <otpp/dist/detail/name_watch.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/node_exports.hpp>
#include <otpp/dist/detail/peer_link.hpp>
#include <otpp/dist/detail/peer_ties.hpp>
#include <otpp/dist/detail/reason_term.hpp>
#include <otpp/dist/detail/ref_key.hpp>
#include <otpp/dist/detail/remote_process.hpp>
#include <otpp/dist/detail/signal_router.hpp>
#include <otpp/dist/reports.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/sys/status.hpp>
#include <otpp/term/detail/print.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>
#include <otpp/term/value.hpp>
#include <otpp/timeout.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Does what a peer's frames say. A view of the connection.
class frame_router {
 public:
  explicit frame_router(peer_link& link) noexcept : link_(link), node_(link.node()), signals_(link) {}

  // Returns false if it is no frame that a node would send.
  bool take(std::string_view frame) {
    node_.counted.received.fetch_add(1, std::memory_order_relaxed);
    control_message one;
    if (!parse_control(frame, one) || !is_from_peer(one)) {
      return false;
    }
    switch (one.op) {
      case control_op::send:
      case control_op::send_sender: take_message_for_pid(one); break;
      case control_op::reg_send: take_message_for_name(one); break;
      case control_op::monitor_p: begin_monitor(one); break;
      case control_op::demonitor_p: end_monitor(one.ref); break;
      case control_op::link: signals_.begin_link(one); break;
      case control_op::unlink_id: signals_.end_link(one); break;
      case control_op::exit: signals_.take_exit_of_linked(one); break;
      case control_op::exit2: signals_.take_exit(one); break;
      case control_op::monitor_p_exit: take_down(one); break;
      case control_op::alias_send: count_dropped(); break; // we give no aliases
      case control_op::unlink_id_ack: signals_.end_cut(one); break;
      case control_op::unlink:
      case control_op::group_leader: break;
    }
    if (link_.open_count() > node_.how().limits().open) {
      link_.fail("it has more calls, monitors and links open than node_limits::open");
    }
    return true;
  }

 private:
  // What changes links and monitors comes from a process of the peer's own.
  bool is_from_peer(const control_message& one) const noexcept {
    switch (one.op) {
      case control_op::link:
      case control_op::unlink_id:
      case control_op::unlink_id_ack:
      case control_op::exit:
      case control_op::exit2:
      case control_op::monitor_p:
      case control_op::demonitor_p: return one.from.node == link_.peer();
      default: return true;
    }
  }

  using exported = node_exports::exported;

  void count_dropped() noexcept { node_.counted.dropped.fetch_add(1, std::memory_order_relaxed); }

  // ---- messages ----

  void take_message_for_pid(const control_message& one) {
    if (is_answer(one.message)) {
      return;
    }
    exported to = node_.find_exported(one.to);
    take_message(to, to.who ? to.who.describe() : std::string(), one.message);
  }

  void take_message_for_name(const control_message& one) {
    std::string_view name = *std::get_if<std::string_view>(&one.to);
    if (name == node_core::net_kernel) {
      answer_ping(one.message);
    } else {
      take_message(node_.exports().find(name), name, one.message);
    }
  }

  // A message of OTP's gen_server, or a plain one.
  template <class Name>
  void take_message(const exported& to, const Name& name, std::string_view bytes) {
    term_reader all = reader(bytes);
    std::size_t size = 0;
    std::string_view tag;
    if (all.tuple(size) && size >= 2 && get_atom_text(all, tag)) {
      if (tag == "$gen_cast" && size == 2) {
        take_plain(to, name, "cast", reader(all.left()));
        return;
      }
      if (tag == "$gen_call" && size == 3) {
        take_call(to, name, all);
        return;
      }
      if (tag == "system" && size == 3) {
        take_system(to, name, all);
        return;
      }
    }
    take_plain(to, name, "info", reader(bytes));
  }

  template <class Name>
  void take_plain(const exported& to, const Name& name, std::string_view kind, const term_reader& message) {
    if (!to.who) {
      count_dropped();
      return;
    }
    inbound_result result = inbound_result::unknown;
    if (to.how) {
      result = kind == "cast" ? to.how->cast(to.who, message) : to.how->info(to.who, message);
    } else if (kind == "info") {
      result = send_as_term(to.who, message);
    }
    if (result == inbound_result::unknown) {
      tell_unknown(name, kind, message.left());
    } else if (result == inbound_result::refused) {
      count_dropped();
    }
  }

  // For a process of unknown callbacks, such as a coroutine, which receives any message: of the known types, or as a term.
  inbound_result send_as_term(const pid& to, term_reader message) {
    if (known_messages::global().send_first_that_fits(to, message)) {
      return inbound_result::taken;
    }
    term any;
    if (!get_term(message, any)) {
      return inbound_result::unknown;
    }
    return try_send(to, std::move(any)) ? inbound_result::taken : inbound_result::unknown;
  }

  // Reads the From of a call. Null if there is none, or no such call can be.
  template <class Name>
  std::shared_ptr<inbound_call> begin_call(const Name& name, term_reader& at) {
    inbound_from from;
    if (!from.get(at)) {
      tell_unknown(name, "call", at.left());
      return nullptr;
    }
    auto call = std::make_shared<inbound_call>(link_.shared_from_this(), from);
    if (!link_.add_call(call->key(), call)) { // one From at two servers, as of a request that was passed on
      call->use_number();
      link_.add_call(call->key(), call);
    }
    return call;
  }

  template <class Name>
  void take_call(const exported& to, const Name& name, term_reader& at) {
    std::shared_ptr<inbound_call> call = begin_call(name, at);
    if (!call) {
      return;
    }
    if (!to.who) {
      call->fail(make_error(errc::no_process, "call", {}, name));
      return;
    }
    term_reader request = reader(at.left());
    if (!to.how || to.how->call(to.who, request, call) == inbound_result::unknown) {
      tell_unknown(name, "call", at.left());
      call->fail(make_error(errc::bad_message, "call", {}, name));
    }
  }

  // OTP's sys: of what it can ask, to show the state, and to end.
  template <class Name>
  void take_system(const exported& to, const Name& name, term_reader& at) {
    std::shared_ptr<inbound_call> call = begin_call(name, at);
    std::size_t size = 0;
    if (!call) {
      return;
    }
    if (!to.who) {
      call->fail(make_error(errc::no_process, "stop", {}, name));
    } else if (term_reader inside = at; inside.is_atom("get_state")) {
      answer_state(to.who, call);
    } else if (at.tuple(size) && size == 2 && at.is_atom("terminate")) {
      call->answer([](term_writer& out) { out.atom("ok"); });
      to.who.stop(reason_of(at.left()), [](const std::exception_ptr&) {});
    } else {
      call->answer([](term_writer& out) {
        out.tuple(2);
        out.atom("error");
        out.atom("unsupported");
      });
    }
  }

  // What format_status shows, as a text. OTP 27 wants it in {ok, State}, OTP 25 as it is, and neither says which release it is:
  // but a reference of a call has five words in OTP 27, and three in OTP 25.
  static void answer_state(const pid& whose, const std::shared_ptr<inbound_call>& call) {
    get_status(
        whose, infinite,
        asio::bind_executor(
            call->executor(),
            asio::bind_cancellation_slot(
                call->slot(), [call](std::exception_ptr error, const server_status& status) {
                  if (error) {
                    call->fail(error);
                    return;
                  }
                  call->answer([&](term_writer& out) {
                    if (call->key().count == 5) {
                      out.tuple(2);
                      out.atom("ok");
                    }
                    out.binary(status.state);
                  });
                })));
  }

  // {Ref, Answer} with a reference of ours is that to a call. It is dropped if nobody waits for it any more.
  bool is_answer(std::string_view bytes) {
    term_reader all = reader(bytes);
    std::size_t size = 0;
    ref_view ref;
    if (!all.tuple(size) || size != 2 || !get_ref(all, ref) || !is_ours(ref)) {
      return false;
    }
    outbound_calls::entry asked = link_.calls_there.take_answered(ref);
    if (asked.call) {
      if (!asked.name.empty()) {
        put_demonitor_p(link_.begin(), node_.identity_of(asked.asking), std::string_view(asked.name), ref);
        link_.send();
      }
      asked.call->answer(reader(all.left()));
    }
    return true;
  }

  bool is_ours(const ref_view& ref) const noexcept {
    return ref.creation == node_.creation && ref.node == node_.name;
  }

  // net_adm:ping asks whether it is authenticated; it is, as it is connected.
  void answer_ping(std::string_view bytes) {
    term_reader all = reader(bytes);
    std::size_t size = 0;
    inbound_from from;
    if (!all.tuple(size) || size != 3 || !all.is_atom("$gen_call") || !from.get(all) || !all.tuple(size) ||
        size != 2 || !all.is_atom("is_auth")) {
      count_dropped();
      return;
    }
    auto call = std::make_shared<inbound_call>(link_.shared_from_this(), from);
    if (link_.add_call(call->key(), call)) {
      call->answer([](term_writer& to) { to.atom("yes"); });
    }
  }

  // Who reads it is told of its limits, and whose pids may be in it.
  term_reader reader(std::string_view bytes) const noexcept {
    term_reader made(bytes);
    made.writer = &node_;
    return made;
  }

  template <class Name>
  void tell_unknown(const Name& name, std::string_view kind, std::string_view bytes) {
    node_.counted.unknown.fetch_add(1, std::memory_order_relaxed);
    topic<dist::unknown_message>::tell_if_heard([&] {
      return dist::unknown_message{
          node_.name, link_.peer(), std::string(name), std::string(kind), term_printer(bytes, 200).print()};
    });
  }

  // ---- monitors ----

  void begin_monitor(const control_message& one) {
    exported target = node_.find_exported(one.to);
    const auto* process = std::get_if<pid_view>(&one.to);
    if (process && node_.process_of(*process) == node_.process.id()) {
      target.who = node_.process; // as which those call who are no processes
    }
    term_writer bytes;
    put_control_place(bytes, one.to);
    put_pid(bytes, one.from);
    put_ref(bytes, one.ref);
    peer_tie made{bytes.take(), ref_key(one.ref)};
    if (target.who) {
      link_.tie(target.who, std::move(made));
    } else {
      link_.tell_end(made, make_error(errc::no_process, "monitor", {}, {}));
    }
  }

  // Also the end of a call that this reference is of: its caller does not wait any more.
  void end_monitor(const ref_view& ref) {
    peer_tie ended;
    ref_key key(ref);
    link_.take_monitor(key, ended);
    link_.give_up_call(key);
  }

  // Of a call of ours, or of what a process here stands for.
  void take_down(const control_message& one) {
    if (!is_ours(one.ref)) {
      return;
    }
    outbound_calls::entry asked = link_.calls_there.take_ended(one.ref);
    if (asked.call) {
      asked.call->ended(one.reason);
    } else if (pid whose = link_.monitors_there.take(one.ref)) {
      tell_end(whose, one.reason);
    }
  }

  static void tell_end(const pid& whom, std::string_view reason) {
    if (auto process = whom.as<remote_process>()) {
      remote_process::tell(*process, remote_process::ended{std::string(reason)});
    } else if (auto watch = whom.as<name_watch>()) {
      try_cast(*watch, name_watch::ended{std::string(reason)});
    }
  }

  peer_link& link_;
  node_core& node_;
  signal_router signals_;
};

} // namespace otpp::detail

#pragma GCC visibility pop
