// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/detail/runtime/process.hpp>
#include <otpp/detail/server/server_core.hpp>
#include <otpp/detail/util/access.hpp>
#include <otpp/detail/util/intrusive_ptr.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/node_core.hpp>
#include <otpp/dist/detail/outbound_call.hpp>
#include <otpp/dist/detail/peer_outbox.hpp>
#include <otpp/dist/detail/reason_term.hpp>
#include <otpp/exit_reason.hpp>
#include <otpp/outcome.hpp>
#include <otpp/process/self.hpp>
#include <otpp/term/detail/codec.hpp>
#include <otpp/term/detail/writer.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// Writes the messages of OTP's gen_server to a process elsewhere: what all that stand for one have in common. `Target` begins a
// frame with a message for it (begin_message()), and one that is to precede a call (begin_call()).

// The request of a call, and that of sys:terminate.
template <class M>
void put_request(term_writer& to, const M& message) {
  put_term(to, message);
}
inline void put_request(term_writer& to, const exit_reason& reason) {
  to.tuple(2);
  to.atom("terminate");
  put_reason(to, reason);
}

// As whom a server is called: it may want to know its caller for longer. Returns the id.
inline std::uint64_t give_out_caller(node_core& core, process* asking) {
  if (auto* server = dynamic_cast<server_core*>(asking)) {
    core.exports().give_out(access::make<pid>(intrusive_ptr<server_core>(server)));
    return server->id();
  }
  return core.process.id();
}

// {Kind, {Pid, Ref}, Request}
template <class Call, class Target, class From, class Request>
void send_call_to(Target& target, From from, std::string_view kind, const Request& what) {
  peer_outbox& out = target.outbox();
  node_core& core = out.core();
  peer_outbox::item one;
  one.call.asking = give_out_caller(core, access::process_of(from));
  one.call.target = self().id();
  one.ref = core.new_ref();
  one.call.call = std::make_unique<Call>(target.describe(), std::move(from), what);
  try {
    pid_view caller = core.identity_of(one.call.asking);
    target.begin_call(one, caller);
    term_writer to;
    to.reader = &core;
    target.begin_message(to, caller);
    to.tuple(3);
    to.atom(kind);
    to.tuple(2);
    put_pid(to, caller);
    put_ref(to, one.ref);
    put_request(to, what);
    out.add_frame(one, to);
  } catch (...) {
    one.call.call->fail(std::current_exception()); // it has no form as it is
    return;
  }
  out.send_message(std::move(one));
}

// What `put` writes, which is lost if it has no form as it is, such as an infinite float: nobody waits for an answer.
template <class Target, class Put>
void send_message_to(Target& target, Put put) {
  peer_outbox& out = target.outbox();
  node_core& core = out.core();
  peer_outbox::item one;
  try {
    term_writer to;
    to.reader = &core;
    target.begin_message(to, core.identity_of(core.process.id()));
    put(to);
    out.add_frame(one, to);
  } catch (const std::exception& error) {
    core.counted.dropped.fetch_add(1, std::memory_order_relaxed);
    core.report(out.peer(), "a message for " + target.describe() + " was not sent: " + error.what(), true);
    return;
  }
  out.send_message(std::move(one));
}

template <class Target, class M>
void send_cast_to(Target& target, const M& message) {
  send_message_to(target, [&](term_writer& to) {
    to.tuple(2);
    to.atom("$gen_cast");
    put_term(to, message);
  });
}

// What a handler returns that has sent a message: if too much waits to be written, its process takes the next one later.
template <class Reply, class Target>
outcome<Reply> after_sending(Target& target, outcome<Reply> result) {
  if (target.outbox().is_full()) {
    return std::move(result).then(peer_outbox::wait_for_room());
  }
  return result;
}

} // namespace otpp::detail

#pragma GCC visibility pop
