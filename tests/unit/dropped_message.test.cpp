// SPDX-License-Identifier: BSL-1.0

#include <otpp/dropped_message.hpp>

#include <otpp/crash_report.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/timer.hpp>

#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

using namespace std::chrono_literals;

TEST_CASE(
    "dropped_message: each that a server leaves behind is told, before the number", "[dropped_message]") {
  std::vector<otpp::dropped_message> dropped;
  std::size_t told_before = 0;
  otpp::subscription messages = otpp::subscribe<otpp::dropped_message>(
      [&](const otpp::dropped_message& one) { dropped.push_back(one); });
  otpp::subscription crashes = otpp::subscribe<otpp::crash_report>([&](const otpp::crash_report& report) {
    told_before = dropped.size();
    CHECK(report.dropped == 2);
  });
  run([&]() -> asio::awaitable<void> {
    event go_on;
    auto server = co_await otpp::start<scribe>(otpp::named("leaves"), journal());
    co_await otpp::cast<scribe::hold>(server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    co_await otpp::cast<scribe::note>(server, "left");
    co_await otpp::cast<scribe::note>(server, "left, too");
    pending<int> queued; // its caller is told
    otpp::call<scribe::ask>(server, 1, queued.token());
    otpp::send_after(0s, server, scribe::note{"of a timer"});
    co_await some_steps();
    otpp::exit(server, otpp::exit_reason::shutdown());
    go_on.happen();
    co_await server.join();
    REQUIRE(dropped.size() == 2);
    CHECK(dropped[0].id == server.id());
    CHECK(dropped[0].message == "scribe::note");
    CHECK(dropped[0].text().find("otpp: \"leaves\" has ended without handling scribe::note") == 0);
  });
  CHECK(told_before == 2);
}

TEST_CASE("dropped_message: one that has waited for room is told like the others", "[dropped_message]") {
  std::vector<otpp::dropped_message> dropped;
  otpp::subscription messages = otpp::subscribe<otpp::dropped_message>(
      [&](const otpp::dropped_message& one) { dropped.push_back(one); });
  run([&]() -> asio::awaitable<void> {
    event first;
    event second;
    auto server = co_await otpp::start<scribe>(otpp::options().mailbox_limit(1), journal());
    co_await otpp::cast<scribe::hold>(server, first);
    co_await until([&] { return first.is_awaited(); });
    CHECK(otpp::try_cast<scribe::hold>(server, second)); // fills it
    pending<> sent;
    otpp::cast<scribe::note>(server, "left", sent.token());
    co_await some_steps();
    CHECK_FALSE(sent.is_done());
    first.happen();
    co_await sent.get();
    co_await until([&] { return second.is_awaited(); });
    otpp::exit(server, otpp::exit_reason::shutdown());
    second.happen();
    co_await server.join();
    REQUIRE(dropped.size() == 1);
    CHECK(dropped[0].message == "scribe::note");
    CHECK(sent.times() == 1);
  });
}
