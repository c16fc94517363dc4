// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/control.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/dice.hpp"
#include "support/from_hex.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using otpp::detail::control_message;
using otpp::detail::control_op;
using otpp::detail::parse_control;
using otpp::detail::pid_view;
using otpp::detail::reason_form;
using otpp::detail::ref_view;
using otpp::detail::term_reader;
using otpp::detail::term_writer;

namespace {

// Of a session of t@127.0.0.1, which was OTP 25, with py@127.0.0.1.
const std::string worker_bytes = from_hex("58770b74403132372e302e302e31 00000058 00000000 6b0a679b");
const std::string client_bytes = from_hex("58770c7079403132372e302e302e31 00000007 00000000 00000007");
const std::string other_bytes = from_hex("58770c7079403132372e302e302e31 00000008 00000000 00000007");
const std::string its_ref_bytes =
    from_hex("5a0003770b74403132372e302e302e31 6b0a679b 00001f8a3600000120684a35");
const std::string our_ref_bytes =
    from_hex("5a0003770c7079403132372e302e302e31 00000007 000000650000000100000002");
const std::string name_bytes = bytes_of(119, 4, "name");
const std::string nothing_bytes = bytes_of(119, 0);
const std::string token_bytes = bytes_of(104, 2, 97, 1, 106); // a trace token is any term
const std::string hello = bytes_of(119, 5, "hello");
const std::string boom = from_hex("68027704626f6f6d6b00020102"); // {boom, [1,2]}

pid_view pid_of(std::string_view bytes) {
  term_reader from(bytes);
  pid_view one;
  otpp::detail::get_pid(from, one);
  return one;
}

ref_view ref_of(std::string_view bytes) {
  term_reader from(bytes);
  ref_view one;
  otpp::detail::get_ref(from, one);
  return one;
}

const pid_view worker = pid_of(worker_bytes);
const pid_view client = pid_of(client_bytes);
const pid_view other = pid_of(other_bytes);
const ref_view its_ref = ref_of(its_ref_bytes);
const ref_view our_ref = ref_of(our_ref_bytes);

template <class... Parts>
std::string control(const Parts&... parts) {
  return bytes_of(112, 131, 104, sizeof...(parts), 97, parts...);
}

struct one_case {
  const char* what;
  std::string frame;
  control_message read;
};

control_message with(control_op op, pid_view from, otpp::detail::control_place to) {
  control_message made;
  made.op = op;
  made.from = from;
  made.to = to;
  return made;
}

control_message carrying(control_message made, std::string_view message) {
  made.message = message;
  return made;
}

control_message because(control_message made, std::string_view reason) {
  made.reason = reason;
  return made;
}

control_message watching(control_message made, ref_view ref) {
  made.ref = ref;
  return made;
}

control_message numbered(control_message made, std::uint64_t id) {
  made.id = id;
  return made;
}

control_message ended_name(ref_view ref, std::string_view reason) {
  control_message made = with(control_op::monitor_p_exit, {}, client);
  made.from_name = "name";
  return because(watching(made, ref), reason);
}

std::vector<one_case> all_controls() {
  using enum control_op;
  const std::string_view alive_name = "name";
  const std::string both = worker_bytes + client_bytes;
  const std::string carried = bytes_of(131, hello);
  const std::string why = bytes_of(131, boom);
  return {
      {"LINK", control(1, both.substr(0, worker_bytes.size()), client_bytes), with(link, worker, client)},
      {"SEND", control(2, nothing_bytes, client_bytes) + carried, carrying(with(send, {}, client), hello)},
      {"SEND with a cookie", control(2, hello, client_bytes) + carried,
       carrying(with(send, {}, client), hello)},
      {"EXIT", control(3, worker_bytes, client_bytes, boom), because(with(exit, worker, client), boom)},
      {"UNLINK", control(4, worker_bytes, client_bytes), with(unlink, worker, client)},
      {"REG_SEND", control(6, worker_bytes, nothing_bytes, name_bytes) + carried,
       carrying(with(reg_send, worker, alive_name), hello)},
      {"GROUP_LEADER", control(7, worker_bytes, client_bytes), with(group_leader, worker, client)},
      {"EXIT2", control(8, worker_bytes, client_bytes, boom), because(with(exit2, worker, client), boom)},
      {"SEND_TT", control(12, nothing_bytes, client_bytes, token_bytes) + carried,
       carrying(with(send, {}, client), hello)},
      {"EXIT_TT", control(13, worker_bytes, client_bytes, token_bytes, boom),
       because(with(exit, worker, client), boom)},
      {"REG_SEND_TT", control(16, worker_bytes, nothing_bytes, name_bytes, token_bytes) + carried,
       carrying(with(reg_send, worker, alive_name), hello)},
      {"EXIT2_TT", control(18, worker_bytes, client_bytes, token_bytes, boom),
       because(with(exit2, worker, client), boom)},
      {"MONITOR_P", control(19, worker_bytes, client_bytes, its_ref_bytes),
       watching(with(monitor_p, worker, client), its_ref)},
      {"MONITOR_P of a name", control(19, worker_bytes, name_bytes, its_ref_bytes),
       watching(with(monitor_p, worker, alive_name), its_ref)},
      {"DEMONITOR_P", control(20, worker_bytes, client_bytes, its_ref_bytes),
       watching(with(demonitor_p, worker, client), its_ref)},
      {"DEMONITOR_P of a name", control(20, worker_bytes, name_bytes, its_ref_bytes),
       watching(with(demonitor_p, worker, alive_name), its_ref)},
      {"MONITOR_P_EXIT", control(21, worker_bytes, client_bytes, our_ref_bytes, boom),
       because(watching(with(monitor_p_exit, worker, client), our_ref), boom)},
      {"MONITOR_P_EXIT of a name", control(21, name_bytes, client_bytes, our_ref_bytes, boom),
       ended_name(our_ref, boom)},
      {"SEND_SENDER", control(22, worker_bytes, client_bytes) + carried,
       carrying(with(send_sender, worker, client), hello)},
      {"SEND_SENDER_TT", control(23, worker_bytes, client_bytes, token_bytes) + carried,
       carrying(with(send_sender, worker, client), hello)},
      {"PAYLOAD_EXIT", control(24, worker_bytes, client_bytes) + why,
       because(with(exit, worker, client), boom)},
      {"PAYLOAD_EXIT_TT", control(25, worker_bytes, client_bytes, token_bytes) + why,
       because(with(exit, worker, client), boom)},
      {"PAYLOAD_EXIT2", control(26, worker_bytes, client_bytes) + why,
       because(with(exit2, worker, client), boom)},
      {"PAYLOAD_EXIT2_TT", control(27, worker_bytes, client_bytes, token_bytes) + why,
       because(with(exit2, worker, client), boom)},
      {"PAYLOAD_MONITOR_P_EXIT", control(28, worker_bytes, client_bytes, our_ref_bytes) + why,
       because(watching(with(monitor_p_exit, worker, client), our_ref), boom)},
      {"PAYLOAD_MONITOR_P_EXIT of a name", control(28, name_bytes, client_bytes, our_ref_bytes) + why,
       ended_name(our_ref, boom)},
      {"ALIAS_SEND", control(33, worker_bytes, our_ref_bytes) + carried,
       carrying(with(alias_send, worker, our_ref), hello)},
      {"ALIAS_SEND_TT", control(34, worker_bytes, our_ref_bytes, token_bytes) + carried,
       carrying(with(alias_send, worker, our_ref), hello)},
      {"UNLINK_ID", control(35, bytes_of(97, 1), worker_bytes, client_bytes),
       numbered(with(unlink_id, worker, client), 1)},
      {"UNLINK_ID with the greatest id",
       control(35, bytes_of(110, 8, 0, std::string(8, '\xFF')), worker_bytes, client_bytes),
       numbered(with(unlink_id, worker, client), UINT64_MAX)},
      {"UNLINK_ID_ACK", control(36, bytes_of(98, 0, 1, 0, 0), worker_bytes, client_bytes),
       numbered(with(unlink_id_ack, worker, client), 0x10000)},
  };
}

template <class Put, class... Parts>
std::string whole(Put put, std::string_view carried, const Parts&... parts) {
  term_writer to;
  put(to, parts...);
  to.raw(carried);
  return to.take();
}

template <class Put, class... Parts>
std::string written(Put put, std::string_view carried, const Parts&... parts) {
  return otpp::detail::without_fragments(whole(put, carried, parts...));
}

void check_read(std::string_view frame, const control_message& expected) {
  control_message read;
  REQUIRE(parse_control(frame, read));
  CHECK(read.op == expected.op);
  CHECK(read.from == expected.from);
  CHECK(read.from_name == expected.from_name);
  CHECK(read.to == expected.to);
  CHECK(read.ref == expected.ref);
  CHECK(read.id == expected.id);
  CHECK(read.reason == expected.reason);
  CHECK(read.message == expected.message);
}

// The same frame between nodes that take fragments.
std::string whole_form(std::string_view frame) {
  term_reader in(frame.substr(2));
  in.skip();
  std::string made = bytes_of(131, 68, 0, std::string(in.since(0)));
  return in.left().empty() ? made : made.append(in.left().substr(1));
}

} // namespace

TEST_CASE("control: every message that a peer may send", "[dist]") {
  for (const one_case& one : all_controls()) {
    CAPTURE(one.what);
    check_read(one.frame, one.read);
  }
}

TEST_CASE("control: the form without version bytes says the same", "[dist]") {
  for (const one_case& one : all_controls()) {
    CAPTURE(one.what);
    control_message read;
    std::string frame = whole_form(one.frame);
    check_read(frame, one.read);
    CHECK(otpp::detail::without_fragments(frame) == one.frame);
    for (std::size_t size = 0; size != frame.size(); ++size) {
      CHECK_FALSE(parse_control(std::string_view(frame).substr(0, size), read));
    }
    CHECK_FALSE(parse_control(frame + '\x6A', read));
    frame[2] = '\1'; // an atom of a cache
    CHECK_FALSE(parse_control(frame, read));
  }
}

TEST_CASE("control: cut anywhere, or longer, it is malformed", "[dist]") {
  control_message read;
  for (const one_case& one : all_controls()) {
    CAPTURE(one.what);
    for (std::size_t size = 0; size != one.frame.size(); ++size) {
      CHECK_FALSE(parse_control(std::string_view(one.frame).substr(0, size), read));
    }
    CHECK_FALSE(parse_control(one.frame + '\x6A', read));
    CHECK_FALSE(parse_control(one.frame + bytes_of(131, hello), read));
  }
}

TEST_CASE("control: what came before does not stay", "[dist]") {
  control_message read;
  for (const one_case& one : all_controls()) {
    REQUIRE(parse_control(one.frame, read));
  }
  REQUIRE(parse_control(control(2, nothing_bytes, client_bytes) + bytes_of(131, hello), read));
  CHECK(read.from == pid_view());
  CHECK(read.ref == ref_view());
  CHECK(read.id == 0);
  CHECK(read.reason.empty());
}

TEST_CASE("control: numbers that we have not announced are malformed", "[dist]") {
  control_message read;
  const std::vector<std::string> shapes{
      "", worker_bytes, worker_bytes + client_bytes, worker_bytes + client_bytes + its_ref_bytes,
      its_ref_bytes + worker_bytes + client_bytes + name_bytes + bytes_of(106)};
  const std::vector<std::size_t> sizes{1, 2, 3, 4, 6};
  for (int number : {0, 5, 9, 10, 11, 14, 15, 17, 29, 30, 31, 32, 37, 38, 255}) {
    CAPTURE(number);
    for (std::size_t n = 0; n != shapes.size(); ++n) {
      std::string frame = bytes_of(112, 131, 104, sizes[n], 97, number, shapes[n]);
      CHECK_FALSE(parse_control(frame, read));
      CHECK_FALSE(parse_control(frame + bytes_of(131, hello), read));
    }
  }
}

TEST_CASE("control: what is malformed in other ways", "[dist]") {
  control_message read;
  const std::string link = control(1, worker_bytes, client_bytes);
  REQUIRE(parse_control(link, read));
  auto changed = [&](std::size_t at, int byte) {
    std::string frame = link;
    frame[at] = static_cast<char>(byte);
    return parse_control(frame, read);
  };
  CHECK_FALSE(changed(0, 68)); // a fragment, which we have not announced
  CHECK_FALSE(changed(0, 131));
  CHECK_FALSE(changed(1, 130));
  CHECK_FALSE(changed(2, 108)); // a list
  CHECK_FALSE(changed(3, 2));
  CHECK_FALSE(changed(3, 4));
  CHECK_FALSE(changed(4, 119));
  // A tuple may be written in the long form.
  CHECK(parse_control(bytes_of(112, 131, 105, 0, 0, 0, 3, 97, 1, worker_bytes, client_bytes), read));

  CHECK_FALSE(parse_control(control(1, name_bytes, client_bytes), read));
  CHECK_FALSE(parse_control(control(1, worker_bytes, name_bytes), read));
  CHECK_FALSE(parse_control(control(19, worker_bytes, our_ref_bytes, its_ref_bytes), read));
  CHECK_FALSE(parse_control(control(19, worker_bytes, client_bytes, client_bytes), read));
  CHECK_FALSE(parse_control(control(21, our_ref_bytes, client_bytes, our_ref_bytes, boom), read));
  CHECK_FALSE(
      parse_control(control(6, worker_bytes, nothing_bytes, client_bytes) + bytes_of(131, hello), read));
  CHECK_FALSE(parse_control(control(33, worker_bytes, client_bytes) + bytes_of(131, hello), read));
  CHECK_FALSE(parse_control(control(35, bytes_of(97, 0), worker_bytes, client_bytes), read));
  CHECK_FALSE(parse_control(control(35, bytes_of(98, 255, 255, 255, 255), worker_bytes, client_bytes), read));
  CHECK_FALSE(parse_control(
      control(35, bytes_of(110, 9, 0, std::string(9, '\1')), worker_bytes, client_bytes), read));
  // What is carried is a term with its version.
  CHECK_FALSE(parse_control(control(22, worker_bytes, client_bytes) + bytes_of(130, hello), read));
  CHECK_FALSE(parse_control(control(22, worker_bytes, client_bytes) + bytes_of(131, 82, 0), read));
  CHECK_FALSE(parse_control(control(3, worker_bytes, client_bytes, bytes_of(82, 0)), read));
  CHECK_FALSE(
      parse_control(control(12, nothing_bytes, client_bytes, bytes_of(82, 0)) + bytes_of(131, hello), read));
}

TEST_CASE("control: what we send is what Erlang sends", "[dist]") {
  using namespace otpp::detail;
  const std::string hello_and_float = from_hex("6802770568656c6c6f463ff8000000000000"); // {hello, 1.5}
  CHECK(
      written(put_send, hello, client) ==
      from_hex("708368036102770058770c7079403132372e302e302e310000000700000000000000 0783770568656c6c6f"));
  CHECK(
      written(put_reg_send, hello_and_float, worker, "name") ==
      from_hex("70836804610658770b74403132372e302e302e3100000058000000006b0a679b7700 77046e616d65"
               "836802770568656c6c6f463ff8000000000000"));
  for (unsigned number : {19u, 20u}) {
    auto put = [&](term_writer& to, const auto&... parts) {
      number == 19 ? put_monitor_p(to, parts...) : put_demonitor_p(to, parts...);
    };
    CHECK(
        written(put, "", worker, control_place(client), its_ref) ==
        bytes_of(112, 131, 104, 4, 97, number) +
            from_hex(
                "58770b74403132372e302e302e3100000058000000006b0a679b58770c7079403132372e302e302e31"
                "0000000700000000000000075a0003770b74403132372e302e302e316b0a679b00001f8a3600000120684a35"));
    CHECK(
        written(put, "", worker, control_place(std::string_view("name")), its_ref) ==
        bytes_of(112, 131, 104, 4, 97, number) +
            from_hex("58770b74403132372e302e302e3100000058000000006b0a679b77046e616d65"
                     "5a0003770b74403132372e302e302e316b0a679b00001f8a3600000120684a35"));
  }
  CHECK(
      written(put_link, "", worker, client) ==
      from_hex("70836803610158770b74403132372e302e302e3100000058000000006b0a679b"
               "58770c7079403132372e302e302e31000000070000000000000007"));
  CHECK(
      written(put_unlink_id, "", std::uint64_t(1), worker, client) ==
      from_hex("708368046123610158770b74403132372e302e302e3100000058000000006b0a679b"
               "58770c7079403132372e302e302e31000000070000000000000007"));
  CHECK(
      written(put_unlink_id_ack, "", std::uint64_t(5), worker, client) ==
      from_hex("708368046124610558770b74403132372e302e302e3100000058000000006b0a679b"
               "58770c7079403132372e302e302e31000000070000000000000007"));
  CHECK(
      written(put_exit2, boom, worker, client, reason_form::in_tuple) ==
      from_hex(
          "70836804610858770b74403132372e302e302e3100000058000000006b0a679b58770c7079403132372e302e302e31"
          "00000007000000000000000768027704626f6f6d6b00020102"));
  CHECK(
      written(put_exit2, boom, worker, client, reason_form::as_payload) ==
      from_hex(
          "70836803611a58770b74403132372e302e302e3100000058000000006b0a679b58770c7079403132372e302e302e31"
          "0000000700000000000000078368027704626f6f6d6b00020102"));
  const std::string why = from_hex("68027705656e6465646d00000003776879"); // {ended, <<"why">>}
  CHECK(
      written(put_exit, why, worker, other, reason_form::in_tuple) ==
      from_hex(
          "70836804610358770b74403132372e302e302e3100000058000000006b0a679b58770c7079403132372e302e302e31"
          "00000008000000000000000768027705656e6465646d00000003776879"));
  CHECK(
      written(put_exit, why, worker, other, reason_form::as_payload) ==
      from_hex(
          "70836803611858770b74403132372e302e302e3100000058000000006b0a679b58770c7079403132372e302e302e31"
          "0000000800000000000000078368027705656e6465646d00000003776879"));
  CHECK(
      written(put_monitor_p_exit, why, control_place(worker), client, our_ref, reason_form::in_tuple) ==
      from_hex(
          "70836805611558770b74403132372e302e302e3100000058000000006b0a679b58770c7079403132372e302e302e31"
          "0000000700000000000000075a0003770c7079403132372e302e302e3100000007000000650000000100000002"
          "68027705656e6465646d00000003776879"));
  CHECK(
      written(
          put_monitor_p_exit, bytes_of(119, 6, "noproc"), control_place(std::string_view("nobody")), client,
          our_ref, reason_form::as_payload) ==
      from_hex("70836804611c77066e6f626f647958770c7079403132372e302e302e310000000700000000000000075a0003"
               "770c7079403132372e302e302e310000000700000065000000010000000283 77066e6f70726f63"));
}

TEST_CASE("control: what we send is read as what it was", "[dist]") {
  using namespace otpp::detail;
  control_message read;
  std::string frame = whole(put_alias_send, hello, client, its_ref);
  REQUIRE(parse_control(frame, read));
  CHECK(read.op == control_op::alias_send);
  CHECK(read.from == client);
  CHECK(std::get<ref_view>(read.to) == its_ref);
  CHECK(read.message == hello);

  frame = whole(put_unlink_id, "", UINT64_MAX, client, worker);
  REQUIRE(parse_control(frame, read));
  CHECK(read.id == UINT64_MAX);
  CHECK(read.from == client);
  CHECK(std::get<pid_view>(read.to) == worker);
}

TEST_CASE("control: no mutation of a frame does harm", "[dist]") {
  dice roll(7);
  std::vector<one_case> all = all_controls();
  std::size_t parsed = 0;
  for (int n = 0; n != 100'000; ++n) {
    std::string frame = all[roll.below(all.size())].frame;
    if (roll.below(2) == 0) {
      frame = whole_form(frame);
    }
    for (std::uint32_t changes = 1 + roll.below(3); changes != 0 && !frame.empty(); --changes) {
      std::size_t at = roll.below(frame.size());
      switch (roll.below(4)) {
        case 0: frame[at] = static_cast<char>(roll.below(256)); break;
        case 1: frame[at] = static_cast<char>(frame[at] ^ (1 << roll.below(8))); break;
        case 2: frame.erase(at, 1 + roll.below(4)); break;
        default: frame.insert(at, frame, roll.below(frame.size()), roll.below(20));
      }
    }
    control_message read;
    if (!parse_control(frame, read)) {
      continue;
    }
    ++parsed;
    for (std::string_view term : {read.reason, read.message}) {
      term_reader whole(term);
      bool is_whole = term.empty() || (whole.skip() && whole.left().empty());
      if (!is_whole) {
        FAIL("what is carried is no term");
      }
    }
  }
  CHECK(parsed > 1000);
}
