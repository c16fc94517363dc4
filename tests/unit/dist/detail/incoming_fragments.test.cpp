// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/incoming_fragments.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/dice.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using otpp::detail::incoming_fragments;

namespace {
namespace in_parts {

using found = incoming_fragments::found;

std::string first(int sequence, int left, std::string_view part) {
  return bytes_of(131, 69, std::string(7, '\0'), sequence, std::string(7, '\0'), left, 0, std::string(part));
}
std::string next(int sequence, int left, std::string_view part) {
  return bytes_of(131, 70, std::string(7, '\0'), sequence, std::string(7, '\0'), left, std::string(part));
}

// What is found, and the frame if that is whole.
struct result {
  found what;
  std::string frame;
};
result take(incoming_fragments& in, const std::string& frame) {
  std::string_view view = frame;
  found what = in.take(view);
  return {what, what == found::frame ? std::string(view) : std::string()};
}

} // namespace in_parts
} // namespace

TEST_CASE("incoming_fragments: what is no fragment stays as it is", "[dist]") {
  incoming_fragments in(100);
  for (const std::string& each :
       {bytes_of(131, 68, 0, "abc"), bytes_of(112, 131, "abc"), bytes_of(131), bytes_of(131, 71),
        bytes_of(7)}) {
    in_parts::result taken = in_parts::take(in, each);
    CHECK(taken.what == in_parts::found::frame);
    CHECK(taken.frame == each);
  }
}

TEST_CASE("incoming_fragments: parts of a message, one to three", "[dist]") {
  incoming_fragments in(100);
  CHECK(in_parts::take(in, in_parts::first(7, 1, "all")).frame == bytes_of(131, 68, 0, "all"));
  CHECK(in_parts::take(in, in_parts::first(7, 3, "ab")).what == in_parts::found::part);
  CHECK(in_parts::take(in, in_parts::next(7, 2, "")).what == in_parts::found::part);
  CHECK(in_parts::take(in, in_parts::next(7, 1, "cde")).frame == bytes_of(131, 68, 0, "abcde"));
}

TEST_CASE("incoming_fragments: several senders in turns, and whole frames between", "[dist]") {
  incoming_fragments in(100);
  CHECK(in_parts::take(in, in_parts::first(1, 2, "a")).what == in_parts::found::part);
  CHECK(in_parts::take(in, in_parts::first(2, 3, "x")).what == in_parts::found::part);
  CHECK(in_parts::take(in, bytes_of(131, 68, 0, "short")).frame == bytes_of(131, 68, 0, "short"));
  CHECK(in_parts::take(in, in_parts::next(2, 2, "y")).what == in_parts::found::part);
  CHECK(in_parts::take(in, in_parts::next(1, 1, "b")).frame == bytes_of(131, 68, 0, "ab"));
  CHECK(
      in_parts::take(in, in_parts::first(1, 1, "c")).frame ==
      bytes_of(131, 68, 0, "c")); // its number is free
  CHECK(in_parts::take(in, in_parts::next(2, 1, "z")).frame == bytes_of(131, 68, 0, "xyz"));
}

TEST_CASE("incoming_fragments: out of order, of nothing, or cut", "[dist]") {
  using in_parts::take;
  auto is_malformed = [](const std::vector<std::string>& frames) {
    incoming_fragments in(100);
    for (std::size_t n = 0; n + 1 < frames.size(); ++n) {
      REQUIRE(take(in, frames[n]).what == in_parts::found::part);
    }
    return take(in, frames.back()).what == in_parts::found::malformed;
  };
  CHECK(is_malformed({in_parts::next(1, 1, "a")}));
  CHECK(is_malformed({in_parts::first(1, 0, "a")}));
  CHECK(is_malformed({in_parts::first(1, 2, "a"), in_parts::first(1, 1, "a")}));
  CHECK(is_malformed({in_parts::first(1, 2, "a"), in_parts::next(2, 1, "a")}));
  CHECK(is_malformed({in_parts::first(1, 3, "a"), in_parts::next(1, 1, "a")}));
  CHECK(is_malformed({in_parts::first(1, 3, "a"), in_parts::next(1, 3, "a")}));
  CHECK(is_malformed({in_parts::first(1, 3, "a"), in_parts::next(1, 2, "a"), in_parts::next(1, 2, "a")}));
  std::string with_atoms = in_parts::first(1, 1, "a");
  with_atoms[18] = '\1';
  CHECK(is_malformed({with_atoms}));
  for (std::size_t size : {2U, 9U, 10U, 17U, 18U}) {
    CHECK(is_malformed({in_parts::first(1, 1, "a").substr(0, size)}));
  }
}

TEST_CASE("incoming_fragments: the longest message, and one byte more", "[dist]") {
  incoming_fragments in(10); // with the three bytes before it
  CHECK(in_parts::take(in, in_parts::first(1, 2, "abcd")).what == in_parts::found::part);
  CHECK(in_parts::take(in, in_parts::next(1, 1, "efg")).frame == bytes_of(131, 68, 0, "abcdefg"));
  CHECK(in_parts::take(in, in_parts::first(1, 2, "abcd")).what == in_parts::found::part);
  CHECK(in_parts::take(in, in_parts::next(1, 1, "efgh")).what == in_parts::found::too_long);
}

TEST_CASE("incoming_fragments: too many at a time, and too much", "[dist]") {
  incoming_fragments many(100);
  for (std::size_t n = 0; n != incoming_fragments::most_sequences; ++n) {
    std::string frame = in_parts::first(0, 2, "");
    frame[8] = static_cast<char>(n >> 8);
    frame[9] = static_cast<char>(n);
    REQUIRE(in_parts::take(many, frame).what == in_parts::found::part);
  }
  std::string more = in_parts::first(0, 2, "");
  more[2] = '\1';
  CHECK(in_parts::take(many, more).what == in_parts::found::too_many);

  incoming_fragments much(10);
  in_parts::found last = in_parts::found::part;
  int taken = 0;
  for (int n = 0; n != 20 && last == in_parts::found::part; ++n) {
    last = in_parts::take(much, in_parts::first(n, 2, "abcdefg")).what;
    taken += last == in_parts::found::part ? 1 : 0;
  }
  CHECK(last == in_parts::found::too_many);
  CHECK(taken == 7); // 49 bytes: more than four times the longest
}

TEST_CASE("incoming_fragments: any cut of many messages comes back", "[dist]") {
  dice roll(11);
  incoming_fragments in(1000);
  struct sender {
    std::string text;
    std::size_t at = 0;
    int left = 0;
  };
  std::map<int, sender> senders;
  int complete = 0;
  for (int n = 0; n != 20'000; ++n) {
    int number = static_cast<int>(roll.below(8));
    sender& one = senders[number];
    bool is_first = one.left == 0;
    if (is_first) {
      one.text.clear();
      for (std::uint32_t size = roll.below(200); size != 0; --size) {
        one.text.push_back(static_cast<char>(roll.below(256)));
      }
      one.at = 0;
      one.left = 1 + static_cast<int>(roll.below(5));
    }
    std::size_t rest = one.text.size() - one.at;
    std::size_t size = one.left == 1 ? rest : roll.below(static_cast<std::uint32_t>(rest) + 1);
    std::string part = one.text.substr(one.at, size);
    in_parts::result taken = in_parts::take(
        in, is_first ? in_parts::first(number, one.left, part) : in_parts::next(number, one.left, part));
    one.at += size;
    if (--one.left == 0) {
      REQUIRE(taken.frame == bytes_of(131, 68, 0, one.text));
      ++complete;
    } else {
      REQUIRE(taken.what == in_parts::found::part);
    }
  }
  CHECK(complete > 1000);
}
