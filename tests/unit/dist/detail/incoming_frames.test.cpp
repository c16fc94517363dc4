// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/incoming_frames.hpp>

#include <otpp/dist/detail/peer_output.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/dice.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using otpp::detail::append_frame;
using otpp::detail::incoming_frames;

namespace {
namespace incoming {

using found = incoming_frames::found;

constexpr std::size_t longest = std::size_t(1) << 20;

void feed(incoming_frames& in, std::string_view bytes) {
  while (!bytes.empty()) {
    std::span<char> room = in.room();
    REQUIRE(room.size() >= 4096);
    std::size_t size = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), size);
    in.filled(size);
    bytes.remove_prefix(size);
  }
}

} // namespace incoming
} // namespace

TEST_CASE("incoming_frames: frames of every length, one after the other", "[dist]") {
  incoming_frames in;
  std::string_view frame;
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::none); // nothing has come
  incoming::feed(in, bytes_of(0, 0, 0, 0, 0, 0, 0, 2, "ab", 0, 0, 0, 1, "c", 0, 0));
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::frame);
  CHECK(frame.empty()); // a tick
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::frame);
  CHECK(frame == "ab");
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::frame);
  CHECK(frame == "c");
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::none); // half of a length
  incoming::feed(in, bytes_of(0, 3, "de"));
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::none); // a frame without its end
  incoming::feed(in, "f");
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::frame);
  CHECK(frame == "def");
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::none);
}

TEST_CASE("incoming_frames: lengths of two bytes, and then of four", "[dist]") {
  incoming_frames in;
  std::string_view frame;
  incoming::feed(in, bytes_of(0, 2, "ab", 0, 0, 0, 1, "c")); // behind a handshake
  CHECK(in.next(2, incoming::longest, frame) == incoming::found::frame);
  CHECK(frame == "ab");
  CHECK(in.next(4, incoming::longest, frame) == incoming::found::frame);
  CHECK(frame == "c");
}

TEST_CASE("incoming_frames: a frame that is too long is found by its length alone", "[dist]") {
  std::string_view frame;
  {
    incoming_frames in;
    incoming::feed(in, bytes_of(0, 0, 0, 5, "12345"));
    CHECK(in.next(4, 5, frame) == incoming::found::frame);
    incoming::feed(in, bytes_of(0, 0, 0, 6));
    CHECK(in.next(4, 5, frame) == incoming::found::too_long);
  }
  {
    incoming_frames in;
    incoming::feed(in, bytes_of(255, 255, 255, 255));
    CHECK(in.next(4, incoming::longest, frame) == incoming::found::too_long);
  }
}

TEST_CASE("incoming_frames: a length takes no memory before its bytes come", "[dist]") {
  incoming_frames in;
  std::string_view frame;
  incoming::feed(in, bytes_of(63, 0, 0, 0)); // a gigabyte
  CHECK(in.next(4, std::size_t(1) << 31, frame) == incoming::found::none);
  CHECK(in.room().size() <= std::size_t(64) * 1024);
}

TEST_CASE("incoming_frames: however the bytes are cut, the frames are the same", "[dist]") {
  dice random(7);
  for (int round = 0; round != 20; ++round) {
    std::string bytes;
    std::vector<std::string> sent;
    for (int n = 0; n != 60; ++n) {
      // Some are longer than the memory that there is.
      std::size_t size = random.below(8) == 0 ? random.below(60'000) : random.below(300);
      sent.emplace_back(size, static_cast<char>('a' + n % 26));
      append_frame(bytes, sent.back());
    }
    incoming_frames in;
    std::size_t at = 0;
    std::vector<std::string> got;
    while (at != bytes.size()) {
      std::span<char> room = in.room();
      std::size_t most = std::min(room.size(), bytes.size() - at);
      std::size_t size = 1 + random.below(std::min<std::size_t>(most, round % 2 == 0 ? 50'000 : 700));
      std::memcpy(room.data(), bytes.data() + at, size);
      in.filled(size);
      at += size;
      std::string_view frame;
      while (in.next(4, incoming::longest, frame) == incoming::found::frame) {
        got.emplace_back(frame);
      }
    }
    CHECK(got == sent);
  }
}

TEST_CASE("incoming_frames: memory for a long frame is not kept", "[dist]") {
  incoming_frames in;
  std::string_view frame;
  std::string bytes;
  append_frame(bytes, std::string(3'000'000, 'x'));
  incoming::feed(in, bytes);
  CHECK(in.next(4, 4'000'000, frame) == incoming::found::frame);
  CHECK(frame.size() == 3'000'000);
  CHECK(in.room().size() <= std::size_t(64) * 1024);
}
