// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/ref_key.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <unordered_set>

using otpp::detail::ref_key;
using otpp::detail::ref_key_hash;
using otpp::detail::ref_view;

namespace {
namespace ref_keys {

ref_view reference(std::uint32_t creation, std::size_t count, std::uint32_t last = 0) {
  ref_view one;
  one.node = "a@b";
  one.creation = creation;
  one.count = count;
  one.words = {1, 2, 3, 0, 0};
  one.words[count - 1] += last;
  return one;
}

} // namespace ref_keys
} // namespace

TEST_CASE("ref_key: is equal where creation, number of words and words are", "[dist]") {
  ref_key one(ref_keys::reference(7, 3));
  CHECK(one == ref_key(ref_keys::reference(7, 3)));
  CHECK(one != ref_key(ref_keys::reference(8, 3)));
  CHECK(one != ref_key(ref_keys::reference(7, 3, 1)));
  CHECK(one != ref_key(ref_keys::reference(7, 4)));
  CHECK(one != ref_key(ref_keys::reference(7, 5, 1)));
  ref_view other = ref_keys::reference(7, 3);
  other.node = "c@d"; // a peer's are not told from those that it makes for others
  CHECK(one == ref_key(other));
}

TEST_CASE("ref_key: a number is a key that no reference has", "[dist]") {
  CHECK(ref_key(std::uint64_t(5)) == ref_key(std::uint64_t(5)));
  CHECK(ref_key(std::uint64_t(5)) != ref_key(std::uint64_t(6)));
  CHECK(ref_key(std::uint64_t(5)) != ref_key(std::uint64_t(5) << 32));
  ref_view same;
  same.count = 2;
  same.words = {0, 5, 0, 0, 0};
  CHECK(ref_key(std::uint64_t(5)) != ref_key(same));
}

TEST_CASE("ref_key: hashes of those that follow each other differ", "[dist]") {
  std::set<std::size_t> hashes;
  std::unordered_set<ref_key, ref_key_hash> keys;
  for (std::uint32_t n = 0; n != 1000; ++n) {
    for (std::size_t count : {1U, 3U, 5U}) {
      ref_key key(ref_keys::reference(7, count, n));
      hashes.insert(ref_key_hash()(key));
      keys.insert(key);
    }
  }
  CHECK(keys.size() == 3000);
  CHECK(hashes.size() > 2900);
  ref_key one(ref_keys::reference(7, 3));
  CHECK(ref_key_hash()(one) == ref_key_hash()(ref_key(ref_keys::reference(7, 3))));
  CHECK(ref_key_hash()(one) != ref_key_hash()(ref_key(ref_keys::reference(8, 3))));
}
