// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/handshake.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/dice.hpp"
#include "support/from_hex.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using otpp::detail::accept_status;
using otpp::detail::accepting_handshake;
using otpp::detail::connecting_handshake;
using otpp::detail::cookie_digest;
using otpp::detail::handshake_cause;
using otpp::detail::handshake_flags;
using otpp::detail::handshake_progress;
using otpp::detail::handshake_side;
using otpp::detail::handshake_stage;

namespace {

using strings = std::vector<std::string>;

// Of sessions with OTP 25, whose cookie is `secret`.
const std::string py_name = from_hex("4e 0000000c07474fbc 00000007 000c 7079403132372e302e302e31");
const std::string t_challenge = from_hex("4e 0000000d07df7fbd 43a674d4 6b0a679d 000b 74403132372e302e302e31");
const std::string py_reply = from_hex("72 deadbeef 3c49e6ca46dec6ce95332fc72c13771c");
const std::string t_ack = from_hex("61 c3939b31d7a913d82e2ace09247c7b41");

const std::string u_name = from_hex("4e 0000000d07df7fbd 6b0a6b0d 000b 75403132372e302e302e31");
const std::string py_challenge =
    from_hex("4e 0000000c07474fbc 01020304 00000007 000c 7079403132372e302e302e31");
const std::string u_reply = from_hex("72 d0b1b95f 24d92202cd3724fb37808c885f4e2298");
const std::string py_ack = from_hex("61 7a3ceab14f07ca004f1dc71c6e15b635");

// That of these sessions, whatever we announce by now.
constexpr std::uint64_t recorded_flags = 0xc07474fbc;

handshake_side py(std::string cookie = "secret") {
  return {.name = "py@127.0.0.1", .cookie = std::move(cookie), .creation = 7, .flags = recorded_flags};
}

connecting_handshake connecting() { return connecting_handshake(py(), "t@127.0.0.1", 0xdeadbeef); }
accepting_handshake accepting() { return accepting_handshake(py(), 0x01020304); }

std::string digest_text(std::string_view cookie, std::uint32_t challenge) {
  auto digest = cookie_digest(cookie, challenge);
  return std::string(digest.begin(), digest.end());
}

std::string name_payload(std::string_view name, std::uint64_t flags = recorded_flags) {
  std::string bytes = "N";
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(flags >> shift & 0xFF);
  }
  return bytes + bytes_of(0, 0, 0, 9, name.size() >> 8, name.size() & 0xFF, name);
}

std::string challenge_payload(std::string_view name, std::uint64_t flags = recorded_flags) {
  return name_payload(name, flags).insert(9, bytes_of(0x43, 0xa6, 0x74, 0xd4));
}

template <class Role>
bool has_failed(const Role& role, handshake_stage stage, handshake_cause cause) {
  return role.progress() == handshake_progress::failed && role.failure().stage == stage &&
         role.failure().cause == cause && !role.failure().text.empty();
}

template <class Role>
std::string text_after(Role& role, std::string_view payload) {
  role.take(payload);
  return role.progress() == handshake_progress::failed ? role.failure().text : "it has not failed";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("handshake: we connect to OTP 25", "[dist]") {
  connecting_handshake role = connecting();
  CHECK(role.progress() == handshake_progress::waiting);
  CHECK(role.take_outgoing() == strings{py_name});
  CHECK(role.take("sok") == handshake_progress::waiting);
  CHECK(role.take_outgoing().empty());
  CHECK(role.take(t_challenge) == handshake_progress::waiting);
  CHECK(role.take_outgoing() == strings{py_reply});
  CHECK(role.take(t_ack) == handshake_progress::done);
  CHECK(role.take_outgoing().empty());
  CHECK(role.peer().name == "t@127.0.0.1");
  CHECK(role.peer().creation == 0x6b0a679d);
  CHECK(role.peer().flags == (recorded_flags & 0xd07df7fbd));
}

TEST_CASE("handshake: OTP 25 connects to us", "[dist]") {
  accepting_handshake role = accepting();
  CHECK(role.take_outgoing().empty());
  CHECK(role.take(u_name) == handshake_progress::asking);
  CHECK(role.peer().name == "u@127.0.0.1");
  CHECK(role.take_outgoing().empty());
  CHECK(role.answer(accept_status::ok) == handshake_progress::waiting);
  CHECK(role.take_outgoing() == strings{"sok", py_challenge});
  CHECK(role.take(u_reply) == handshake_progress::done);
  CHECK(role.take_outgoing() == strings{py_ack});
  CHECK(role.peer().creation == 0x6b0a6b0d);
  CHECK(role.peer().flags == (recorded_flags & 0xd07df7fbd));
}

TEST_CASE("handshake: only flags that both have count", "[dist]") {
  const std::uint64_t digest_only =
      handshake_flags::mandatory_25_digest | handshake_flags::mandatory_26 | handshake_flags::fragments;
  accepting_handshake role = accepting();
  CHECK(role.take(name_payload("p@h.x", digest_only)) == handshake_progress::asking);
  CHECK(role.peer().flags == (handshake_flags::required | handshake_flags::mandatory_25_digest));
}

namespace {

// Lets two roles talk, with what the owners decide. Returns what was sent, in order.
template <class First, class Second>
void deliver(First& from, Second& to) {
  for (const std::string& payload : from.take_outgoing()) {
    to.take(payload);
  }
}

struct talk {
  connecting_handshake one;
  accepting_handshake other;

  explicit talk(std::string cookie = "secret", std::string other_cookie = "secret")
      : one({.name = "a@host", .cookie = std::move(cookie), .creation = 1}, "b@host", 11),
        other({.name = "b@host", .cookie = std::move(other_cookie), .creation = 2}, 22) {}

  void begin(accept_status status) {
    deliver(one, other);
    REQUIRE(other.progress() == handshake_progress::asking);
    other.answer(status);
  }
  void go_on() {
    for (int n = 0; n != 3; ++n) {
      deliver(other, one);
      deliver(one, other);
    }
  }
  bool are_done() const {
    return one.progress() == handshake_progress::done && other.progress() == handshake_progress::done &&
           one.peer().name == "b@host" && one.peer().creation == 2 && other.peer().name == "a@host" &&
           other.peer().creation == 1 && one.peer().flags == handshake_flags::announced &&
           other.peer().flags == handshake_flags::announced;
  }
};

} // namespace

TEST_CASE("handshake: two of ours", "[dist]") {
  for (accept_status status : {accept_status::ok, accept_status::ok_simultaneous}) {
    talk both;
    both.begin(status);
    both.go_on();
    CHECK(both.are_done());
  }
}

TEST_CASE("handshake: there is a connection already, and the peer decides", "[dist]") {
  for (bool takes_place : {true, false}) {
    talk both;
    both.begin(accept_status::alive);
    CHECK(both.other.progress() == handshake_progress::waiting);
    deliver(both.other, both.one);
    REQUIRE(both.one.progress() == handshake_progress::asking);
    both.one.go_on(takes_place);
    both.go_on();
    if (takes_place) {
      CHECK(both.are_done());
    } else {
      deliver(both.one, both.other);
      CHECK(has_failed(both.one, handshake_stage::decision, handshake_cause::used_other));
      CHECK(has_failed(both.other, handshake_stage::decision, handshake_cause::used_other));
    }
  }
}

TEST_CASE("handshake: a decision is true or false", "[dist]") {
  accepting_handshake role = accepting();
  role.take(u_name);
  role.answer(accept_status::alive);
  role.take("sok");
  CHECK(has_failed(role, handshake_stage::decision, handshake_cause::malformed));
}

TEST_CASE("handshake: the other attempt is used", "[dist]") {
  talk both;
  both.begin(accept_status::nok);
  CHECK(has_failed(both.other, handshake_stage::status, handshake_cause::used_other));
  both.go_on();
  CHECK(has_failed(both.one, handshake_stage::status, handshake_cause::used_other));
}

TEST_CASE("handshake: a peer that is not allowed is told so", "[dist]") {
  talk both;
  both.begin(accept_status::not_allowed);
  CHECK(has_failed(both.other, handshake_stage::status, handshake_cause::not_allowed));
  CHECK(contains(
      both.other.failure().text, "otpp: refused a connection from 'a@host': this node does not allow"));
  both.go_on();
  CHECK(has_failed(both.one, handshake_stage::status, handshake_cause::not_allowed));
  CHECK(contains(both.one.failure().text, "otpp: could not connect to 'b@host': it refused this node"));
}

TEST_CASE("handshake: cookies that differ are found by the side that is connected to", "[dist]") {
  talk both("secret", "other");
  both.begin(accept_status::ok);
  both.go_on();
  CHECK(has_failed(both.other, handshake_stage::reply, handshake_cause::wrong_cookie));
  CHECK(both.other.take_outgoing().empty()); // above all not our digest
  both.one.closed();
  CHECK(has_failed(both.one, handshake_stage::ack, handshake_cause::closed));
  CHECK(contains(both.one.failure().text, "cookies differ"));
  CHECK(contains(both.other.failure().text, "cookies differ"));
  CHECK_FALSE(contains(both.one.failure().text + both.other.failure().text, "secret"));
}

TEST_CASE("handshake: a wrong digest in the ack", "[dist]") {
  connecting_handshake role = connecting();
  role.take("sok");
  role.take(t_challenge);
  CHECK(role.take('a' + digest_text("other", 0xdeadbeef)) == handshake_progress::failed);
  CHECK(has_failed(role, handshake_stage::ack, handshake_cause::wrong_cookie));
}

TEST_CASE("handshake: our own digest, sent back, is no proof", "[dist]") {
  connecting_handshake role = connecting();
  role.take("sok");
  role.take(t_challenge);
  CHECK(role.take('a' + py_reply.substr(5)) == handshake_progress::failed);
}

TEST_CASE("handshake: a name that we refuse", "[dist]") {
  using enum handshake_cause;
  struct refused {
    std::string payload;
    handshake_cause cause;
    std::string_view said;
  };
  const std::uint64_t old_flags =
      recorded_flags & ~handshake_flags::mandatory_26 & ~handshake_flags::mandatory_25_digest;
  for (const refused& one : std::vector<refused>{
           {name_payload("py@127.0.0.1"), own_name, "name of this node"},
           {name_payload("t@h.x", old_flags), missing_flags, "'t@h.x': it lacks UNLINK_ID, V4_NC"},
           {name_payload("t@h.x", recorded_flags | handshake_flags::name_me), wants_a_name,
            "-sname undefined"},
           {name_payload("h.x", recorded_flags | handshake_flags::name_me), wants_a_name, "-sname undefined"},
           {name_payload("nobody"), bad_name, "somebody: the name that it gives has no @host"},
           {name_payload("t@h\x1b[2J"), bad_name, "somebody: the name that it gives has a blank"},
           {name_payload(""), bad_name, "has no @host"}}) {
    CAPTURE(one.said);
    accepting_handshake role = accepting();
    CHECK(contains(text_after(role, one.payload), one.said));
    CHECK(has_failed(role, handshake_stage::name, one.cause));
    CHECK(role.take_outgoing() == strings{"snot_allowed"});
  }
  accepting_handshake role = accepting();
  CHECK(contains(text_after(role, bytes_of('n', 0, 5, 0, 0, 0, 0, "t@h.x")), "OTP 25 or later is needed"));
  CHECK(has_failed(role, handshake_stage::name, old_version));
}

TEST_CASE("handshake: bytes after the name are for later versions", "[dist]") {
  accepting_handshake one = accepting();
  CHECK(one.take(u_name + "more") == handshake_progress::asking);
  connecting_handshake other = connecting();
  other.take("sok");
  CHECK(other.take(t_challenge + "more") == handshake_progress::waiting);
}

TEST_CASE("handshake: a challenge that we refuse", "[dist]") {
  using enum handshake_cause;
  struct refused {
    std::string payload;
    handshake_cause cause;
    std::string_view said;
  };
  const std::uint64_t old_flags =
      recorded_flags & ~handshake_flags::v4_nc & ~handshake_flags::mandatory_25_digest;
  for (const refused& one : std::vector<refused>{
           {challenge_payload("s@127.0.0.1"), other_name, "calls itself 's@127.0.0.1': use that name"},
           {challenge_payload("t@host"), other_name,
            "use that name. One name is short and the other is long"},
           {challenge_payload("t\n"), other_name, "something that is no name of a node"},
           {challenge_payload("t@127.0.0.1", old_flags), missing_flags, "it lacks V4_NC"},
           {bytes_of('n', 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, "t@127.0.0.1"), old_version,
            "OTP 25 or later is needed"}}) {
    CAPTURE(one.said);
    connecting_handshake role = connecting();
    role.take_outgoing();
    role.take("sok");
    CHECK(contains(text_after(role, one.payload), one.said));
    CHECK(has_failed(role, handshake_stage::challenge, one.cause));
    CHECK(role.take_outgoing().empty());
  }
}

TEST_CASE("handshake: who closes does not say why, but when", "[dist]") {
  auto closed_after = [](strings payloads) {
    connecting_handshake role = connecting();
    for (const std::string& payload : payloads) {
      role.take(payload);
    }
    role.closed();
    return role.failure().text;
  };
  CHECK(contains(closed_after({}), "when it saw our name"));
  CHECK(contains(closed_after({"sok"}), "before it sent its challenge"));
  CHECK(contains(closed_after({"salive"}), "before it sent its answer to our question"));
  CHECK(contains(closed_after({"sok", t_challenge}), "most likely because the cookies differ"));

  accepting_handshake silent = accepting();
  silent.closed();
  CHECK(contains(
      silent.failure().text, "a connection from somebody: it closed the connection before it said its name"));
  accepting_handshake role = accepting();
  role.take(u_name);
  role.answer(accept_status::ok);
  role.closed();
  CHECK(contains(role.failure().text, "'u@127.0.0.1': it closed the connection when it saw our challenge"));

  connecting_handshake short_one({.name = "a@host", .cookie = "c", .creation = 1}, "b@host.org", 1);
  short_one.closed();
  CHECK(contains(short_one.failure().text, "One name is short and the other is long"));
  connecting_handshake late = connecting();
  late.timed_out();
  CHECK(has_failed(late, handshake_stage::status, handshake_cause::timed_out));
  CHECK(contains(late.failure().text, "did not send its status in time"));
}

TEST_CASE("handshake: when it is over, closing does not change it", "[dist]") {
  talk both;
  both.begin(accept_status::ok);
  both.go_on();
  both.one.closed();
  both.other.timed_out();
  CHECK(both.are_done());
  connecting_handshake role = connecting();
  role.take("snok");
  role.closed();
  CHECK(has_failed(role, handshake_stage::status, handshake_cause::used_other));
}

TEST_CASE("handshake: a payload of more than 1 KiB", "[dist]") {
  accepting_handshake one = accepting();
  CHECK(one.take(u_name + std::string(1024 - u_name.size(), 'x')) == handshake_progress::asking);
  accepting_handshake other = accepting();
  other.take(u_name + std::string(1025 - u_name.size(), 'x'));
  CHECK(has_failed(other, handshake_stage::name, handshake_cause::too_long));
}

namespace {

// The steps that lead to each state, and the payloads that go on from it.
template <class Role>
struct state_case {
  const char* what;
  std::function<void(Role&)> reach;
  std::vector<std::string> next; // all others end it
};

std::vector<state_case<connecting_handshake>> connecting_states() {
  return {
      {"status", [](auto&) {}, {"sok", "sok_simultaneous", "salive"}},
      {"asking", [](auto& role) { role.take("salive"); }, {}},
      {"challenge", [](auto& role) { role.take("sok"); }, {t_challenge}},
      {"challenge after alive",
       [](auto& role) {
         role.take("salive");
         role.go_on(true);
       },
       {t_challenge}},
      {"ack",
       [](auto& role) {
         role.take("sok");
         role.take(t_challenge);
       },
       {t_ack}},
      {"done",
       [](auto& role) {
         role.take("sok");
         role.take(t_challenge);
         role.take(t_ack);
       },
       {}},
      {"failed", [](auto& role) { role.take("snok"); }, {}},
      {"failed by us",
       [](auto& role) {
         role.take("salive");
         role.go_on(false);
       },
       {}},
  };
}

std::vector<state_case<accepting_handshake>> accepting_states() {
  auto named = [](accept_status status) {
    return [status](accepting_handshake& role) {
      role.take(u_name);
      role.answer(status);
    };
  };
  return {
      {"name", [](auto&) {}, {u_name, py_challenge.substr(0, 9) + u_name.substr(9)}},
      {"asking", [](auto& role) { role.take(u_name); }, {}},
      {"decision", named(accept_status::alive), {"strue"}},
      {"reply", named(accept_status::ok), {u_reply}},
      {"reply, both at once", named(accept_status::ok_simultaneous), {u_reply}},
      {"reply after a decision",
       [named](auto& role) {
         named(accept_status::alive)(role);
         role.take("strue");
       },
       {u_reply}},
      {"done",
       [named](auto& role) {
         named(accept_status::ok)(role);
         role.take(u_reply);
       },
       {}},
      {"turned away", named(accept_status::nok), {}},
      {"not allowed", named(accept_status::not_allowed), {}},
      {"failed", [](auto& role) { role.take("x"); }, {}},
  };
}

std::vector<std::string> all_payloads() {
  std::vector<std::string> all{
      "",
      "x",
      "s",
      "sok",
      "sok_simultaneous",
      "snok",
      "snot_allowed",
      "salive",
      "strue",
      "sfalse",
      "snamed:",
      "sok ",
      py_name,
      u_name,
      t_challenge,
      py_challenge,
      py_reply,
      u_reply,
      t_ack,
      py_ack,
      'a' + digest_text("other", 0xdeadbeef),
      'r' + bytes_of(0, 0, 0, 1) + digest_text("other", 0x01020304),
      "n" + u_name.substr(1),
      std::string(1025, 's'),
      u_name.substr(0, 20),
      t_challenge.substr(0, 20),
      u_reply.substr(0, 20),
      t_ack.substr(0, 16),
      u_reply + "x",
      t_ack + "x",
      py_challenge.substr(0, 9) + u_name.substr(9)};
  return all;
}

template <class Role>
void try_pairs(const std::vector<state_case<Role>>& states, Role (*make)()) {
  const std::vector<std::string> payloads = all_payloads();
  for (const state_case<Role>& state : states) {
    CAPTURE(state.what);
    for (const std::string& payload : payloads) {
      CAPTURE(payload);
      Role role = make();
      state.reach(role);
      role.take_outgoing();
      handshake_progress before = role.progress();
      handshake_progress after = role.take(payload);
      bool goes_on = std::find(state.next.begin(), state.next.end(), payload) != state.next.end();
      CHECK(goes_on == (after != handshake_progress::failed));
      if (before == handshake_progress::failed) {
        CHECK(role.take_outgoing().empty());
      }
      if (after != handshake_progress::failed) {
        continue;
      }
      // What failed stays so, sends nothing more, and says the same.
      role.take_outgoing();
      const std::string said = role.failure().text;
      CHECK_FALSE(said.empty());
      for (const std::string& second : payloads) {
        bool stays = role.take(second) == handshake_progress::failed && role.failure().text == said &&
                     role.take_outgoing().empty();
        if (!stays) {
          FAIL("a failed handshake goes on");
        }
      }
    }
  }
}

} // namespace

TEST_CASE("handshake: any payload in any state, and any after it: connecting", "[dist]") {
  try_pairs(connecting_states(), connecting);
}

TEST_CASE("handshake: any payload in any state, and any after it: accepting", "[dist]") {
  try_pairs(accepting_states(), accepting);
}

TEST_CASE("handshake: every payload that is cut fails", "[dist]") {
  auto cut = [](const auto& states, auto make) {
    for (const auto& state : states) {
      for (const std::string& whole : state.next) {
        CAPTURE(state.what, whole);
        for (std::size_t size = 0; size != whole.size(); ++size) {
          auto role = make();
          state.reach(role);
          std::string part = whole.substr(0, size);
          bool is_other = std::find(state.next.begin(), state.next.end(), part) != state.next.end();
          CHECK((role.take(part) == handshake_progress::failed) != is_other);
        }
      }
    }
  };
  cut(connecting_states(), connecting);
  cut(accepting_states(), accepting);
}

TEST_CASE("handshake: no mutation does harm, and none gets in", "[dist]") {
  dice roll(11);
  auto mutated = [&](std::string payload) {
    for (std::uint32_t changes = 1 + roll.below(3); changes != 0 && !payload.empty(); --changes) {
      std::size_t at = roll.below(payload.size());
      switch (roll.below(3)) {
        case 0: payload[at] = static_cast<char>(payload[at] ^ (1 << roll.below(8))); break;
        case 1: payload.erase(at, 1 + roll.below(4)); break;
        default: payload.insert(at, 1, static_cast<char>(roll.below(256)));
      }
    }
    return payload;
  };
  for (int n = 0; n != 20'000; ++n) {
    connecting_handshake one = connecting();
    one.take("sok");
    one.take(roll.below(2) == 0 ? t_challenge : mutated(t_challenge));
    std::string ack = mutated(t_ack);
    one.take(ack);
    accepting_handshake other = accepting();
    std::string reply = mutated(u_reply);
    if (other.take(roll.below(2) == 0 ? u_name : mutated(u_name)) == handshake_progress::asking) {
      other.answer(accept_status::ok);
      other.take(reply);
    }
    // Several changes may come to none; and the challenge of a reply is the peer's own.
    bool is_in = (one.progress() == handshake_progress::done && ack != t_ack) ||
                 (other.progress() == handshake_progress::done && reply.substr(5) != u_reply.substr(5));
    bool says_why = (one.progress() != handshake_progress::failed || !one.failure().text.empty()) &&
                    (other.progress() != handshake_progress::failed || !other.failure().text.empty());
    if (is_in || !says_why) {
      FAIL("a changed digest was taken, or nothing is said");
    }
  }
}
