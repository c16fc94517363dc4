// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/peer_presence.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/agents.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace {
namespace presence {

const std::string a = "a@127.0.0.1";
const std::string b = "b@127.0.0.1";

asio::awaitable<void> watch(two_agents& s, otpp::pid who) {
  agent::watch whom{std::move(who)};
  co_await otpp::call(s.a, whom);
}

asio::awaitable<void> wait_until_parted(two_agents& s) {
  co_await until_later([&] { return s.nodes.a.peers().empty() && s.nodes.b.peers().empty(); });
}

} // namespace presence
} // namespace

TEST_CASE("peer_presence: a peer is monitored, and its loss is told once", "[dist]") {
  for (int how = 0; how != 3; ++how) { // who ends the connection
    with_two_agents([&](two_agents& s) -> asio::awaitable<void> {
      INFO(how);
      otpp::pid peer = s.nodes.a.peer(presence::b);
      REQUIRE(peer);
      co_await presence::watch(s, peer);
      co_await s.settle();
      CHECK(s.seen_a->told.empty());
      CHECK_FALSE(peer.has_ended());
      if (how == 0) {
        s.nodes.a.disconnect(presence::b);
      } else if (how == 1) {
        s.nodes.b.disconnect(presence::a);
      } else {
        co_await s.nodes.b.close();
      }
      std::string text = co_await s.told(s.seen_a, 1);
      CHECK(text == "down: no connection");
      CHECK(s.seen_a->told[0].who == peer);
      CHECK(peer.has_ended());
      if (how == 2) {
        co_return;
      }
      co_await presence::wait_until_parted(s);
      co_await s.settle(); // another connection is another presence
      CHECK(s.seen_a->told.size() == 1);
      otpp::pid again = s.nodes.a.peer(presence::b);
      CHECK(again != peer);
      co_await presence::watch(s, again);
      co_await s.settle();
      CHECK(s.seen_a->told.size() == 1);
    });
  }
}

TEST_CASE("peer_presence: connects, if there is no connection", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    s.nodes.a.disconnect(presence::b);
    co_await presence::wait_until_parted(s);
    otpp::pid peer = s.nodes.a.peer(presence::b);
    co_await presence::watch(s, peer);
    co_await until_later([&] { return s.nodes.a.peers().size() == 1; });
    co_await s.settle();
    CHECK(s.seen_a->told.empty());
    CHECK_FALSE(peer.has_ended());
  });
}

TEST_CASE("peer_presence: a peer that cannot be reached is told of at once, with the reason", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    co_await s.nodes.b.close();
    co_await until_later([&] { return s.nodes.a.peers().empty(); });
    co_await some_steps(); // the node has heard of it, too
    otpp::pid peer = s.nodes.a.peer(presence::b);
    co_await presence::watch(s, peer);
    std::string text = co_await s.told(s.seen_a, 1);
    CHECK(text == "down: no connection");
    otpp::exit_reason why = co_await peer.join();
    CHECK(why.message().find("nobody answers at 127.0.0.1 port") != std::string::npos);

    // The resolver knows no such node; what it throws is the reason.
    peer = s.nodes.a.peer("nowhere@127.0.0.1");
    why = co_await peer.join();
    CHECK(why.message().find("the table has no nowhere@127.0.0.1") != std::string::npos);
  });
}

TEST_CASE("peer_presence: who is linked with a peer ends when it is lost", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    agent::tie whom{s.nodes.a.peer(presence::b)};
    co_await otpp::call(s.a, whom);
    co_await s.settle();
    CHECK_FALSE(s.a.has_ended());
    s.nodes.b.disconnect(presence::a);
    otpp::exit_reason why = co_await s.a.join();
    CHECK(text_of(why) == "no connection");
  });
}

TEST_CASE("peer_presence: is over with its own node", "[dist]") {
  with_two_agents([](two_agents& s) -> asio::awaitable<void> {
    otpp::pid peer = s.nodes.a.peer(presence::b);
    pending<otpp::exit_reason> joined;
    peer.join(joined.token());
    co_await s.settle();
    CHECK_FALSE(joined.is_done());
    co_await s.nodes.a.close();
    co_await joined.get();
    CHECK(joined.times() == 1);
    CHECK_FALSE(s.nodes.a.peer(presence::b)); // closed
    CHECK_FALSE(otpp::dist::node().peer(presence::b));
    CHECK_THROWS_AS(s.nodes.b.peer("no name"), std::invalid_argument);
  });
}
