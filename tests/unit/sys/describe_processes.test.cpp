// SPDX-License-Identifier: BSL-1.0

#include <otpp/sys/describe_processes.hpp>

#include <otpp/otpp.hpp>
#include <otpp/sys/counting.hpp>

#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <cstdint>
#include <regex>
#include <string>

namespace {

struct dreamer {
  struct dream {
    event until;
  };
  struct poke {};
  struct ask {
    using reply_type = int;
  };
  int init() { return 0; }
  asio::awaitable<void> handle_cast(dream m, int&) { co_await m.until.wait(); }
  void handle_cast(poke, int&) {}
  int handle_call(ask, int&) { return 1; }
};

struct asker {
  struct go {
    otpp::server_ref<dreamer> whom;
  };
  int init() { return 0; }
  asio::awaitable<void> handle_cast(go m, int&) {
    co_await otpp::call(m.whom, dreamer::ask{}, otpp::infinite);
  }
};

bool has_line(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, std::regex("(^|\n)" + pattern + "\n"));
}

} // namespace

TEST_CASE("describe_processes: says what each does, and for whom it waits", "[sys]") {
  run([]() -> asio::awaitable<void> {
    otpp::counting counted;
    event until;
    auto sleeper = co_await otpp::start<dreamer>(otpp::named("describe a"));
    auto unnamed = co_await otpp::start<asker>();
    auto idle = co_await otpp::start<dreamer>();
    co_await otpp::cast<dreamer::dream>(sleeper, until);
    co_await otpp::cast<asker::go>(unnamed, sleeper);
    co_await otpp::cast<dreamer::poke>(sleeper);
    co_await some_steps();
    std::string text = otpp::describe_processes();
    INFO(text);
    CHECK(has_line(
        text, R"("describe a" \(.*dreamer\): handles .*dreamer::dream for \d+\.\d s, 2 in its mailbox)"));
    CHECK(has_line(
        text, R"(.*asker#\d+: handles .*asker::go for \d+\.\d s, needs "describe a" \(.*dreamer\))"));
    CHECK(has_line(text, R"(.*dreamer#\d+: waits)"));
    until.happen();
    co_await unnamed.stop();
    co_await sleeper.stop();
    co_await idle.stop();
  });
}

TEST_CASE("describe_processes: shows the oldest, and says how many more there are", "[sys]") {
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<dreamer>(otpp::named("describe \n b"));
    auto second = co_await otpp::start<dreamer>(otpp::named("describe c"));
    std::string text = otpp::describe_processes(1);
    CHECK(
        text ==
        "\"describe \\n b\" (" + std::string(otpp::processes().front().type) + "): waits\nand 1 more\n");
    CHECK(otpp::describe_processes(0) == "and 2 more\n");
    co_await second.stop();
    co_await first.stop();
  });
  CHECK(otpp::describe_processes().empty());
}
