// SPDX-License-Identifier: BSL-1.0

#include <otpp/process_report.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/spawn.hpp>
#include <otpp/registry/registry.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// Keeps what is told of processes.
struct lives {
  std::vector<otpp::process_started> started;
  std::vector<otpp::process_ended> ended;
  otpp::subscription starts = otpp::subscribe<otpp::process_started>(
      [this](const otpp::process_started& one) { started.push_back(one); });
  otpp::subscription ends =
      otpp::subscribe<otpp::process_ended>([this](const otpp::process_ended& one) { ended.push_back(one); });
};

struct unfortunate {
  int init() { throw std::runtime_error("no luck"); }
};

struct founder {
  struct found {
    using reply_type = std::uint64_t;
  };
  int init() { return 0; }
  asio::awaitable<std::uint64_t> handle_call(found, int&) {
    auto child = co_await otpp::start_link<scribe>(journal());
    co_return child.id();
  }
};

} // namespace

TEST_CASE("process_report: a server's start and end are told", "[process_report]") {
  lives all;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(otpp::named("told"), journal());
    REQUIRE(all.started.size() == 1);
    CHECK(all.started[0].id == server.id());
    CHECK(all.started[0].process == server.describe());
    CHECK(all.started[0].type == "scribe");
    CHECK(all.started[0].parent == 0);
    CHECK(all.started[0].text() == "otpp: \"told\" starts");
    CHECK(all.ended.empty());
    otpp::exit_reason why = otpp::exit_reason::shutdown("drained");
    co_await server.stop(why);
    REQUIRE(all.ended.size() == 1);
    CHECK(all.ended[0].id == server.id());
    CHECK(all.ended[0].type == "scribe");
    CHECK(all.ended[0].reason == why);
    CHECK(all.ended[0].text() == "otpp: \"told\" has ended: shutdown: drained");
  });
  CHECK(all.started.size() == 1);
}

TEST_CASE(
    "process_report: the end is told before anybody hears of it, and the name is free", "[process_report]") {
  bool was_told = false;
  bool is_free = false;
  std::optional<otpp::pid> who;
  std::optional<bool> had_ended;
  otpp::subscription ends = otpp::subscribe<otpp::process_ended>([&](const otpp::process_ended&) {
    was_told = true;
    is_free = !otpp::whereis<scribe>("passing");
  });
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(otpp::named("passing"), journal());
    server.join([&](std::exception_ptr, otpp::exit_reason) { had_ended = was_told; });
    co_await server.stop();
    CHECK(was_told);
    CHECK(is_free);
  });
  CHECK(had_ended == true);
}

TEST_CASE("process_report: whatever runs is told of, and ends as it has started", "[process_report]") {
  lives all;
  crash_log quiet;
  run([&]() -> asio::awaitable<void> {
    SECTION("an init that fails") {
      try {
        co_await otpp::start<unfortunate>();
      } catch (const std::runtime_error&) {
      }
      REQUIRE(all.ended.size() == 1);
      CHECK(all.ended[0].reason.message() == "no luck");
    }
    SECTION("a spawned coroutine") {
      auto body = []() -> asio::awaitable<void> { co_return; };
      auto process = co_await otpp::spawn(body);
      co_await process.join();
      REQUIRE(all.ended.size() == 1);
      CHECK(all.ended[0].type == "otpp::spawned");
    }
    SECTION("a child with a link") {
      auto parent = co_await otpp::start<founder>();
      std::uint64_t child = co_await otpp::call<founder::found>(parent);
      REQUIRE(all.started.size() == 2);
      CHECK(all.started[1].id == child);
      CHECK(all.started[1].parent == parent.id());
      otpp::kill(parent);
      co_await parent.join();
    }
  });
  CHECK(all.started.size() == all.ended.size());
}

TEST_CASE("process_report: the end of a context is an end", "[process_report]") {
  lives all;
  {
    asio::io_context context;
    otpp::start<scribe>(journal(), asio::bind_executor(context, [](std::exception_ptr, auto) {}));
    context.run();
    REQUIRE(all.started.size() == 1);
    // This one never runs.
    otpp::start<scribe>(journal(), asio::bind_executor(context, [](std::exception_ptr, auto) {}));
  }
  CHECK(all.started.size() == 1);
  REQUIRE(all.ended.size() == 1);
  CHECK(all.ended[0].id == all.started[0].id);
}
