// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/ticker.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <vector>

using otpp::detail::ticker;
using namespace std::chrono_literals;

namespace {

const ticker::clock::time_point tick_epoch{};

// Two nodes, each of which writes nothing but ticks, and what is on the way between them.
class idle_pair {
 public:
  idle_pair(ticker::clock::duration one, ticker::clock::duration other, ticker::clock::duration latency)
      : latency_(latency), nodes_{node(ticker(one, tick_epoch)), node(ticker(other, tick_epoch))} {}

  // Returns false if one of them counts the other as dead.
  bool run_until(ticker::clock::time_point end) {
    for (ticker::clock::time_point now = tick_epoch; now < end;) {
      for (std::size_t n : {0u, 1u}) {
        node& one = nodes_[n];
        node& other = nodes_[1 - n];
        while (!one.coming.empty() && one.coming.front() <= now) {
          one.coming.erase(one.coming.begin());
          one.state.read(now);
          if (one.state.answers_tick(now)) {
            write(one, other, now);
          }
        }
        if (one.state.is_dead(now)) {
          return false;
        }
        if (one.state.is_due(now)) {
          write(one, other, now);
        }
      }
      ticker::clock::time_point next = std::min(nodes_[0].state.next(), nodes_[1].state.next());
      for (const node& one : nodes_) {
        next = one.coming.empty() ? next : std::min(next, one.coming.front());
      }
      now = std::max(next, now + 1ns);
    }
    return true;
  }

  std::size_t written(std::size_t which) const { return nodes_[which].written; }

 private:
  struct node {
    explicit node(ticker one) : state(one) {}
    ticker state;
    std::vector<ticker::clock::time_point> coming;
    std::size_t written = 0;
  };

  void write(node& from, node& to, ticker::clock::time_point now) {
    from.state.wrote(now);
    to.coming.push_back(now + latency_);
    ++from.written;
  }

  ticker::clock::duration latency_;
  std::array<node, 2> nodes_;
};

} // namespace

TEST_CASE("ticker: a tick is due after a quarter in which nothing was written", "[dist]") {
  ticker one(60s, tick_epoch);
  CHECK_FALSE(one.is_due(tick_epoch + 15s - 1ns));
  CHECK(one.is_due(tick_epoch + 15s));
  one.wrote(tick_epoch + 10s);
  CHECK_FALSE(one.is_due(tick_epoch + 25s - 1ns));
  CHECK(one.is_due(tick_epoch + 25s));
  one.read(tick_epoch + 20s);
  CHECK(one.is_due(tick_epoch + 25s));
}

TEST_CASE("ticker: a tick is answered after half a second in which nothing was written", "[dist]") {
  ticker one(60s, tick_epoch);
  one.read(tick_epoch + 499ms);
  CHECK_FALSE(one.answers_tick(tick_epoch + 499ms));
  CHECK(one.answers_tick(tick_epoch + 500ms));
  one.wrote(tick_epoch + 500ms);
  CHECK_FALSE(one.answers_tick(tick_epoch + 501ms));
}

TEST_CASE("ticker: dead is who says nothing for a tick time", "[dist]") {
  ticker one(4s, tick_epoch);
  CHECK_FALSE(one.is_dead(tick_epoch + 4s - 1ns));
  CHECK(one.is_dead(tick_epoch + 4s));
  one.read(tick_epoch + 3s);
  CHECK_FALSE(one.is_dead(tick_epoch + 7s - 1ns));
  CHECK(one.is_dead(tick_epoch + 7s));
  one.wrote(tick_epoch + 6s);
  CHECK(one.is_dead(tick_epoch + 7s));
}

TEST_CASE("ticker: the next time to look is the earlier of both", "[dist]") {
  ticker one(4s, tick_epoch);
  CHECK(one.next() == tick_epoch + 1s);
  one.wrote(tick_epoch + 3500ms);
  CHECK(one.next() == tick_epoch + 4s); // then the peer is dead
  one.read(tick_epoch + 3500ms);
  CHECK(one.next() == tick_epoch + 4500ms);
}

TEST_CASE("ticker: an idle pair writes one tick each quarter, and no more", "[dist]") {
  for (auto latency : {0ms, 1ms, 200ms, 400ms}) {
    idle_pair pair(60s, 60s, latency);
    CHECK(pair.run_until(tick_epoch + 1h));
    CHECK(pair.written(0) <= 240);
    CHECK(pair.written(1) <= 240);
    CHECK(pair.written(0) >= 230);
    CHECK(pair.written(1) >= 230);
  }
}

TEST_CASE("ticker: a peer with a shorter tick time is kept alive by answers", "[dist]") {
  idle_pair pair(60s, 4s, 1ms);
  CHECK(pair.run_until(tick_epoch + 1h));
  CHECK(pair.written(0) <= 3600);
  CHECK(pair.written(1) <= 3600);
}

TEST_CASE("ticker: who takes none of the bytes for the time of a tick is stuck", "[dist]") {
  ticker one(4s, tick_epoch);
  CHECK_FALSE(one.is_stuck(tick_epoch + 1h)); // nothing was offered
  one.offers(tick_epoch + 1h);
  one.read(tick_epoch + 1h + 3s); // it may speak nevertheless
  CHECK_FALSE(one.is_stuck(tick_epoch + 1h + 3999ms));
  CHECK(one.is_stuck(tick_epoch + 1h + 4s));
  one.has_taken();
  CHECK_FALSE(one.is_stuck(tick_epoch + 2h));
  one.offers(tick_epoch + 2h);
  CHECK_FALSE(one.is_stuck(tick_epoch + 2h));
}
