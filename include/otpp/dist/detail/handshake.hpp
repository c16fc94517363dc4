// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/dist/detail/handshake_failure.hpp>
#include <otpp/dist/detail/handshake_flags.hpp>
#include <otpp/dist/detail/handshake_role.hpp>
#include <otpp/dist/detail/identity.hpp>
#include <otpp/dist/detail/md5.hpp>
#include <otpp/dist/detail/node_name.hpp>
#include <otpp/term/detail/reader.hpp>
#include <otpp/term/detail/writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace otpp::detail {

// What the owner answers to a name.
enum class accept_status : std::uint8_t {
  ok,
  ok_simultaneous, // both connect at once, and the peer's name is the greater one: our own attempt is to be closed
  nok,             // both connect at once, and our name is the greater one: ours is used
  not_allowed,
  alive // there is a connection already, whose end we may not have seen: the peer knows
};

// The side that is connected to. After the name it asks what to answer(); then it waits for a digest, which shows that the peer
// has the cookie.
class accepting_handshake final : public handshake_role {
 public:
  accepting_handshake(handshake_side mine, std::uint32_t challenge) noexcept
      : handshake_role(std::move(mine), challenge, handshake_stage::name, false) {}

  handshake_progress take(std::string_view payload) {
    if (may_take(payload)) {
      switch (stage_) {
        case handshake_stage::name: take_name(payload); break;
        case handshake_stage::decision: take_decision(payload); break;
        default: take_reply(payload);
      }
    }
    return progress_;
  }

  // The cookie for this peer, if it is another. Precondition: it is asking.
  void use_cookie(std::string cookie) noexcept { mine_.cookie = std::move(cookie); }

  // Precondition: it is asking. After `alive` the peer decides: if it goes on, the old connection is to be closed once this one
  // is done.
  handshake_progress answer(accept_status status) {
    switch (status) {
      case accept_status::ok: send_status("ok"); break;
      case accept_status::ok_simultaneous: send_status("ok_simultaneous"); break;
      case accept_status::nok:
        send_status("nok");
        fail(handshake_cause::used_other);
        return progress_;
      case accept_status::not_allowed:
        send_status("not_allowed");
        fail(handshake_cause::not_allowed);
        return progress_;
      case accept_status::alive:
        send_status("alive");
        wait_for(handshake_stage::decision);
        return progress_;
    }
    return challenge();
  }

 private:
  void take_name(std::string_view payload) {
    std::string_view name;
    node_name parts;
    std::string_view fault;
    if (!read_name(payload, name, nullptr)) {
      return;
    }
    // One without a name may send any, such as its host.
    if ((peer_.flags & handshake_flags::name_me) != 0) {
      refuse(handshake_cause::wants_a_name);
    } else if (fault = split_node_name(name, parts); !fault.empty()) {
      refuse(handshake_cause::bad_name, fault);
    } else if (peer_.name = name; name == mine_.name) {
      refuse(handshake_cause::own_name);
    } else if (!check_flags()) {
      send_status("not_allowed");
    } else {
      stage_ = handshake_stage::status;
      progress_ = handshake_progress::asking;
    }
  }

  void refuse(handshake_cause cause, std::string_view fault = {}) {
    send_status("not_allowed");
    handshake_details known;
    known.fault = fault;
    fail(cause, known);
  }

  void take_decision(std::string_view payload) {
    if (payload == "strue") {
      challenge();
    } else {
      fail(payload == "sfalse" ? handshake_cause::used_other : handshake_cause::malformed);
    }
  }

  handshake_progress challenge() {
    send_name(true);
    wait_for(handshake_stage::reply);
    return progress_;
  }

  void take_reply(std::string_view payload) {
    term_reader from(payload);
    std::uint64_t kind = 0;
    std::uint32_t theirs = 0;
    if (!from.number(1, kind) || kind != 'r' || !get_four(from, theirs) ||
        from.left().size() != md5_digest().size()) {
      fail(handshake_cause::malformed);
    } else if (!is_digest(from.left(), digest_for(challenge_))) {
      fail(handshake_cause::wrong_cookie);
    } else {
      send('a' + std::string(text_of(digest_for(theirs))));
      finish();
    }
  }
};

// The side that connects. If the peer says that there is a connection already it asks whether to go_on().
class connecting_handshake final : public handshake_role {
 public:
  // The peer must say that it has the name `peer`. What is to be sent first is there at once.
  connecting_handshake(handshake_side mine, std::string peer, std::uint32_t challenge)
      : handshake_role(std::move(mine), challenge, handshake_stage::status, true) {
    peer_.name = std::move(peer);
    send_name(false);
  }

  handshake_progress take(std::string_view payload) {
    if (may_take(payload)) {
      switch (stage_) {
        case handshake_stage::status: take_status(payload); break;
        case handshake_stage::challenge: take_challenge(payload); break;
        default: take_ack(payload);
      }
    }
    return progress_;
  }

  // Precondition: it is asking. True if this connection is to take the place of the old one, which then is dead; false if the
  // old one is used.
  handshake_progress go_on(bool takes_place) {
    send_status(takes_place ? "true" : "false");
    if (takes_place) {
      wait_for(handshake_stage::challenge);
    } else {
      fail(handshake_cause::used_other);
    }
    return progress_;
  }

 private:
  void take_status(std::string_view payload) {
    if (payload == "sok" || payload == "sok_simultaneous") {
      wait_for(handshake_stage::challenge);
    } else if (payload == "salive") {
      stage_ = handshake_stage::decision;
      progress_ = handshake_progress::asking;
    } else if (payload == "snok") {
      fail(handshake_cause::used_other);
    } else if (payload == "snot_allowed") {
      fail(handshake_cause::not_allowed);
    } else {
      fail(handshake_cause::malformed); // also `named:`, which answers NAME_ME
    }
  }

  void take_challenge(std::string_view payload) {
    std::string_view name;
    std::uint32_t theirs = 0;
    if (!read_name(payload, name, &theirs)) {
      return;
    }
    if (name != peer_.name) {
      node_name parts;
      handshake_details known;
      known.other_name = split_node_name(name, parts).empty() ? name : std::string_view();
      fail(handshake_cause::other_name, known);
      return;
    }
    if (check_flags()) {
      term_writer to;
      to.byte('r');
      to.four(challenge_);
      to.raw(text_of(digest_for(theirs)));
      send(to.take());
      wait_for(handshake_stage::ack);
    }
  }

  void take_ack(std::string_view payload) {
    if (payload.size() != 1 + md5_digest().size() || payload[0] != 'a') {
      fail(handshake_cause::malformed);
    } else if (!is_digest(payload.substr(1), digest_for(challenge_))) {
      fail(handshake_cause::wrong_cookie);
    } else {
      finish();
    }
  }
};

} // namespace otpp::detail

#pragma GCC visibility pop
