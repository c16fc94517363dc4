// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/reference.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <otpp/term/bytes.hpp>
#include <otpp/term/detail/containers.hpp>

#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_set>

using otpp::from_bytes;
using otpp::to_bytes;

namespace {

// A reference of words that are 0, 0, 0 and its number.
std::string reference_bytes(const std::string& node, int words, int creation = 9, int number = 4) {
  std::string all = bytes_of(131, 90, 0, words, node, 0, 0, 0, creation);
  for (int word = 0; word != words; ++word) {
    all += bytes_of(0, 0, 0, number);
  }
  return all;
}

const std::string reference_home = bytes_of(119, 8, "erl@host");

bool is_reference_read(const std::string& bytes, otpp::term_limits limits = {}) {
  otpp::reference value;
  return from_bytes(bytes, value, limits);
}

} // namespace

TEST_CASE("term reference: it goes back as it came", "[term]") {
  for (int words = 1; words <= 5; ++words) {
    std::string bytes = reference_bytes(reference_home, words);
    CHECK(to_bytes(from_bytes<otpp::reference>(bytes)) == bytes);
    CHECK_FALSE(is_reference_read(bytes + "x"));
    for (std::size_t size = 0; size != bytes.size(); ++size) {
      CHECK_FALSE(is_reference_read(bytes.substr(0, size)));
    }
  }
}

TEST_CASE("term reference: what is none does not fit", "[term]") {
  CHECK_FALSE(is_reference_read(reference_bytes(reference_home, 0)));
  CHECK_FALSE(is_reference_read(reference_bytes(reference_home, 6)));
  CHECK_FALSE(is_reference_read(reference_bytes(bytes_of(109, 0, 0, 0, 1, "a"), 3))); // the node is no atom
  CHECK_FALSE(is_reference_read(reference_bytes(bytes_of(119, 1, "\xE9"), 3)));       // nor is this
  CHECK_FALSE(is_reference_read(bytes_of(131, 89, reference_home, 0, 0, 0, 7, 0, 0, 0, 9)));
  CHECK_FALSE(is_reference_read(bytes_of(131, 97, 5)));
  CHECK_FALSE(is_reference_read(reference_bytes(reference_home, 3), {.memory = 39}));
  CHECK(is_reference_read(reference_bytes(reference_home, 3), {.memory = 40}));
}

TEST_CASE("term reference: the same if all of it is, however its node is written", "[term]") {
  auto one = from_bytes<otpp::reference>(reference_bytes(reference_home, 3));
  CHECK(one == from_bytes<otpp::reference>(reference_bytes(bytes_of(100, 0, 8, "erl@host"), 3)));
  std::set<otpp::reference> sorted{one};
  std::unordered_set<otpp::reference> hashed{one};
  for (const std::string& other :
       {reference_bytes(reference_home, 2), reference_bytes(reference_home, 3, 8),
        reference_bytes(reference_home, 3, 9, 5), reference_bytes(bytes_of(119, 8, "erl@hosu"), 3)}) {
    auto differs = from_bytes<otpp::reference>(other);
    CHECK(one != differs);
    CHECK((one < differs) != (differs < one));
    sorted.insert(differs);
    hashed.insert(differs);
  }
  CHECK(sorted.size() == 5);
  CHECK(hashed.size() == 5);
  CHECK_FALSE(sorted.insert(one).second);
  CHECK_FALSE(hashed.insert(one).second);
}

TEST_CASE("term reference: none is sent as undefined, and is no reference", "[term]") {
  otpp::reference none;
  CHECK_FALSE(none);
  CHECK(from_bytes<otpp::reference>(reference_bytes(reference_home, 3)));
  CHECK(to_bytes(none) == bytes_of(131, 119, 9, "undefined"));
  CHECK_FALSE(is_reference_read(to_bytes(none)));
  CHECK_FALSE(from_bytes<std::optional<otpp::reference>>(to_bytes(none)));
}

TEST_CASE("term reference: it prints its node and its words", "[term]") {
  auto one = from_bytes<otpp::reference>(reference_bytes(reference_home, 3));
  CHECK(to_string(one) == "#Ref<erl@host.4.4.4>");
  std::ostringstream out;
  out << one << ' ' << otpp::reference();
  CHECK(out.str() == "#Ref<erl@host.4.4.4> undefined");
}
