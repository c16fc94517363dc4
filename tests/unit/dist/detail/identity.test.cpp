// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/identity.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/from_hex.hpp"

#include <cstddef>
#include <string>
#include <string_view>

using otpp::detail::get_pid;
using otpp::detail::get_ref;
using otpp::detail::pid_view;
using otpp::detail::put_pid;
using otpp::detail::put_ref;
using otpp::detail::ref_view;
using otpp::detail::term_reader;
using otpp::detail::term_writer;

namespace {

// As OTP 25 has written them, after the version byte: <0.9.0> and a reference of t@127.0.0.1; in messages to a node, and by
// term_to_binary, which has Latin-1 atoms there.
const std::string erlang_pid = from_hex("58 770b74403132372e302e302e31 00000009 00000000 6b0a679a");
const std::string erlang_pid_latin = from_hex("58 64000b74403132372e302e302e31 00000009 00000000 6b0a679a");
const std::string erlang_ref =
    from_hex("5a 0003 770b74403132372e302e302e31 6b0a679a 0000b308 95fc0002 e4f006ec");

bool reads_pid(std::string_view bytes, pid_view& one) {
  term_reader from(bytes);
  return get_pid(from, one) && from.left().empty();
}

bool reads_ref(std::string_view bytes, ref_view& one) {
  term_reader from(bytes);
  return get_ref(from, one) && from.left().empty();
}

} // namespace

TEST_CASE("identity: a pid as Erlang writes it", "[dist]") {
  pid_view one;
  REQUIRE(reads_pid(erlang_pid, one));
  CHECK(one.node == "t@127.0.0.1");
  CHECK(one.id == 9);
  CHECK(one.serial == 0);
  CHECK(one.creation == 0x6b0a679a);
  CHECK(one.bytes == erlang_pid);

  pid_view latin;
  REQUIRE(reads_pid(erlang_pid_latin, latin));
  CHECK(latin == one);
  CHECK(latin.bytes == erlang_pid_latin);

  term_writer to;
  put_pid(to, latin);
  CHECK(to.take() == erlang_pid);
}

TEST_CASE("identity: a reference as Erlang writes it", "[dist]") {
  ref_view one;
  REQUIRE(reads_ref(erlang_ref, one));
  CHECK(one.node == "t@127.0.0.1");
  CHECK(one.creation == 0x6b0a679a);
  CHECK(one.count == 3);
  CHECK(one.words == decltype(one.words){0xb308, 0x95fc0002, 0xe4f006ec, 0, 0});
  CHECK(one.bytes == erlang_ref);
  term_writer to;
  put_ref(to, one);
  CHECK(to.take() == erlang_ref);
}

TEST_CASE("identity: a reference has one to five words, and those of an earlier one do not stay", "[dist]") {
  ref_view one;
  for (int count : {5, 1}) {
    std::string bytes = bytes_of(90, 0, count, 119, 3, "a@b", 0, 0, 0, 1);
    for (int n = 1; n <= count; ++n) {
      bytes += bytes_of(0, 0, 0, n);
    }
    REQUIRE(reads_ref(bytes, one));
    CHECK(one.count == static_cast<std::size_t>(count));
    CHECK(one.words[0] == 1);
    CHECK(one.words[4] == (count == 5 ? 5u : 0u));
    term_writer to;
    put_ref(to, one);
    CHECK(to.take() == bytes);
  }
  CHECK_FALSE(reads_ref(bytes_of(90, 0, 0, 119, 3, "a@b", 0, 0, 0, 1), one));
  CHECK_FALSE(reads_ref(bytes_of(90, 0, 6, 119, 3, "a@b", 0, 0, 0, 1, std::string(24, '\0')), one));
}

TEST_CASE("identity: each field counts when two are compared", "[dist]") {
  const pid_view pid{.node = "a@b", .id = 1, .serial = 2, .creation = 3, .bytes = "x"};
  CHECK(pid == pid_view{.node = "a@b", .id = 1, .serial = 2, .creation = 3, .bytes = ""});
  CHECK(pid != pid_view{.node = "a@c", .id = 1, .serial = 2, .creation = 3, .bytes = ""});
  CHECK(pid != pid_view{.node = "a@b", .id = 4, .serial = 2, .creation = 3, .bytes = ""});
  CHECK(pid != pid_view{.node = "a@b", .id = 1, .serial = 4, .creation = 3, .bytes = ""});
  CHECK(pid != pid_view{.node = "a@b", .id = 1, .serial = 2, .creation = 4, .bytes = ""});

  const ref_view ref{.node = "a@b", .creation = 3, .words = {1, 2, 0}, .count = 3, .bytes = "x"};
  CHECK(ref == ref_view{.node = "a@b", .creation = 3, .words = {1, 2, 0}, .count = 3, .bytes = ""});
  CHECK(ref != ref_view{.node = "a@c", .creation = 3, .words = {1, 2, 0}, .count = 3, .bytes = ""});
  CHECK(ref != ref_view{.node = "a@b", .creation = 4, .words = {1, 2, 0}, .count = 3, .bytes = ""});
  CHECK(ref != ref_view{.node = "a@b", .creation = 3, .words = {1, 3, 0}, .count = 3, .bytes = ""});
  CHECK(ref != ref_view{.node = "a@b", .creation = 3, .words = {1, 2, 0}, .count = 2, .bytes = ""});
}

TEST_CASE("identity: cut anywhere it is none", "[dist]") {
  pid_view pid;
  for (std::size_t size = 0; size != erlang_pid.size(); ++size) {
    CHECK_FALSE(reads_pid(erlang_pid.substr(0, size), pid));
  }
  ref_view ref;
  for (std::size_t size = 0; size != erlang_ref.size(); ++size) {
    CHECK_FALSE(reads_ref(erlang_ref.substr(0, size), ref));
  }
  CHECK_FALSE(reads_pid(erlang_ref, pid));
  CHECK_FALSE(reads_ref(erlang_pid, ref));
}

TEST_CASE("identity: a node is an atom in UTF-8, and not empty", "[dist]") {
  pid_view one;
  const std::string rest(12, '\1');
  const std::string accented = bytes_of(88, 119, 4, "\xC3\xA9@b", rest);
  CHECK(reads_pid(accented, one));
  CHECK(one.node == "\xC3\xA9@b");
  CHECK_FALSE(reads_pid(bytes_of(88, 115, 4, "\xC3\xA9@b", rest), one)); // another name in Latin-1
  CHECK_FALSE(reads_pid(bytes_of(88, 115, 3, "\xE9@b", rest), one));
  CHECK_FALSE(reads_pid(bytes_of(88, 119, 3, "\xE9@b", rest), one));
  CHECK_FALSE(reads_pid(bytes_of(88, 119, 0, rest), one));
  CHECK_FALSE(reads_pid(bytes_of(88, 97, 1, rest), one));
  ref_view ref;
  CHECK_FALSE(reads_ref(bytes_of(90, 0, 1, 119, 0, 0, 0, 0, 1, 0, 0, 0, 1), ref));
}
