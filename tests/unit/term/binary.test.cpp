// SPDX-License-Identifier: BSL-1.0

#include <otpp/term/binary.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <otpp/term/bytes.hpp>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

using otpp::binary;
using otpp::from_bytes;
using otpp::to_bytes;

namespace {

bool is_binary_read(const std::string& bytes, otpp::term_limits limits = {}) {
  binary value;
  return from_bytes(bytes, value, limits);
}

} // namespace

TEST_CASE("term binary: made of texts and of bytes", "[term]") {
  CHECK(binary().view().empty());
  CHECK(binary(std::string()).view().empty());
  CHECK(binary("ann").view() == "ann");
  CHECK(binary(std::string_view("a\0b", 3)).view() == std::string_view("a\0b", 3));
  CHECK(binary(std::vector<std::byte>{std::byte(0), std::byte(255)}).view() == bytes_of(0, 255));
  CHECK(binary(std::vector<std::byte>()).view().empty());
  const std::string kept = "kept";
  CHECK(binary(kept).view() == "kept");
  CHECK(kept == "kept");
}

TEST_CASE("term binary: takes the bytes of a string that is given away", "[term]") {
  std::string text(1000, 'x');
  const char* place = text.data();
  binary taken(std::move(text));
  CHECK(taken.view().data() == place);
}

TEST_CASE("term binary: copies share their bytes", "[term]") {
  binary one("bytes");
  binary copy = one;
  CHECK(copy.view().data() == one.view().data());
  one = binary();
  CHECK(copy.view() == "bytes");
}

TEST_CASE("term binary: equal, sorted and hashed by its bytes", "[term]") {
  CHECK(binary("a") == binary("a"));
  CHECK(binary("a") != binary("b"));
  CHECK(binary("a") < binary("ab"));
  CHECK(binary("a") < binary("\xFF")); // bytes have no sign
  CHECK(binary() == binary(""));
  CHECK(std::set<binary>{binary("b"), binary("a"), binary("b")}.size() == 2);
  CHECK(std::unordered_set<binary>{binary("b"), binary("a"), binary("b")}.size() == 2);
}

TEST_CASE("term binary: sent as one, and made of nothing else", "[term]") {
  std::string bytes = bytes_of(131, 109, 0, 0, 0, 3, "ann");
  CHECK(to_bytes(binary("ann")) == bytes);
  CHECK(to_bytes(binary()) == bytes_of(131, 109, 0, 0, 0, 0));
  CHECK(from_bytes<binary>(bytes) == binary("ann"));
  CHECK(from_bytes<binary>(bytes_of(131, 109, 0, 0, 0, 0)) == binary());
  for (std::size_t size = 0; size != bytes.size(); ++size) {
    CHECK_FALSE(is_binary_read(bytes.substr(0, size)));
  }
  CHECK_FALSE(is_binary_read(bytes + "x"));
  CHECK_FALSE(is_binary_read(bytes_of(131, 107, 0, 3, "ann")));
  CHECK_FALSE(is_binary_read(bytes_of(131, 106)));
  CHECK_FALSE(is_binary_read(bytes_of(131, 77, 0, 0, 0, 1, 3, 160)));
  CHECK_FALSE(is_binary_read(bytes_of(131, 119, 3, "ann")));
}

TEST_CASE("term binary: one that was received owns its bytes, and pays for them", "[term]") {
  std::string bytes = bytes_of(131, 109, 0, 0, 0, 3, "ann");
  auto owned = from_bytes<binary>(bytes);
  bytes.assign(bytes.size(), 'x');
  CHECK(owned.view() == "ann");
  CHECK_FALSE(is_binary_read(to_bytes(binary("ann")), {.memory = 66}));
  CHECK(is_binary_read(to_bytes(binary("ann")), {.memory = 67}));
  CHECK(is_binary_read(to_bytes(binary()), {.memory = 0}));
}
