// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/detail/reader.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using otpp::detail::term_reader;
using otpp::detail::term_tag;

namespace {

bool is_one_term(std::string_view bytes) {
  term_reader from(bytes);
  return from.skip() && from.left().empty();
}

const std::string node_atom = bytes_of(119, 3, "a@b");

} // namespace

TEST_CASE("term reader: each kind of term is one, and no prefix of it is", "[term]") {
  for (const std::string& whole : {
           bytes_of(97, 5),
           bytes_of(98, 0, 0, 1, 0),
           bytes_of(110, 2, 0, 1, 2),
           bytes_of(111, 0, 0, 0, 2, 1, 1, 2),
           bytes_of(70, 63, 248, 0, 0, 0, 0, 0, 0),
           bytes_of(99, "1.50000000000000000000e+00", std::string(5, '\0')),
           bytes_of(100, 0, 2, "ok"),
           bytes_of(115, 2, "ok"),
           bytes_of(118, 0, 2, "ok"),
           bytes_of(119, 2, "ok"),
           bytes_of(104, 2, 97, 1, 104, 0),
           bytes_of(105, 0, 0, 0, 1, 97, 1),
           bytes_of(106),
           bytes_of(107, 0, 2, 1, 2),
           bytes_of(108, 0, 0, 0, 2, 97, 1, 97, 2, 106),
           bytes_of(108, 0, 0, 0, 1, 119, 1, "a", 119, 1, "b"), // [a|b]
           bytes_of(109, 0, 0, 0, 1, "x"),
           bytes_of(77, 0, 0, 0, 1, 3, 160),
           bytes_of(77, 0, 0, 0, 0, 0),
           bytes_of(116, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 106),
           bytes_of(88, node_atom, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1),
           bytes_of(89, node_atom, 0, 0, 0, 9, 0, 0, 0, 1),
           bytes_of(120, node_atom, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1),
           bytes_of(90, 0, 2, node_atom, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 8),
           bytes_of(113, 119, 1, "m", 119, 1, "f", 97, 2),
           bytes_of_fun(bytes_of(106)),
           bytes_of_fun(bytes_of_fun(bytes_of(108, 0, 0, 0, 1, 97, 1, 106))),
       }) {
    CAPTURE(static_cast<unsigned>(static_cast<unsigned char>(whole[0])));
    CHECK(is_one_term(whole));
    CHECK_FALSE(is_one_term(whole + "x"));
    for (std::size_t size = 0; size != whole.size(); ++size) {
      CHECK_FALSE(is_one_term(std::string_view(whole).substr(0, size)));
    }
  }
}

TEST_CASE("term reader: tags that are none of ours are refused", "[term]") {
  // Cache references, compressed terms, LOCAL, FUN, and the old forms of references, ports and pids.
  for (int tag : {0, 82, 80, 121, 117, 101, 102, 103, 114, 131, 255}) {
    CHECK_FALSE(is_one_term(bytes_of(tag, std::string(64, '\0'))));
  }
}

TEST_CASE("term reader: lengths that claim more than there is", "[term]") {
  for (int tag : {105, 108, 109, 111, 116, 77, 112}) {
    CHECK_FALSE(is_one_term(bytes_of(tag, 255, 255, 255, 255, std::string(100, 'j'))));
  }
  for (int tag : {100, 118, 107, 90}) {
    CHECK_FALSE(is_one_term(bytes_of(tag, 255, 255, std::string(100, 'j'))));
  }
  for (int tag : {104, 110, 115, 119}) {
    CHECK_FALSE(is_one_term(bytes_of(tag, 255, std::string(100, 'j'))));
  }
  CHECK(is_one_term(bytes_of(108, 0, 0, 0, 3, "jjj", "j")));
  CHECK_FALSE(is_one_term(bytes_of(108, 0, 0, 0, 4, "jjj", "j"))); // its tail is missing
  CHECK_FALSE(is_one_term(bytes_of(116, 0, 0, 0, 2, "jjj")));
  CHECK_FALSE(is_one_term(bytes_of(104, 2, 104, 3, "jjj"))); // each fits, both do not
}

TEST_CASE("term reader: bit strings, references and funs that cannot be", "[term]") {
  CHECK_FALSE(is_one_term(bytes_of(77, 0, 0, 0, 1, 0, 160)));
  CHECK_FALSE(is_one_term(bytes_of(77, 0, 0, 0, 1, 9, 160)));
  CHECK_FALSE(is_one_term(bytes_of(77, 0, 0, 0, 0, 1)));
  CHECK(is_one_term(bytes_of(90, 0, 5, node_atom, std::string(24, 'x'))));
  CHECK_FALSE(is_one_term(bytes_of(90, 0, 6, node_atom, std::string(28, 'x'))));
  CHECK_FALSE(is_one_term(bytes_of(90, 0, 0, node_atom, std::string(4, 'x'))));
  CHECK_FALSE(is_one_term(bytes_of(112, 0, 0, 0, 3)));
  CHECK_FALSE(is_one_term(bytes_of(112, 0, 0, 0, 4)));
  const std::string fun = bytes_of_fun(bytes_of(106));
  for (std::size_t at :
       {std::size_t(4), std::size_t(29), fun.size() - 1}) { // its size, what it has kept, the number of that
    std::string other = fun;
    ++other[at];
    CHECK_FALSE(is_one_term(other));
  }
  CHECK_FALSE(is_one_term(bytes_of_fun(bytes_of(97)))); // a part of a term
  CHECK_FALSE(is_one_term(bytes_of_fun(bytes_of(106, 106))));
}

// What a peer would end the connection for, if it were sent on.
TEST_CASE("term reader: what Erlang does not read is no term", "[term]") {
  CHECK_FALSE(is_one_term(bytes_of(113, 97, 1, 119, 1, "f", 97, 2)));
  CHECK_FALSE(is_one_term(bytes_of(113, 119, 1, "m", 97, 1, 97, 2)));
  CHECK_FALSE(is_one_term(bytes_of(113, 119, 1, "m", 119, 1, "f", 98, 0, 0, 0, 2)));
  CHECK_FALSE(is_one_term(bytes_of(70, 127, 240, 0, 0, 0, 0, 0, 0)));
  CHECK_FALSE(is_one_term(bytes_of(70, 127, 248, 0, 0, 0, 0, 0, 0)));
  CHECK_FALSE(is_one_term(bytes_of(99, std::string(31, 'x'))));
  CHECK_FALSE(is_one_term(bytes_of(119, 1, "\xFF")));
  CHECK_FALSE(is_one_term(bytes_of(104, 2, 97, 1, 118, 0, 1, "\xC3")));
  CHECK_FALSE(is_one_term(bytes_of(118, 1, 0, std::string(256, 'a'))));
  CHECK(is_one_term(bytes_of(115, 1, "\xFF"))); // Latin-1
  CHECK_FALSE(is_one_term(bytes_of(100, 1, 0, std::string(256, 'a'))));
  CHECK_FALSE(is_one_term(bytes_of(88, 119, 1, "\xFF", std::string(12, '\0'))));
  std::string_view text;
  bool is_latin = false;
  const std::string none = bytes_of(119, 1, "\xFF"); // nor an atom where a type asks for one
  CHECK_FALSE(term_reader(none).atom(text, is_latin));
}

TEST_CASE("term reader: funs in funs are limited, as they take stack", "[term]") {
  std::string deep = bytes_of(106);
  for (int n = 0; n != 64; ++n) {
    deep = bytes_of_fun(deep);
  }
  CHECK(is_one_term(deep));
  CHECK_FALSE(is_one_term(bytes_of_fun(deep)));
}

TEST_CASE("term reader: atoms of more than 1020 bytes are none", "[term]") {
  std::string wide;
  for (int n = 0; n != 255; ++n) {
    wide += "\xF0\x9F\x98\x80";
  }
  CHECK(is_one_term(bytes_of(118, 3, 252, wide)));
  CHECK_FALSE(is_one_term(bytes_of(118, 3, 253, wide, "x")));
}

TEST_CASE("term reader: a million nested tuples take no stack", "[term]") {
  std::string deep;
  for (int i = 0; i != 1'000'000; ++i) {
    deep += bytes_of(104, 1);
  }
  CHECK_FALSE(is_one_term(deep));
  CHECK(is_one_term(deep + bytes_of(106)));
}

TEST_CASE("term reader: numbers, and the place", "[term]") {
  std::string bytes = bytes_of(97, 1, 2, 3, 4);
  term_reader from(bytes);
  CHECK(from.tag() == term_tag::small_integer);
  CHECK_FALSE(from.is(term_tag::nil));
  CHECK(from.place() == 0);
  CHECK(from.is(term_tag::small_integer));
  std::uint64_t value = 9;
  CHECK(from.number(4, value));
  CHECK(value == 0x01020304);
  CHECK(from.tag() == term_tag::none);
  CHECK_FALSE(from.is(term_tag::none));
  CHECK_FALSE(from.number(1, value));
  CHECK(from.since(1) == bytes.substr(1));
  from.back_to(3);
  CHECK(from.left() == bytes.substr(3));
}

TEST_CASE("term reader: a short tuple that claims too much is no long one", "[term]") {
  std::string bytes = bytes_of(104, 250, 105, 0, 0, 0, 2, 106, 106);
  std::size_t size = 0;
  CHECK_FALSE(term_reader(bytes).tuple(size));
}

TEST_CASE("term reader: memory and depth are limited", "[term]") {
  term_reader from("", otpp::term_limits{.depth = 1, .memory = 48});
  CHECK(from.spend(0, 1000));
  CHECK_FALSE(from.spend(49));
  CHECK_FALSE(from.spend(SIZE_MAX, SIZE_MAX));
  CHECK(from.enter()); // 16 bytes
  CHECK_FALSE(from.enter());
  from.leave();
  CHECK(from.enter());
  from.leave();
  CHECK(from.spend(2, 8));
  CHECK_FALSE(from.spend(1));
  CHECK_FALSE(from.enter());
  term_reader usual("12345678");
  CHECK(usual.spend((std::size_t{1} << 20) + 32));
  CHECK_FALSE(usual.spend(1));
}
