// SPDX-License-Identifier: BSL-1.0

#include <otpp/observer/detail/metrics.hpp>

#include <otpp/observer/detail/handler_times.hpp>
#include <otpp/observer/detail/model.hpp>
#include <otpp/observer/detail/moment.hpp>
#include <otpp/observer/detail/process_row.hpp>
#include <otpp/observer/detail/restarts.hpp>
#include <otpp/observer/detail/usage.hpp>
#include <otpp/otpp.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

using namespace std::chrono_literals;
using otpp::detail::duration_histogram;
using otpp::detail::metrics_writer;
using otpp::detail::observer_model;
using otpp::detail::observer_moment;
using otpp::detail::process_row;
using otpp::detail::process_usage;
using otpp::detail::restart_log;

namespace {

// A model at which somebody looks, a second later each time.
struct watched {
  static inline observer_moment time_now;
  observer_model model;

  explicit watched(bool histograms = false) : model([] { return time_now; }, histograms) {
    time_now = observer_moment::now();
  }

  void second() {
    if (!model.look(100s)) {
      time_now.steady += 1s;
      CHECK(model.tick(false));
    }
  }

  std::string metrics() {
    second();
    return model.metrics().write(model.seen(), model.reports(), model.times());
  }
};

bool has_line(const std::string& text, std::string_view line) {
  return text.find('\n' + std::string(line) + '\n') != std::string::npos;
}

} // namespace

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

TEST_CASE("observer metrics: a histogram has what was below each bound, and all of it", "[observer]") {
  duration_histogram times;
  times.add(10us); // the bound itself
  times.add(11us);
  times.add(400ms);
  times.add(20s);
  metrics_writer out;
  out.family("otpp_test_seconds", "histogram", "A test.");
  out.histogram({"type", "a\"b"}, times);
  CHECK(
      out.take() ==
      "# HELP otpp_test_seconds A test.\n"
      "# TYPE otpp_test_seconds histogram\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"1e-05\"} 1\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"5e-05\"} 2\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"0.0001\"} 2\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"0.0005\"} 2\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"0.001\"} 2\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"0.005\"} 2\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"0.01\"} 2\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"0.05\"} 2\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"0.1\"} 2\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"0.5\"} 3\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"1\"} 3\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"5\"} 3\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"10\"} 3\n"
      "otpp_test_seconds_bucket{type=\"a\\\"b\",le=\"+Inf\"} 4\n"
      "otpp_test_seconds_sum{type=\"a\\\"b\"} 20.400021\n"
      "otpp_test_seconds_count{type=\"a\\\"b\"} 4\n");
}

TEST_CASE("observer metrics: handlers and waits are measured where that is wanted", "[observer]") {
  watched here(true);
  CHECK(otpp::detail::is_tracing());
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    event go_on;
    co_await otpp::cast<scribe::hold>(server, go_on);
    co_await otpp::cast<scribe::note>(server, "waits");
    co_await until([&] { return go_on.is_awaited(); });
    asio::steady_timer pause(co_await asio::this_coro::executor, 60ms);
    co_await pause.async_wait(asio::use_awaitable);
    go_on.happen();
    int answer = co_await otpp::call<scribe::ask>(server, 1);
    CHECK(answer == 1);
    co_await server.stop();
  });
  const std::string text = here.metrics();
  CHECK(has_line(text, "otpp_handler_duration_seconds_count{type=\"scribe\"} 3"));
  CHECK(has_line(text, "otpp_handler_duration_seconds_bucket{type=\"scribe\",le=\"0.05\"} 2"));
  CHECK(has_line(text, "otpp_mailbox_wait_seconds_count{type=\"scribe\"} 3"));
  CHECK(has_line(text, "otpp_mailbox_wait_seconds_bucket{type=\"scribe\",le=\"0.05\"} 2"));
}

TEST_CASE("observer metrics: else nothing is traced", "[observer]") {
  watched here;
  here.second();
  CHECK_FALSE(otpp::detail::is_tracing());
  CHECK(here.metrics().find("_bucket") == std::string::npos);
}

TEST_CASE("observer metrics: calls that fail are counted by type and code", "[observer]") {
  watched here;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    for (int n = 0; n != 2; ++n) {
      std::error_code code = co_await code_of(otpp::call<scribe::drop>(server));
      CHECK(code == otpp::errc::no_reply);
    }
    kept_caller kept = keep_caller();
    std::error_code code = co_await code_of(otpp::call_for<scribe::keep>(server, 1ms, kept));
    CHECK(code == otpp::errc::timeout);
    code = co_await code_of(otpp::send<scribe::note>("none", "lost"));
    CHECK(code == otpp::errc::no_process);
    co_await server.stop();
  });
  const std::string text = here.metrics();
  CHECK(has_line(text, "otpp_call_failures_total{type=\"scribe\",code=\"no_reply\"} 2"));
  CHECK(has_line(text, "otpp_call_failures_total{type=\"scribe\",code=\"timeout\"} 1"));
  CHECK(has_line(text, "otpp_call_failures_total{code=\"no_process\"} 1"));
}

TEST_CASE("observer metrics: a process that is seen while it ends has started once", "[observer]") {
  for (bool is_seen_before : {false, true}) {
    watched here;
    std::string at_its_end;
    // Told after the observer, and while the process can still be visited.
    otpp::subscription ends =
        otpp::subscribe<otpp::process_ended>([&](const auto&) { at_its_end = here.metrics(); });
    run([&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<counter>(0);
      if (is_seen_before) {
        CHECK(has_line(here.metrics(), "otpp_processes{type=\"counter\"} 1"));
      }
      co_await server.stop();
    });
    for (const std::string& text : {at_its_end, here.metrics()}) {
      CHECK(has_line(text, "otpp_process_starts_total{type=\"counter\"} 1"));
      CHECK(has_line(text, "otpp_process_exits_total{type=\"counter\",reason=\"normal\"} 1"));
      CHECK_FALSE(has_line(text, "otpp_processes{type=\"counter\"} 1"));
    }
  }
}

TEST_CASE("observer: the first sample of a new process has its rate", "[observer]") {
  watched here;
  here.second();
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    for (int n = 1; n <= 10; ++n) {
      int sum = co_await otpp::call<counter::add>(server, 1);
      CHECK(sum == n);
    }
    here.second();
    REQUIRE(here.model.seen().rows().size() == 1);
    CHECK(here.model.seen().rows()[0].rate > 5); // it has lived for a second, or a bit more
    CHECK(here.model.seen().totals().messages > 5);
    co_await server.stop();
  });
}
