// SPDX-License-Identifier: BSL-1.0

#include "resp.hpp" // what redis_server reads and writes

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using command = std::vector<std::string>;

void feed(resp::parser& parser, std::string_view bytes) {
  while (!bytes.empty()) {
    auto room = parser.prepare();
    std::size_t size = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), size, room.begin());
    parser.commit(size);
    bytes.remove_prefix(size);
  }
}

std::optional<command> next(resp::parser& parser) {
  std::vector<std::string_view> words;
  if (!parser.next(words)) {
    return std::nullopt;
  }
  return command(words.begin(), words.end());
}

// All commands in a text that comes in pieces of the given size.
std::vector<command> read(std::string_view bytes, std::size_t piece) {
  resp::parser parser;
  std::vector<command> result;
  while (!bytes.empty()) {
    feed(parser, bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (auto one = next(parser)) {
      result.push_back(*one);
    }
  }
  return result;
}

// The error that a text ends with, or nothing.
std::string error_in(std::string_view bytes, const resp::limits& limits = {}) {
  resp::parser parser(limits);
  feed(parser, bytes);
  try {
    while (next(parser)) {
    }
  } catch (const resp::protocol_error& error) {
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("resp: commands are the same however they are cut", "[resp]") {
  std::string bytes =
      "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
      "\r\n\n*0\r\n*-1\r\n" // no commands
      "  set  k\tv \r\nping\n"
      "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n";
  std::vector<command> expected = {{"GET", "k"}, {"set", "k", "v"}, {"ping"}, {"SET", "", "a\r\nb"}};

  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    CHECK(read(bytes, piece) == expected);
  }
}

TEST_CASE("resp: a word may hold any byte and be longer than the buffer", "[resp]") {
  std::string word(300'000, '\0');
  std::string bytes = "*2\r\n$4\r\nECHO\r\n$" + std::to_string(word.size()) + "\r\n" + word + "\r\nPING\r\n";
  std::vector<command> expected = {{"ECHO", word}, {"PING"}};

  CHECK(read(bytes, 1000) == expected);
  CHECK(read(bytes, bytes.size()) == expected);
}

TEST_CASE("resp: many commands in one piece come one by one, in order", "[resp]") {
  std::string bytes;
  std::vector<command> expected;
  for (int i = 0; i < 5000; ++i) {
    expected.push_back({"ECHO", std::to_string(i)});
    bytes += "ECHO " + std::to_string(i) + "\n";
  }

  CHECK(read(bytes, bytes.size()) == expected);
}

TEST_CASE("resp: lines without words are no commands, whatever their number", "[resp]") {
  std::string lines(500'000, '\n');
  std::vector<command> expected = {{"PING"}};

  CHECK(read(lines + " \t \r\nPING\r\n", lines.size()) == expected);
}

TEST_CASE("resp: what is no RESP is said to be none", "[resp]") {
  CHECK(error_in("*x\r\n") == "invalid multibulk length");
  CHECK(error_in("*\r\n") == "invalid multibulk length");
  CHECK(error_in("*1048577\r\n") == "invalid multibulk length");
  CHECK(error_in("*99999999999999999999\r\n") == "invalid multibulk length");
  CHECK(error_in("*1\r\n+OK\r\n") == "expected '$', got '+'");
  CHECK(error_in("*1\r\n\r\n") == "expected '$', got ' '");
  CHECK(error_in("*1\r\n$\r\n") == "invalid bulk length");
  CHECK(error_in("*1\r\n$-1\r\n") == "invalid bulk length");
  CHECK(error_in("*1\r\n$+1\r\n") == "invalid bulk length");
  CHECK(error_in("*1\r\n$9223372036854775807\r\n") == "invalid bulk length");
  CHECK(error_in("*1\r\n$4\r\nPINGPONG\r\n") == "expected CRLF after a bulk string");
  CHECK(error_in("PING\r\n*1\r\n$4\r\nPING\r\n") == "");
}

TEST_CASE("resp: nobody can make it keep more than its limits", "[resp]") {
  resp::limits limits{.command = 100, .words = 3, .line = 20};

  CHECK(error_in("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", limits) == "");
  CHECK(error_in("*4\r\n", limits) == "invalid multibulk length");
  CHECK(error_in("*1\r\n$101\r\n", limits) == "invalid bulk length");
  CHECK(error_in("*2\r\n$60\r\n" + std::string(60, 'a') + "\r\n$60\r\n", limits) == "invalid bulk length");
  CHECK(error_in("*2\r\n$91\r\n" + std::string(91, 'a') + "\r\n$0\r\n", limits) == "invalid bulk length");
  CHECK(error_in(std::string(19, 'a'), limits) == "");
  CHECK(error_in(std::string(20, 'a'), limits) == "too big inline request");
  CHECK(error_in("*" + std::string(19, '1'), limits) == "too big mbulk count string");
  CHECK(error_in("*1\r\n$" + std::string(19, '1'), limits) == "too big bulk count string");
}

TEST_CASE("resp: a number is read only as it would be written", "[resp]") {
  CHECK(resp::to_integer("0") == 0);
  CHECK(resp::to_integer("-12") == -12);
  CHECK(resp::to_integer("9223372036854775807") == 9223372036854775807);
  for (const char* text : {"", "-", "+1", " 1", "1 ", "007", "-0", "-01", "1.0", "9223372036854775808"}) {
    CHECK(resp::to_integer(text) == std::nullopt);
  }
}

TEST_CASE("resp: replies are written as Redis writes them", "[resp]") {
  std::string out;
  resp::write_status(out, "OK");
  resp::write_integer(out, -9223372036854775807 - 1);
  resp::write_nil(out);
  resp::write_array(out, 2);
  resp::write_bulk(out, "a\r\nb");
  resp::write_bulk(out, "");
  resp::write_error(out, "ERR you said 'a\r\nb'");

  CHECK(
      out ==
      "+OK\r\n:-9223372036854775808\r\n$-1\r\n*2\r\n$4\r\na\r\nb\r\n$0\r\n\r\n"
      "-ERR you said 'a  b'\r\n");
}
