// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/epmd_protocol.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/dice.hpp"
#include "support/from_hex.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using otpp::detail::epmd_entry;
using otpp::detail::epmd_look_up_failure;
using otpp::detail::epmd_look_up_request;
using otpp::detail::epmd_reading;
using otpp::detail::epmd_register_failure;
using otpp::detail::epmd_register_request;
using otpp::detail::read_epmd_looked_up;
using otpp::detail::read_epmd_registered;

namespace {

// Of the epmd of OTP 25.
const std::string registered_bytes = from_hex("76006b0a6aa6");
const std::string taken_bytes = from_hex("760100000063");
const std::string found_bytes = from_hex("7700126748000006000600036370700000");
const std::string unknown_bytes = from_hex("7701");

epmd_reading reading_registered(std::string_view bytes) {
  std::uint32_t creation = 0;
  return read_epmd_registered(bytes, creation);
}

epmd_reading reading_looked_up(std::string_view bytes) {
  epmd_entry found;
  return read_epmd_looked_up(bytes, found);
}

} // namespace

TEST_CASE("epmd: requests", "[dist]") {
  CHECK(epmd_register_request("cpp", 4711) == from_hex("001078126748000006000600036370700000"));
  CHECK(epmd_look_up_request("cpp") == bytes_of(0, 4, 122, "cpp"));
  CHECK(epmd_look_up_request(std::string(255, 'a')) == bytes_of(1, 0, 122, std::string(255, 'a')));
}

TEST_CASE("epmd: the answer to a registration", "[dist]") {
  std::uint32_t creation = 0;
  CHECK(read_epmd_registered(registered_bytes, creation) == epmd_reading::done);
  CHECK(creation == 0x6b0a6aa6);
  CHECK(read_epmd_registered(bytes_of(121, 0, 1, 2), creation) == epmd_reading::done);
  CHECK(creation == 0x0102);
  CHECK(reading_registered(taken_bytes) == epmd_reading::refused);
  CHECK(reading_registered(bytes_of(121, 1, 0, 99)) == epmd_reading::refused);
  CHECK(reading_registered("HTTP/1.1 400") == epmd_reading::malformed);
  CHECK(reading_registered(found_bytes) == epmd_reading::malformed);
}

TEST_CASE("epmd: the answer to a look-up", "[dist]") {
  epmd_entry found;
  CHECK(read_epmd_looked_up(found_bytes, found) == epmd_reading::done);
  CHECK(found.port == 4711);
  CHECK(found.highest == 6);
  CHECK(found.lowest == 6);
  CHECK(found.has_our_version());
  CHECK(reading_looked_up(unknown_bytes) == epmd_reading::refused);
  CHECK(reading_looked_up("HTTP/1.1 400") == epmd_reading::malformed);
  CHECK(reading_looked_up(registered_bytes) == epmd_reading::malformed);
  CHECK(reading_looked_up(bytes_of(119, 0, 0, 0, 72, 0, 0, 6, 0, 6)) == epmd_reading::malformed); // no port
  CHECK(reading_looked_up(bytes_of(119, 0, 1, 0, 72, 0, 0, 5, 0, 6)) == epmd_reading::malformed);
}

TEST_CASE("epmd: which versions of the handshake are ours", "[dist]") {
  CHECK(epmd_entry{.port = 1, .highest = 6, .lowest = 5}.has_our_version());
  CHECK(epmd_entry{.port = 1, .highest = 7, .lowest = 6}.has_our_version());
  CHECK_FALSE(epmd_entry{.port = 1, .highest = 5, .lowest = 5}.has_our_version());
  CHECK_FALSE(epmd_entry{.port = 1, .highest = 8, .lowest = 7}.has_our_version());
}

TEST_CASE("epmd: an answer that comes in pieces", "[dist]") {
  for (std::size_t size = 0; size != registered_bytes.size(); ++size) {
    CHECK(reading_registered(registered_bytes.substr(0, size)) == epmd_reading::incomplete);
  }
  for (std::size_t size = 0; size != 4; ++size) {
    CHECK(reading_registered(bytes_of(121, 0, 1, 2).substr(0, size)) == epmd_reading::incomplete);
  }
  for (std::size_t size = 0; size != 10; ++size) {
    CHECK(reading_looked_up(found_bytes.substr(0, size)) == epmd_reading::incomplete);
  }
  for (std::size_t size = 10; size <= found_bytes.size(); ++size) {
    CHECK(reading_looked_up(found_bytes.substr(0, size)) == epmd_reading::done);
  }
  CHECK(reading_looked_up(unknown_bytes.substr(0, 1)) == epmd_reading::incomplete);
  CHECK(reading_registered(taken_bytes.substr(0, 2)) == epmd_reading::refused);
}

TEST_CASE("epmd: what was done stays done when more comes", "[dist]") {
  dice roll(3);
  for (int n = 0; n != 20'000; ++n) {
    std::string bytes = roll.below(2) == 0 ? registered_bytes : found_bytes;
    bytes[roll.below(bytes.size())] = static_cast<char>(roll.below(256));
    epmd_reading before = epmd_reading::incomplete;
    epmd_reading found = epmd_reading::incomplete;
    bool is_settled = true;
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      epmd_reading next = reading_registered(bytes.substr(0, size));
      is_settled = is_settled && (before == epmd_reading::incomplete || next == before);
      before = next;
      next = reading_looked_up(bytes.substr(0, size));
      is_settled = is_settled && (found == epmd_reading::incomplete || next == found);
      found = next;
    }
    if (!is_settled) {
      FAIL("a reading changes");
    }
  }
}

TEST_CASE("epmd: errors say what to do", "[dist]") {
  CHECK(
      epmd_register_failure(epmd_reading::refused, "cpp") ==
      "epmd has a node 'cpp' already: end that program, or give this one another name");
  CHECK(
      epmd_look_up_failure(epmd_reading::refused, "erl@host") ==
      "epmd at its host knows no node 'erl': start it with a name (erl -name or -sname), or see whether it "
      "has ended");
  for (epmd_reading reading : {epmd_reading::incomplete, epmd_reading::malformed}) {
    CHECK(epmd_register_failure(reading, "cpp").find("epmd") != std::string::npos);
    CHECK(epmd_look_up_failure(reading, "erl@host").find("epmd") != std::string::npos);
    CHECK(epmd_register_failure(reading, "cpp") != epmd_register_failure(epmd_reading::refused, "cpp"));
  }
}
