// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/handshake_flags.hpp>
#include <otpp/dist/detail/node_name.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What a side of the handshake waits for.
enum class handshake_stage : std::uint8_t {
  name,      // of the one who connects
  status,    // whether the other agrees
  decision,  // after status `alive`: whether the new connection takes the place of the old one
  challenge, // to the one who connects
  reply,     // his digest, and a challenge of his
  ack        // the other's digest
};

enum class handshake_cause : std::uint8_t {
  closed,        // the peer has closed the connection
  timed_out,     // it has sent nothing in time
  malformed,     // or out of turn
  too_long,      // a payload of more than handshake_longest bytes
  old_version,   // the handshake of OTP 22 and before, whose payloads begin with 'n'
  wants_a_name,  // a peer that has no name until it is given one
  bad_name,      // no name of a node
  own_name,      // the peer's name is ours
  other_name,    // the peer's name is not the one that was asked for
  missing_flags, // it lacks what we require
  not_allowed,   // one side has refused the other
  used_other,    // both connect at once, or were connected: another connection stays, and this one ends
  wrong_cookie   // a digest is wrong
};

struct handshake_failure {
  handshake_stage stage{};
  handshake_cause cause{};
  std::string text; // a sentence, with the peer and what to do
};

inline constexpr std::size_t handshake_longest = 1024; // bytes of a payload

// What is known when a handshake fails.
struct handshake_details {
  bool is_connecting = false; // else we accept
  std::string_view our_name;
  std::string_view peer;       // its name, or the one that was asked for; empty if it has not said it yet
  std::string_view other_name; // for cause other_name; checked to be the name of a node, else empty
  std::string_view fault;      // for cause bad_name: what is wrong with it
  std::uint64_t missing = 0;   // for cause missing_flags
};

inline std::string_view handshake_stage_text(handshake_stage stage) noexcept {
  switch (stage) {
    case handshake_stage::name: return "name";
    case handshake_stage::status: return "status";
    case handshake_stage::decision: return "answer to our question whether its connection is alive";
    case handshake_stage::challenge: return "challenge";
    case handshake_stage::reply: return "answer to our challenge";
    case handshake_stage::ack: break;
  }
  return "digest";
}

// Who closes in the middle does not say why, but when.
inline std::string explain_closed(handshake_stage stage, const handshake_details& known) {
  switch (stage) {
    case handshake_stage::name:
      return "it closed the connection before it said its name, as a port scan or a check of health does";
    case handshake_stage::status:
      return "it closed the connection when it saw our name: see its log, and whether it is a node of Erlang "
             "at all";
    case handshake_stage::ack:
      return "it closed the connection when it saw our digest, most likely because the cookies differ: let "
             "both "
             "have the same (erlang:get_cookie() shows its own)";
    case handshake_stage::reply:
      return "it closed the connection when it saw our challenge, most likely because it knows this node by "
             "another name than '" +
             std::string(known.our_name) + "', or because its cookie for this node is another: see its log";
    default: return "it closed the connection before it sent its " + std::string(handshake_stage_text(stage));
  }
}

inline std::string explain_cause(
    handshake_stage stage, handshake_cause cause, const handshake_details& known) {
  switch (cause) {
    case handshake_cause::closed: return explain_closed(stage, known);
    case handshake_cause::timed_out:
      return "it did not send its " + std::string(handshake_stage_text(stage)) +
             " in time: is it stopped, or overloaded, or no node of Erlang?";
    case handshake_cause::malformed:
      return "what it sent is no " + std::string(handshake_stage_text(stage)) +
             " of the handshake between nodes: is it another program?";
    case handshake_cause::too_long:
      return "it sent more than " + std::to_string(handshake_longest) +
             " bytes at once before it had shown its cookie: is it another program?";
    case handshake_cause::old_version:
      return "it begins with the handshake of OTP 22 or before, as OTP 24 does too if it has been told the "
             "port "
             "without epmd; OTP 25 or later is needed";
    case handshake_cause::wants_a_name:
      return "it asks us for a name, as `erl -sname undefined` does: start it with one of its own";
    case handshake_cause::bad_name: return "the name that it gives " + std::string(known.fault);
    case handshake_cause::own_name:
      return "it has the name of this node itself: give one of the two another name";
    case handshake_cause::other_name:
      return known.other_name.empty()
                 ? std::string("the node that answers calls itself by something that is no name of a node")
                 : "the node that answers calls itself '" + std::string(known.other_name) +
                       "': use that name";
    case handshake_cause::missing_flags:
      return "it lacks " + handshake_flags::names(known.missing) +
             ", which this node and OTP 26 or later require: OTP 25 has them, so take that or a later one";
    case handshake_cause::not_allowed:
      return known.is_connecting ? "it refused this node: it has a list of those that it allows "
                                   "(net_kernel:allow), or this node lacks what it requires; see its log"
                                 : "this node does not allow it, as its option `allow` says";
    case handshake_cause::used_other:
      return "there is, or is about to be, another connection between the two, which is used instead";
    case handshake_cause::wrong_cookie: break;
  }
  return known.is_connecting
             ? "it took our digest, but its own is wrong: it has another cookie for this node than this node "
               "has for "
               "it; let both be the same"
             : "its digest is wrong, most likely because the cookies differ: let both have the same "
               "(erlang:get_cookie() shows its own)";
}

inline handshake_failure explain_handshake(
    handshake_stage stage, handshake_cause cause, const handshake_details& known) {
  std::string text = known.is_connecting ? "otpp: could not connect to " : "otpp: refused a connection from ";
  text += known.peer.empty() ? "somebody" : "'" + std::string(known.peer) + "'";
  text += ": " + explain_cause(stage, cause, known);
  bool may_be_kind = cause == handshake_cause::closed || cause == handshake_cause::not_allowed ||
                     cause == handshake_cause::other_name;
  if (may_be_kind) {
    text += short_against_long(known.our_name, known.other_name.empty() ? known.peer : known.other_name);
  }
  return {stage, cause, std::move(text)};
}

} // namespace otpp::detail

#pragma GCC visibility pop
