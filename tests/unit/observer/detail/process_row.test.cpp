// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/process_row.hpp>

#include <otpp/observer/detail/lints.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using otpp::detail::cycle_through;
using otpp::detail::is_near_intensity;
using otpp::detail::lint;
using otpp::detail::process_row;
using otpp::detail::process_sample;
using otpp::detail::queue_growth;
using otpp::detail::recent_restarts;
using otpp::detail::wait_graph;

namespace {

using time_point = process_row::time_point;
constexpr time_point start{1h};
constexpr std::string_view work = "work";

process_sample in_handler(std::uint64_t messages) {
  process_sample made;
  made.messages = messages;
  made.handling = work;
  made.is_asleep = false;
  return made;
}

} // namespace

TEST_CASE("observer: rates are those of the last second, and fall to zero", "[observer]") {
  process_row row;
  process_sample now;
  now.messages = 1000; // of which nobody knows when
  now.in_handlers = 10s;
  row.update(now, start, 0);
  CHECK(row.rate == 0);
  CHECK(row.busy == 0);
  now.messages = 1050;
  now.in_handlers = 10s + 500ms;
  row.update(now, start + 2s, 2);
  CHECK(row.rate == 25);
  CHECK(row.busy == 0.25);
  now.in_handlers += 20s; // clocks that differ
  row.update(now, start + 3s, 1);
  CHECK(row.rate == 0);
  CHECK(row.busy == 1);
  row.update(now, start + 4s, 1);
  CHECK(row.busy == 0);
}

TEST_CASE("observer lints: a handler is stuck after a second", "[observer]") {
  process_row row;
  process_sample now = in_handler(1);
  now.handling_for = 900ms;
  row.update(now, start, 0);
  CHECK(row.lints.empty());
  now.handling_for = 1100ms;
  row.update(now, start + 200ms, 0.2);
  CHECK(row.lints.has(lint::stuck));
  CHECK(row.handling_for(start) == 1100ms);
  now.handling_for.reset();
  now.is_asleep = true;
  row.update(now, start + 1s, 0.8);
  CHECK(row.lints.empty());
  CHECK_FALSE(row.handling_for(start + 1s));
}

TEST_CASE("observer lints: a handler that was stuck before anybody looked is seen, too", "[observer]") {
  process_row row;
  row.update(in_handler(0), start, 0);
  row.update(in_handler(0), start + 1s, 1);
  CHECK(row.lints.empty());
  row.update(in_handler(0), start + 2s, 1);
  CHECK(row.lints.has(lint::stuck));
  CHECK(row.busy == 1);
  CHECK(row.handling_for(start + 2s) == 2s); // at least
  row.update(in_handler(1), start + 3s, 1);  // it goes on, and seems to be in the same handler
  CHECK(row.lints.empty());
}

TEST_CASE("observer lints: a queue that grows for 30 s, not one that comes in bursts", "[observer]") {
  queue_growth grows;
  queue_growth bursts;
  for (std::size_t second = 0; second != 30; ++second) {
    CHECK_FALSE(grows.is_growing());
    grows.add(second * 2 + second % 3, start + second * 1s);
    bursts.add(second * 100 * (second % 9 != 0 ? 1 : 0), start + second * 1s);
  }
  grows.add(60, start + 30s);
  CHECK(grows.is_growing());
  CHECK_FALSE(bursts.is_growing());
  grows.add(3, start + 31s); // worked off
  CHECK_FALSE(grows.is_growing());
}

TEST_CASE("observer lints: a mailbox that is full", "[observer]") {
  process_row row;
  row.limit = 10;
  process_sample now;
  now.queue = 10;
  row.update(now, start, 0);
  CHECK(row.lints.has(lint::mailbox_full));
  now.queue = 9;
  row.update(now, start + 1s, 1);
  CHECK(row.lints.empty());
  row.limit = 0;
  now.queue = 1000;
  row.update(now, start + 2s, 1);
  CHECK(row.lints.empty());
}

TEST_CASE("observer lints: a supervisor that is about to give up", "[observer]") {
  recent_restarts recent;
  recent.add(start, 2);
  recent.add(start + 3s, 1);
  CHECK(recent.count(start + 4s, 5s) == 3);
  CHECK(recent.count(start + 6s, 5s) == 1);
  recent.add(start, 1'000'000'000'000); // of which as many are kept as any intensity needs
  CHECK(recent.count(start, 5s) == recent_restarts::most);

  CHECK(is_near_intensity(2, 3));
  CHECK_FALSE(is_near_intensity(1, 3));
  CHECK(is_near_intensity(1, 1));
  CHECK_FALSE(is_near_intensity(0, 1)); // nothing has happened
  CHECK_FALSE(is_near_intensity(0, 0));
}

TEST_CASE("observer lints: the cycle in which a handler waits", "[observer]") {
  using ids = std::vector<std::uint64_t>;
  const wait_graph waits{{1, {2}}, {2, {5, 3}}, {3, {1}}, {4, {2}}, {5, {}}, {6, {6}}};
  CHECK(cycle_through(waits, 1) == ids{1, 2, 3});
  CHECK(cycle_through(waits, 3) == ids{3, 1, 2});
  CHECK(cycle_through(waits, 4).empty()); // waits for one that is in a cycle
  CHECK(cycle_through(waits, 5).empty());
  CHECK(cycle_through(waits, 6) == ids{6});
  CHECK(cycle_through(waits, 7).empty());
}
