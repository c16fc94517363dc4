// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/crash_log.hpp>

#include <otpp/crash_report.hpp>
#include <otpp/observer/detail/reports.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using otpp::detail::crash_log;
using otpp::detail::observer_reports;
using otpp::detail::reported;

namespace {

using crashes = otpp::detail::topic<otpp::crash_report>;

otpp::crash_report crash(const std::string& reason, std::uint64_t id = 7, std::string_view name = {}) {
  otpp::crash_report made{otpp::exit_reason(std::runtime_error(reason))};
  made.callbacks = "counter";
  made.id = id;
  made.name = name;
  return made;
}

void add(crash_log& log, const otpp::crash_report& report, double unix_time) {
  log.add(report, report.reason.message(), unix_time);
}

} // namespace

TEST_CASE("observer crash log: the same crash is folded, the newest stands first", "[observer]") {
  crash_log log;
  otpp::crash_report first = crash("a");
  first.dropped = 2;
  add(log, first, 1);
  add(log, crash("b"), 2);
  otpp::crash_report again = crash("a", 8, "named");
  again.dropped = 1;
  add(log, again, 3);
  REQUIRE(log.crashes().size() == 2);
  const otpp::detail::folded_crash& newest = log.crashes()[0];
  CHECK(newest.reason == "a");
  CHECK(newest.count == 2);
  CHECK(newest.dropped == 3);
  CHECK(newest.id == 8);
  CHECK(newest.server == "\"named\"");
  CHECK(newest.first == 1);
  CHECK(newest.last == 3);
  CHECK(log.crashes()[1].server == "counter#7");
  CHECK(log.total() == 3);
}

TEST_CASE("observer crash log: it keeps a hundred crashes, and no text is long", "[observer]") {
  crash_log log;
  for (int i = 0; i != 150; ++i) {
    add(log, crash(std::to_string(i)), i);
  }
  add(log, crash(std::string(1'000'000, 'x')), 150);
  CHECK(log.crashes().size() == 100);
  CHECK(log.crashes()[0].reason.size() < 1100);
  CHECK(log.crashes()[1].reason == "149");
  CHECK(log.total() == 151);
}

TEST_CASE("observer reports: who observes takes no line from stderr", "[observer]") {
  std::string printed;
  {
    captured_stderr capture;
    observer_reports one;
    observer_reports another;
    crashes::tell(crash("seen"));
    printed = capture.text();
    CHECK(one.read([](const reported& known) { return known.crashes.total(); }) == 1);
    CHECK(another.read([](const reported& known) { return known.crashes.total(); }) == 1);
  }
  CHECK(printed == crash("seen").text() + '\n');

  captured_stderr capture;
  observer_reports one;
  int heard = 0;
  otpp::subscription log = otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report&) { ++heard; });
  crashes::tell(crash("heard"));
  CHECK(capture.text().empty()); // as without an observer
  CHECK(heard == 1);
}

TEST_CASE("observer reports: labels are not more than so many", "[observer]") {
  std::map<std::string, int, std::less<>> numbers;
  for (int i = 0; i != 1000; ++i) {
    reported::counted(numbers, "type " + std::to_string(i)) += 1;
  }
  CHECK(numbers.size() == reported::most_labels + 1);
  CHECK(numbers["other"] == 1000 - 200);
}

TEST_CASE("observer reports: it may end while others report", "[observer]") {
  captured_stderr capture;
  std::thread other([] {
    for (int i = 0; i != 200; ++i) {
      crashes::tell(crash("x"));
    }
  });
  for (int i = 0; i != 50; ++i) {
    auto passing = std::make_unique<observer_reports>();
    passing->keep_ends(true);
  }
  other.join();
}
