// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/port.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <otpp/term/bytes.hpp>
#include <otpp/term/detail/containers.hpp>

#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <unordered_set>

using otpp::from_bytes;
using otpp::to_bytes;

namespace {

const std::string port_home = bytes_of(119, 8, "erl@host");

std::string port_bytes(const std::string& node, int number, int creation = 9) {
  return bytes_of(131, 120, node, 0, 0, 0, 0, 0, 0, 0, number, 0, 0, 0, creation);
}

std::string short_port_bytes(const std::string& node, int number) {
  return bytes_of(131, 89, node, 0, 0, 0, number, 0, 0, 0, 9);
}

bool is_port_read(const std::string& bytes, otpp::term_limits limits = {}) {
  otpp::port value;
  return from_bytes(bytes, value, limits);
}

void check_cuts(const std::string& bytes) {
  CHECK(is_port_read(bytes));
  CHECK_FALSE(is_port_read(bytes + "x"));
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CHECK_FALSE(is_port_read(bytes.substr(0, size)));
  }
}

} // namespace

TEST_CASE("term port: it goes back, with a number of eight bytes", "[term]") {
  CHECK(to_bytes(from_bytes<otpp::port>(port_bytes(port_home, 7))) == port_bytes(port_home, 7));
  CHECK(to_bytes(from_bytes<otpp::port>(short_port_bytes(port_home, 7))) == port_bytes(port_home, 7));
  check_cuts(port_bytes(port_home, 7));
  check_cuts(short_port_bytes(port_home, 7));
}

TEST_CASE("term port: what is none does not fit", "[term]") {
  CHECK_FALSE(is_port_read(port_bytes(bytes_of(97, 1), 7)));
  CHECK_FALSE(is_port_read(bytes_of(131, 102, port_home, 0, 0, 0, 7, 9))); // of a release before 23
  CHECK_FALSE(is_port_read(bytes_of(131, 88, port_home, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9)));
  CHECK_FALSE(is_port_read(port_bytes(port_home, 7), {.memory = 35}));
  CHECK(is_port_read(port_bytes(port_home, 7), {.memory = 36}));
}

TEST_CASE("term port: the same if all of it is, in either size", "[term]") {
  auto one = from_bytes<otpp::port>(port_bytes(port_home, 7));
  CHECK(one == from_bytes<otpp::port>(short_port_bytes(port_home, 7)));
  CHECK(one == from_bytes<otpp::port>(port_bytes(bytes_of(115, 8, "erl@host"), 7)));
  std::set<otpp::port> sorted{one};
  std::unordered_set<otpp::port> hashed{one};
  for (const std::string& other :
       {port_bytes(port_home, 8), port_bytes(port_home, 7, 8), port_bytes(bytes_of(119, 8, "erl@hosu"), 7)}) {
    auto differs = from_bytes<otpp::port>(other);
    CHECK(one != differs);
    CHECK((one < differs) != (differs < one));
    sorted.insert(differs);
    hashed.insert(differs);
  }
  CHECK(sorted.size() == 4);
  CHECK(hashed.size() == 4);
  CHECK_FALSE(sorted.insert(one).second);
  CHECK_FALSE(hashed.insert(one).second);
}

TEST_CASE("term port: none is sent as undefined, and is no port", "[term]") {
  otpp::port none;
  CHECK_FALSE(none);
  CHECK(from_bytes<otpp::port>(port_bytes(port_home, 7)));
  CHECK(to_bytes(none) == bytes_of(131, 119, 9, "undefined"));
  CHECK_FALSE(is_port_read(to_bytes(none)));
  CHECK_FALSE(from_bytes<std::optional<otpp::port>>(to_bytes(none)));
}

TEST_CASE("term port: it prints its node and its number", "[term]") {
  auto one = from_bytes<otpp::port>(bytes_of(131, 120, port_home, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 9));
  CHECK(to_string(one) == "#Port<erl@host.4294967303>");
  std::ostringstream out;
  out << one << ' ' << otpp::port();
  CHECK(out.str() == "#Port<erl@host.4294967303> undefined");
}
