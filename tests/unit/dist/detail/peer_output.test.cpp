// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/peer_output.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using otpp::detail::append_frame;
using otpp::detail::peer_output;

namespace {
namespace outgoing {

using added = peer_output::added;

} // namespace outgoing
} // namespace

TEST_CASE("peer_output: a frame has its length before it", "[dist]") {
  std::string bytes;
  append_frame(bytes, "abc");
  append_frame(bytes, "");
  append_frame(bytes, "d", 2);
  append_frame(bytes, std::string(0x12345, 'x'));
  CHECK(bytes.substr(0, 18) == bytes_of(0, 0, 0, 3, "abc", 0, 0, 0, 0, 0, 1, "d", 0, 1, 0x23, 0x45));
}

TEST_CASE("peer_output: who adds to what sleeps wakes the writer, once", "[dist]") {
  peer_output out(1000);
  CHECK(out.add("ab") == outgoing::added::queued); // it has not slept yet
  CHECK(out.unsent() == "ab");
  CHECK(out.add("cd") == outgoing::added::queued);
  CHECK(out.unsent() == "ab");
  out.wrote(1);
  CHECK(out.unsent() == "b"); // what is begun comes first
  out.wrote(1);
  CHECK(out.unsent() == "cd");
  out.wrote(2);
  CHECK(out.unsent().empty()); // asleep
  CHECK(out.add("e") == outgoing::added::first);
  CHECK(out.add("f") == outgoing::added::queued);
  CHECK(out.unsent() == "ef");
}

TEST_CASE("peer_output: a tick is written only where nothing else is", "[dist]") {
  peer_output out(1000);
  CHECK_FALSE(out.add_tick()); // awake
  CHECK(out.unsent().empty());
  CHECK(out.add_tick());
  CHECK_FALSE(out.add_tick());
  CHECK(out.unsent() == bytes_of(0, 0, 0, 0));
  out.wrote(4);
  CHECK(out.unsent().empty());
  out.close();
  CHECK_FALSE(out.add_tick());
}

TEST_CASE("peer_output: more than may wait closes it, and nothing comes later", "[dist]") {
  peer_output out(10);
  CHECK(out.add("12345") == outgoing::added::queued);
  CHECK(out.unsent() == "12345");
  CHECK(out.add("67890") == outgoing::added::queued);
  CHECK(out.add("x") == outgoing::added::over); // what is being written counts until it is
  CHECK(out.add("x") == outgoing::added::closed);
  CHECK_FALSE(out.add_tick());
}

TEST_CASE("peer_output: what was written makes room", "[dist]") {
  peer_output out(10);
  for (int n = 0; n != 5; ++n) {
    CHECK(out.add("1234567890") != outgoing::added::over);
    CHECK(out.unsent() == "1234567890");
    out.wrote(7);
    CHECK(out.add("1234567") == outgoing::added::queued);
    CHECK(out.unsent() == "890");
    out.wrote(3);
    CHECK(out.unsent() == "1234567");
    out.wrote(7);
    CHECK(out.unsent().empty());
  }
}

TEST_CASE("peer_output: closed, it takes nothing, but what it has is written", "[dist]") {
  peer_output out(1000);
  CHECK(out.add("ab") == outgoing::added::queued);
  out.close();
  CHECK(out.add("cd") == outgoing::added::closed);
  CHECK(out.unsent() == "ab");
  out.wrote(2);
  CHECK(out.unsent().empty());
  CHECK(out.add("ef") == outgoing::added::closed);
}

TEST_CASE("peer_output: many threads add, each in its order", "[dist]") {
  peer_output out(std::size_t(1) << 30);
  constexpr int frames = 2000;
  std::atomic<int> working{3};
  std::vector<std::thread> threads;
  for (char name : {'a', 'b', 'c'}) {
    threads.emplace_back([&, name] {
      for (int n = 0; n != frames; ++n) {
        out.add(std::string{name, static_cast<char>(n % 100)});
      }
      --working;
    });
  }
  std::string all;
  while (working != 0 || !out.unsent().empty()) {
    std::string_view next = out.unsent();
    all += next.substr(0, 3);
    out.wrote(std::min<std::size_t>(next.size(), 3));
  }
  for (std::thread& each : threads) {
    each.join();
  }
  REQUIRE(all.size() == std::size_t(2) * 3 * frames);
  int next[3] = {};
  for (std::size_t at = 0; at != all.size(); at += 2) {
    int& expected = next[all[at] - 'a'];
    REQUIRE(all[at + 1] == expected % 100);
    ++expected;
  }
}
