// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/peer_output.hpp>

#include <otpp/dist/detail/fragment.hpp>
#include <otpp/dist/detail/incoming_fragments.hpp>

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

// Without watermarks.
peer_output::watermarks at_most(std::size_t bytes) { return {bytes, bytes, bytes}; }

// Writes all, and returns the frames, without their lengths.
std::vector<std::string> write_all(peer_output& out) {
  std::string bytes;
  while (true) {
    std::string_view next = out.unsent();
    if (next.empty()) {
      break;
    }
    bytes += next;
    out.wrote(next.size());
  }
  std::vector<std::string> frames;
  for (std::size_t at = 0; at != bytes.size();) {
    std::size_t length = peer_output::length_at(bytes, at);
    frames.push_back(bytes.substr(at + 4, length));
    at += 4 + length;
  }
  return frames;
}

// A whole frame that carries so many bytes of a letter.
std::string frame_of(char letter, std::size_t size) {
  return bytes_of(131, 68, 0, std::string(size, letter));
}

std::string framed(const std::vector<std::string>& all) {
  std::string bytes;
  for (const std::string& each : all) {
    append_frame(bytes, each);
  }
  return bytes;
}

// "a70" for a fragment of sequence letters `a` of kind 70, "a" for a whole frame.
std::string kinds(const std::vector<std::string>& frames) {
  std::string text;
  for (const std::string& each : frames) {
    text += text.empty() ? "" : " ";
    text += each.back();
    int kind = static_cast<unsigned char>(each[1]);
    text += kind == 68 ? "" : std::to_string(kind);
  }
  return text;
}

// What the peer makes of them: a letter and a size for each message, in the order in which they are complete.
std::string read_back(const std::vector<std::string>& frames) {
  otpp::detail::incoming_fragments in(std::size_t(1) << 30);
  std::string text;
  for (const std::string& each : frames) {
    std::string_view frame = each;
    auto what = in.take(frame);
    REQUIRE(
        (what == otpp::detail::incoming_fragments::found::frame ||
         what == otpp::detail::incoming_fragments::found::part));
    if (what == otpp::detail::incoming_fragments::found::frame) {
      text += text.empty() ? "" : " ";
      text += frame.back() + std::to_string(frame.size() - 3);
    }
  }
  return text;
}

constexpr std::size_t part = otpp::detail::fragment_size;

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
  peer_output out(outgoing::at_most(1000));
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
  peer_output out(outgoing::at_most(1000));
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
  peer_output out(outgoing::at_most(10));
  CHECK(out.add("12345") == outgoing::added::queued);
  CHECK(out.unsent() == "12345");
  CHECK(out.add("67890") == outgoing::added::queued);
  CHECK(out.add("x") == outgoing::added::over); // what is being written counts until it is
  CHECK(out.add("x") == outgoing::added::closed);
  CHECK_FALSE(out.add_tick());
}

TEST_CASE("peer_output: what was written makes room", "[dist]") {
  peer_output out(outgoing::at_most(10));
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
  peer_output out(outgoing::at_most(1000));
  CHECK(out.add("ab") == outgoing::added::queued);
  out.close();
  CHECK(out.add("cd") == outgoing::added::closed);
  CHECK(out.unsent() == "ab");
  out.wrote(2);
  CHECK(out.unsent().empty());
  CHECK(out.add("ef") == outgoing::added::closed);
}

TEST_CASE("peer_output: many threads add, each in its order", "[dist]") {
  peer_output out(outgoing::at_most(std::size_t(1) << 30));
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

TEST_CASE("peer_output: a long frame is written in fragments, the last of which may be short", "[dist]") {
  for (std::size_t size : {std::size_t(0), std::size_t(1)}) {
    CAPTURE(size);
    peer_output out(outgoing::at_most(std::size_t(1) << 30), true);
    out.add_frame(outgoing::frame_of('a', outgoing::part + size));
    CHECK(outgoing::kinds(outgoing::write_all(out)) == (size == 0 ? "a" : "a69 a70"));
    CHECK(out.unsent().empty());
  }
}

TEST_CASE("peer_output: fragments of several lines take turns, and short frames pass", "[dist]") {
  peer_output out(outgoing::at_most(std::size_t(1) << 30), true);
  out.add(outgoing::framed({outgoing::frame_of('a', 3 * outgoing::part)}), 1);
  out.add(outgoing::framed({outgoing::frame_of('b', 2 * outgoing::part)}), 2);
  out.add(outgoing::framed({outgoing::frame_of('c', 5)}), 3);
  std::vector<std::string> frames = outgoing::write_all(out);
  CHECK(outgoing::kinds(frames) == "c a69 b69 a70 b70 a70");
  CHECK(outgoing::read_back(frames) == "c5 b131072 a196608");
}

TEST_CASE("peer_output: what is added to one line stays in order", "[dist]") {
  peer_output out(outgoing::at_most(std::size_t(1) << 30), true);
  out.add(
      outgoing::framed(
          {outgoing::frame_of('a', 1), outgoing::frame_of('b', 2 * outgoing::part),
           outgoing::frame_of('c', 3)}),
      1);
  out.add_frame(outgoing::frame_of('d', 4), 1);
  out.add_frame(outgoing::frame_of('x', 7)); // of anybody
  out.add_frame(outgoing::frame_of('e', 3 * outgoing::part), 1);
  out.add(outgoing::framed({outgoing::frame_of('f', 6)}), 1);
  std::vector<std::string> frames = outgoing::write_all(out);
  CHECK(outgoing::read_back(frames) == "a1 x7 b131072 c3 d4 e196608 f6");
  out.add_frame(outgoing::frame_of('g', 1), 1);
  CHECK(outgoing::read_back(outgoing::write_all(out)) == "g1");
}

TEST_CASE("peer_output: to a peer that takes no fragments, all is whole", "[dist]") {
  peer_output out(outgoing::at_most(std::size_t(1) << 30), false);
  out.add(outgoing::framed({outgoing::frame_of('a', 3 * outgoing::part)}), 1);
  out.add_frame(outgoing::frame_of('b', 1), 2);
  CHECK(outgoing::kinds(outgoing::write_all(out)) == "a b");
}

TEST_CASE("peer_output: what waits is counted until it is written, fragments too", "[dist]") {
  peer_output out({std::size_t(1) << 30, 2 * outgoing::part, outgoing::part}, true);
  out.add_frame(outgoing::frame_of('a', 4 * outgoing::part), 1);
  CHECK(out.is_above_watermark());
  outgoing::write_all(out);
  CHECK_FALSE(out.is_above_watermark());
  bool is_called = false;
  CHECK_FALSE(out.wait_for_room(1, [&] { is_called = true; })); // nothing is left of it
  out.add_frame(outgoing::frame_of('b', 1));
  CHECK_FALSE(out.wait_for_room(1, [&] { is_called = true; }));
  CHECK_FALSE(is_called);
}

TEST_CASE("peer_output: who waits for room goes on at the low watermark, or at the end", "[dist]") {
  for (bool by_end : {false, true}) {
    peer_output out({1000, 100, 50});
    std::string called;
    out.add(std::string(100, 'x'));
    CHECK_FALSE(out.is_above_watermark());
    out.add("x");
    CHECK(out.is_above_watermark());
    CHECK(out.wait_for_room(1, [&] { called += '1'; }));
    CHECK(out.wait_for_room(2, [&] { called += '2'; }));
    CHECK(out.wait_for_room(3, [&] { called += '3'; }));
    CHECK(out.wait_for_room(1, [&] { called += 'a'; })); // instead
    out.stop_waiting(2);
    CHECK(out.unsent().size() == 101);
    out.wrote(50);
    CHECK_FALSE(out.is_above_watermark());
    CHECK(called.empty()); // 51 are left
    by_end ? out.close() : out.wrote(1);
    CHECK(called == "a3");
    CHECK_FALSE(out.wait_for_room(1, [&] { called += 'b'; }));
    CHECK(called == "a3");
  }
}
