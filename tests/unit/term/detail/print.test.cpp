// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/detail/print.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <otpp/term/value.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace {

std::string print(const std::string& bytes, std::size_t most = 10'000) {
  otpp::detail::term_reader from(bytes);
  REQUIRE(from.skip());
  REQUIRE(from.left().empty());
  return otpp::detail::term_printer(bytes, most).print();
}

std::string print_atom(std::string_view text) {
  return print(bytes_of(119, static_cast<int>(text.size()), text));
}

std::string print_binary(std::string_view text) {
  return print(bytes_of(109, 0, 0, 0, static_cast<int>(text.size()), text));
}

std::string print_list(std::string_view text) {
  return print(bytes_of(107, 0, static_cast<int>(text.size()), text));
}

std::string print_float(double value) { return otpp::to_string(otpp::term::of(value)); }

const std::string home = bytes_of(119, 8, "erl@host");

} // namespace

// All as io:format("~tp") of OTP 25 prints it, where nothing else is said.

TEST_CASE("term print: numbers", "[term]") {
  CHECK(print(bytes_of(97, 5)) == "5");
  CHECK(print(bytes_of(98, 255, 255, 255, 255)) == "-1");
  CHECK(print(bytes_of(110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255)) == "18446744073709551615");
  CHECK(print(bytes_of(110, 8, 1, 0, 0, 0, 0, 0, 0, 0, 128)) == "-9223372036854775808");
  // Erlang has base 10 here; it reads this, too.
  CHECK(print(bytes_of(110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)) == "16#10000000000000000");
  CHECK(print(bytes_of(110, 10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xAB, 0)) == "-16#AB0000000000000000");
}

TEST_CASE("term print: floats", "[term]") {
  CHECK(print_float(1.5) == "1.5");
  CHECK(print_float(-0.0) == "-0.0");
  CHECK(print_float(5.0) == "5.0");
  CHECK(print_float(0.1) == "0.1");
  CHECK(print_float(123456789.0) == "123456789.0");
  CHECK(print_float(1e5) == "1.0e5");
  CHECK(print_float(1e22) == "1.0e22");
  CHECK(print_float(1e-5) == "1.0e-5");
  CHECK(print_float(1.5e-7) == "1.5e-7");
  CHECK(print_float(1e100) == "1.0e100");
  CHECK(print_float(5e-324) == "5.0e-324");
  CHECK(print_float(1.7976931348623157e308) == "1.7976931348623157e308");
  for (const std::string& none :
       {bytes_of(70, 127, 240, 0, 0, 0, 0, 0, 0), bytes_of(99, std::string(31, 'x'))}) {
    CHECK(otpp::detail::term_printer(none, 100).print() == "0.0"); // no float of Erlang's
  }
}

TEST_CASE("term print: atoms, in quotes where they need them", "[term]") {
  CHECK(print_atom("ok") == "ok");
  CHECK(print_atom("a@B_1") == "a@B_1");
  CHECK(print_atom("") == "''");
  CHECK(print_atom("Abc") == "'Abc'");
  CHECK(print_atom("hello world") == "'hello world'");
  CHECK(print_atom("it's") == R"('it\'s')");
  CHECK(print_atom("a\\b") == R"('a\\b')");
  CHECK(print_atom("a\nb\t\r") == R"('a\nb\t\r')");
  CHECK(print_atom("let") == "'let'");
  CHECK(print_atom("xor") == "'xor'");
  CHECK(print_atom("a\x01\x7F") == R"('a\x{01}\x{7F}')");
  CHECK(print_atom("\xC3\xA9") == "'\xC3\xA9'");
  CHECK(print(bytes_of(115, 1, "\xE9")) == "'\xC3\xA9'");
  const std::string none = bytes_of(119, 1, "\xE9"); // none of Erlang's
  CHECK(otpp::detail::term_printer(none, 100).print() == "''");
}

TEST_CASE("term print: binaries and bit strings", "[term]") {
  CHECK(print_binary("ann") == R"(<<"ann">>)");
  CHECK(print_binary("a\nb") == R"(<<"a\nb">>)");
  CHECK(print_binary("q\"q\\") == R"(<<"q\"q\\">>)");
  CHECK(print_binary("\xC3\xA9") == "<<\"\xC3\xA9\"/utf8>>");
  CHECK(print_binary("\xFF") == "<<255>>");
  CHECK(print_binary(std::string_view("\0\7", 2)) == "<<0,7>>");
  CHECK(print_binary("") == "<<>>");
  CHECK(print(bytes_of(77, 0, 0, 0, 1, 3, 160)) == "<<5:3>>");
  CHECK(print(bytes_of(77, 0, 0, 0, 2, 4, 1, 32)) == "<<1,2:4>>");
  CHECK(print(bytes_of(77, 0, 0, 0, 1, 8, "a")) == R"(<<"a">>)");
  CHECK(print(bytes_of(77, 0, 0, 0, 0, 0)) == "<<>>");
}

TEST_CASE("term print: lists", "[term]") {
  CHECK(print(bytes_of(106)) == "[]");
  CHECK(print_list("") == "[]");
  CHECK(print_list("hi") == R"("hi")");
  CHECK(print_list("a\"b\\") == R"("a\"b\\")");
  CHECK(print_list("a\nb\t\r") == R"("a\nb\t\r")");
  CHECK(print_list("\7\10") == "[7,8]");
  CHECK(print_list("\x7F") == "[127]");
  CHECK(print(bytes_of(108, 0, 0, 0, 1, 106, 106)) == "[[]]");
  CHECK(print(bytes_of(108, 0, 0, 0, 1, 119, 1, "a", 119, 1, "b")) == "[a|b]");
  CHECK(print(bytes_of(108, 0, 0, 0, 2, 97, 1, 97, 2, 119, 1, "c")) == "[1,2|c]");
}

TEST_CASE("term print: tuples and maps", "[term]") {
  CHECK(print(bytes_of(104, 0)) == "{}");
  CHECK(print(bytes_of(104, 2, 97, 1, 105, 0, 0, 0, 1, 106)) == "{1,{[]}}");
  CHECK(print(bytes_of(116, 0, 0, 0, 0)) == "#{}");
  CHECK(print(bytes_of(116, 0, 0, 0, 2, 119, 1, "a", 97, 1, 119, 1, "b", 97, 2)) == "#{a => 1,b => 2}");
}

TEST_CASE("term print: what belongs to a node is named with it", "[term]") {
  CHECK(print(bytes_of(88, home, 0, 0, 0, 91, 0, 0, 0, 2, 0, 0, 0, 9)) == "#Pid<erl@host.91.2>");
  CHECK(print(bytes_of(89, home, 0, 0, 0, 7, 0, 0, 0, 9)) == "#Port<erl@host.7>");
  CHECK(print(bytes_of(120, home, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 9)) == "#Port<erl@host.4294967303>");
  CHECK(print(bytes_of(90, 0, 2, home, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0, 4)) == "#Ref<erl@host.3.4>");
  CHECK(print(bytes_of_fun(bytes_of(106))) == "#Fun<>");
  CHECK(print(bytes_of(113, 119, 5, "lists", 119, 3, "map", 97, 2)) == "fun lists:map/2");
  CHECK(print(bytes_of(104, 2, 88, home, std::string(12, '\0'), 97, 1)) == "{#Pid<erl@host.0.0>,1}");
}

TEST_CASE("term print: a text is cut, but not within a character", "[term]") {
  CHECK(print_list(std::string(100, 'x')).size() == 102);
  CHECK(print(bytes_of(107, 0, 100, std::string(100, 'x')), 10) == "\"xxxxxxxxx...");
  CHECK(print(bytes_of(97, 123), 3) == "123");
  CHECK(print(bytes_of(97, 123), 2) == "12...");
  CHECK(print(bytes_of(97, 123), 0) == "...");
  CHECK(print(bytes_of(119, 4, "\xC3\xA9\xC3\xA9"), 3) == "'\xC3\xA9...");
  CHECK(print(bytes_of(119, 4, "\xC3\xA9\xC3\xA9"), 4) == "'\xC3\xA9...");
  CHECK(print(bytes_of(104, 3, 119, 3, "abc", 119, 3, "def", 106), 5) == "{abc,...");
  CHECK(print(bytes_of(110, 200, 0, std::string(200, '\xFF')), 6) == "16#FFF...");
}

TEST_CASE("term print: what is too deep is left out", "[term]") {
  std::string deep;
  for (int i = 0; i != 64; ++i) {
    deep += bytes_of(104, 1);
  }
  CHECK(print(deep + bytes_of(106)) == std::string(64, '{') + "..." + std::string(64, '}'));
  CHECK(print(deep.substr(2) + bytes_of(106)) == std::string(63, '{') + "[]" + std::string(63, '}'));
}
