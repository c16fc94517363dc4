// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/outbound_monitors.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/monitor.hpp>

#include "support/agents.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {
namespace far_monitors {

const std::string a = "a@127.0.0.1";
const std::string b = "b@127.0.0.1";

// The agent at a monitors this one.
asio::awaitable<void> watch(two_agents& s, otpp::pid who) {
  agent::watch whom{std::move(who)};
  co_await otpp::call(s.a, whom);
}

// Another agent at b, as a knows it.
asio::awaitable<otpp::pid> start_at_b(two_agents& s) {
  otpp::server_ref<agent> made = co_await otpp::start<agent>(std::make_shared<agent::seen>());
  otpp::pid far = co_await s.known_at_a(made);
  co_return far;
}

asio::awaitable<void> wait_until_parted(two_agents& s) {
  co_await until_later([&] { return s.nodes.a.peers().empty() && s.nodes.b.peers().empty(); });
}

// Node a has been told all that node b has sent it before. By a name: the pid may be that of one that has ended.
asio::awaitable<void> settle(two_agents& s) {
  co_await otpp::call<agent::get>(s.nodes.b.remote("agent", a));
  co_await some_steps();
}

} // namespace far_monitors
} // namespace

TEST_CASE("outbound_monitors: a process elsewhere ends, and its monitor is told why, once", "[dist]") {
  struct how {
    const char* reason;
    const char* text;
  };
  for (how each :
       {how{"normal", "down: normal"}, how{"shutdown", "down: shutdown"},
        how{"disk_full", "down: {disk_full,7}"}, how{"boom", "down: {exception,<<\"boom\">>}"},
        how{"kill", "down: killed"}}) {
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      co_await far_monitors::watch(s, s.far_b);
      co_await s.settle();
      CHECK(s.seen_a->told.empty());
      if (std::string(each.reason) == "kill") {
        otpp::kill(s.b);
      } else {
        co_await s.b.stop(reason_called(each.reason));
      }
      std::string text = co_await s.told(s.seen_a, 1);
      CHECK(text == each.text);
      CHECK(s.seen_a->told[0].who == s.far_b);
      co_await far_monitors::settle(s);
      CHECK(s.seen_a->told.size() == 1);
      CHECK(s.far_b.has_ended());
    });
  }
}

TEST_CASE("outbound_monitors: several monitors of one process are told each", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    auto seen = std::make_shared<agent::seen>();
    otpp::server_ref<agent> other = co_await otpp::start<agent>(seen);
    agent::watch whom{s.far_b};
    co_await otpp::call(s.a, whom);
    co_await otpp::call(s.a, whom);
    co_await otpp::call(other, whom);
    co_await s.settle();
    co_await s.b.stop();
    std::string last = co_await s.told(s.seen_a, 2);
    CHECK(last == "down: normal");
    last = co_await s.told(seen, 1);
    CHECK(last == "down: normal");
    co_await far_monitors::settle(s);
    CHECK(s.seen_a->told.size() == 2);
    CHECK(seen->told.size() == 1);
    co_await other.stop();
  });
}

TEST_CASE("outbound_monitors: a monitor that was removed is not told", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await far_monitors::watch(s, s.far_b);
    co_await s.settle();
    bool was_set = co_await otpp::call<agent::unwatch>(s.a);
    CHECK(was_set);
    was_set = co_await otpp::call<agent::unwatch>(s.a);
    CHECK_FALSE(was_set);
    co_await s.b.stop();
    co_await until_later([&] { return s.far_b.has_ended(); });
    co_await far_monitors::settle(s);
    CHECK(s.seen_a->told.empty());
  });
}

TEST_CASE("outbound_monitors: a process that has ended before is told of at once", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    // Here it is known by a pid that nobody has used.
    otpp::server_ref<agent> brief = co_await otpp::start<agent>(std::make_shared<agent::seen>());
    otpp::pid far = co_await s.known_at_a(brief);
    co_await brief.stop();
    co_await far_monitors::watch(s, far);
    std::string text = co_await s.told(s.seen_a, 1);
    CHECK(text == "down: no process");
    CHECK(s.seen_a->told[0].who == far);
    // Now its end is known here, too.
    CHECK(far.has_ended());
    co_await far_monitors::watch(s, far);
    text = co_await s.told(s.seen_a, 2);
    CHECK(text == "down: no process");
    co_await far_monitors::settle(s);
    CHECK(s.seen_a->told.size() == 2);
  });
}

TEST_CASE("outbound_monitors: a connection is lost, and each monitor is told once", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    otpp::pid other = co_await far_monitors::start_at_b(s);
    for (std::size_t round = 0; round != 4; ++round) {
      s.seen_a->told.clear();
      co_await far_monitors::watch(s, s.far_b); // connects again
      co_await far_monitors::watch(s, other);
      co_await otpp::call<agent::get>(s.far_b);
      co_await otpp::call<agent::get>(other);
      CHECK(s.seen_a->told.empty());
      (round % 2 == 0 ? s.nodes.a : s.nodes.b).disconnect(round % 2 == 0 ? far_monitors::b : far_monitors::a);
      std::string first = co_await s.told(s.seen_a, 1);
      std::string second = co_await s.told(s.seen_a, 2);
      CHECK(first == "down: no connection");
      CHECK(second == "down: no connection");
      CHECK(s.seen_a->told[0].who != s.seen_a->told[1].who);
      co_await far_monitors::wait_until_parted(s);
      CHECK_FALSE(s.far_b.has_ended());
      CHECK_FALSE(other.has_ended());
      co_await otpp::call<agent::get>(s.far_b);
      co_await s.settle();
      CHECK(s.seen_a->told.size() == 2);
    }
    // Those were all.
    s.seen_a->told.clear();
    co_await s.b.stop();
    co_await until_later([&] { return s.far_b.has_ended(); });
    co_await far_monitors::settle(s);
    CHECK(s.seen_a->told.empty());
  });
}

TEST_CASE("outbound_monitors: the other's node is closed, or its own", "[dist]") {
  for (bool is_own : {false, true}) {
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      co_await far_monitors::watch(s, s.far_b);
      co_await s.settle();
      co_await (is_own ? s.nodes.a : s.nodes.b).close();
      co_await s.told(s.seen_a, 1);
      co_await some_steps();
      CHECK(s.seen_a->told.size() == 1);
      CHECK(s.seen_a->told[0].who == s.far_b);
      CHECK(s.far_b.has_ended() == is_own);
      if (!is_own) {
        CHECK(s.seen_a->told[0].text == "down: no connection");
        co_await far_monitors::watch(s, s.far_b); // cannot be reached
        std::string again = co_await s.told(s.seen_a, 2);
        CHECK(again == "down: no connection");
      }
    });
  }
}

TEST_CASE("outbound_monitors: a monitor connects, and without a way to it is told at once", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    s.nodes.a.disconnect(far_monitors::b);
    co_await far_monitors::wait_until_parted(s);
    co_await far_monitors::watch(s, s.far_b);
    co_await until_later([&] { return s.nodes.a.peers().size() == 1; });
    co_await s.settle();
    CHECK(s.seen_a->told.empty());
    co_await s.b.stop();
    std::string text = co_await s.told(s.seen_a, 1);
    CHECK(text == "down: normal");
  });
}

TEST_CASE("outbound_monitors: the monitoring process ends first", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await far_monitors::watch(s, s.far_b);
    co_await s.settle();
    co_await s.a.stop();
    co_await s.b.stop();
    co_await until_later([&] { return s.far_b.has_ended(); });
    CHECK(s.seen_a->told.empty());
  });
}

TEST_CASE("outbound_monitors: a gap is told before what follows it", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    for (int round = 0; round != 20; ++round) {
      s.seen_a->told.clear();
      co_await far_monitors::watch(s, s.far_b);
      co_await s.settle();
      // Connected again as fast as can be: by the other side.
      s.nodes.a.disconnect(far_monitors::b);
      std::error_code code;
      do {
        code = co_await code_of(
            otpp::call_for<agent::get>(s.nodes.b.remote("agent", far_monitors::a), std::chrono::seconds(60)));
      } while (code);
      std::string text = co_await s.told(s.seen_a, 1);
      CHECK(text == "down: no connection");
      co_await otpp::call<agent::get>(s.far_b);
      CHECK(s.seen_a->told.size() == 1);
    }
  });
}
