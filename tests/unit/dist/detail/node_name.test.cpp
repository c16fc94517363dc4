// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/node_name.hpp>

#include "support/catch.hpp"

#include <stdexcept>
#include <string>
#include <string_view>

using otpp::detail::node_name;
using otpp::detail::parse_node_name;
using otpp::detail::short_against_long;
using otpp::detail::split_node_name;

namespace {

std::string_view fault_of(std::string_view name) {
  node_name parts;
  return split_node_name(name, parts);
}

} // namespace

TEST_CASE("node name: it is split at the @", "[dist]") {
  node_name parts;
  CHECK(split_node_name("erl@host", parts).empty());
  CHECK(parts.alive == "erl");
  CHECK(parts.host == "host");
  CHECK_FALSE(parts.is_long());
  CHECK(split_node_name("A-b_9@host.example.org", parts).empty());
  CHECK(parts.alive == "A-b_9");
  CHECK(parts.host == "host.example.org");
  CHECK(parts.is_long());
}

TEST_CASE("node name: an address is long", "[dist]") {
  CHECK(parse_node_name("a@127.0.0.1").is_long());
  CHECK(parse_node_name("a@::1").is_long());
}

TEST_CASE("node name: what is none, and why", "[dist]") {
  CHECK(fault_of("") == "has no @host");
  CHECK(fault_of("erl") == "has no @host");
  CHECK(fault_of("@host") == "has nothing before its @");
  CHECK(fault_of("erl@") == "has no host behind its @");
  for (const char* name :
       {"e.l@host", "e l@host", "\xC3\xA9@host", "e/@host", "e\n@host", "e:@host", "e`@host"}) {
    CAPTURE(name);
    CHECK(fault_of(name) == "has other characters than letters, digits, _ and - before its @");
  }
  // ł is above U+00FF; the last two are no UTF-8.
  for (const char* name :
       {"a@b c", "a@b\n", "a@b@c", "a@\xC5\x82", "a@\xE9", "a@h\xC3", "a@\x7F", "a@\xC2\x80", "a@\xC2\x9F"}) {
    CAPTURE(name);
    CHECK_FALSE(fault_of(name).empty());
  }
  CHECK_FALSE(fault_of(std::string_view("a@b\0", 4)).empty());
  CHECK(fault_of("a@\xC3\xBF!~").empty());
  CHECK(fault_of("a@\xC2\xA0").empty());
}

TEST_CASE("node name: at most 255 characters, not bytes", "[dist]") {
  CHECK(fault_of("a@" + std::string(253, 'h')).empty());
  CHECK(fault_of("a@" + std::string(254, 'h')) == "has more than 255 characters");
  std::string wide = "a@";
  for (int n = 0; n != 253; ++n) {
    wide += "\xC3\xA9";
  }
  CHECK(fault_of(wide).empty());
}

TEST_CASE("node name: the error names what was given, and what to do", "[dist]") {
  try {
    parse_node_name("counter");
    FAIL("it has no host");
  } catch (const std::invalid_argument& error) {
    CHECK(
        std::string(error.what()) ==
        "otpp: 'counter' has no @host, so that it is no name of a node; write it as name@host");
  }
}

TEST_CASE("node name: short and long ones do not mix", "[dist]") {
  CHECK(short_against_long("a@host", "b@other").empty());
  CHECK(short_against_long("a@host.org", "b@10.0.0.1").empty());
  CHECK_FALSE(short_against_long("a@host", "b@host.org").empty());
  CHECK_FALSE(short_against_long("a@10.0.0.1", "b@host").empty());
  CHECK(short_against_long("a@10.0.0.1", "b").empty());
}
