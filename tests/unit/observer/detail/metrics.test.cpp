// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/metrics.hpp>

#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/restarts.hpp>
#include <otpp/observer/detail/usage.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <string>

using namespace std::chrono_literals;
using otpp::detail::metrics_writer;
using otpp::detail::process_row;
using otpp::detail::process_usage;
using otpp::detail::restart_log;

TEST_CASE("observer metrics: any text can be a label", "[observer]") {
  metrics_writer out;
  out.family("otpp_test_total", "counter", "A test.");
  out.sample({{"type", "a\"b\\c\nd"}, {"server", ""}}, std::uint64_t{12345678});
  out.sample({{"type", "\xFF"}, {"server", "s"}}, 0.5);
  out.sample({}, std::uint64_t{0});
  CHECK(
      out.take() ==
      "# HELP otpp_test_total A test.\n"
      "# TYPE otpp_test_total counter\n"
      "otpp_test_total{type=\"a\\\"b\\\\c\\nd\"} 12345678\n"
      "otpp_test_total{type=\"\xEF\xBF\xBD\",server=\"s\"} 0.5\n"
      "otpp_test_total 0\n");
}

TEST_CASE("observer metrics: 200 label sets at most, and nothing is lost", "[observer]") {
  process_usage usage;
  process_row row;
  row.type = "session";
  for (int i = 0; i != 1000; ++i) {
    row.name = "session " + std::to_string(i);
    row.is_named = true;
    usage.add(row, 2, 1ms);
  }
  std::uint64_t messages = 0;
  for (const auto& [whose, sum] : usage.sums()) {
    messages += sum.messages;
    CHECK(whose.first == "session");
  }
  CHECK(messages == 2000);
  CHECK(usage.sums().size() <= 200);
  CHECK(usage.sums().at({"session", ""}).messages >= 1600);
  row.is_named = false; // its name has its id in it
  row.name = "session#1001";
  usage.add(row, 1, 1ms);
  CHECK_FALSE(usage.sums().contains({"session", "session#1001"}));

  std::string types[1000];
  for (int i = 0; i != 1000; ++i) {
    types[i] = "type " + std::to_string(i);
    row.type = types[i];
    usage.add(row, 1, 1ms);
  }
  CHECK(usage.sums().size() <= 200);
}

TEST_CASE("observer metrics: restarts are counted by what new processes say of them", "[observer]") {
  constexpr restart_log::time_point start{1h};
  restart_log log;
  // Before anybody looked it was restarted five times, nobody knows when but for the last one.
  CHECK(log.add(1, "main", 0, "w", 5, start, false) == 1);
  CHECK(log.recent(1, start, 5s) == 1);
  CHECK(log.add(1, "main", 0, "w", 8, start + 1s, true) == 3);
  CHECK(log.add(1, "main", 1, "v", 0, start + 1s, true) == 0);
  CHECK(log.recent(1, start + 1s, 5s) == 4);
  CHECK(log.recent(1, start + 5500ms, 5s) == 3);
  CHECK(log.totals().at({"main", "w"}) == 8);
  log.keep_only([](std::uint64_t id) { return id != 1; });
  CHECK(log.recent(1, start + 1s, 5s) == 0);
  CHECK(log.totals().at({"main", "w"}) == 8); // does not fall
  for (std::uint64_t i = 0; i != 1000; ++i) {
    log.add(i, "s" + std::to_string(i), 0, "w", 1, start, true);
  }
  CHECK(log.totals().size() == 200);
}
