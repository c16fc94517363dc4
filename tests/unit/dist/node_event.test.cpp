// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/node_event.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/raw_peer.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/this_coro.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {
namespace eventful {

const std::string a = "a@127.0.0.1";
const std::string b = "b@127.0.0.1";

struct listener {
  struct seen {
    std::vector<std::string> texts;
    std::vector<otpp::exit_reason> reasons;
    event changed;
  };
  using state = std::shared_ptr<seen>;

  static state init(state s) { return s; }
  static void handle_info(const otpp::dist::node_event& one, state& s) {
    s->texts.push_back((one.what == otpp::dist::node_event::kind::up ? "up " : "down ") + one.name);
    s->reasons.push_back(one.reason);
    std::exchange(s->changed, event()).happen();
  }
};

asio::awaitable<void> wait_for(std::shared_ptr<listener::seen> seen, std::size_t number) {
  while (seen->texts.size() < number) {
    event next = seen->changed;
    co_await next.wait();
  }
}

std::error_code code_of_reason(const otpp::exit_reason& why) {
  try {
    if (why.exception()) {
      std::rethrow_exception(why.exception());
    }
  } catch (const std::system_error& error) {
    return error.code();
  } catch (...) {
  }
  return {};
}

using texts = std::vector<std::string>;

} // namespace eventful
} // namespace

TEST_CASE("node_event: a server is told of connections, and why they are lost", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto at_a = std::make_shared<eventful::listener::seen>();
    auto at_b = std::make_shared<eventful::listener::seen>();
    auto first = co_await otpp::start<eventful::listener>(at_a);
    auto second = co_await otpp::start<eventful::listener>(at_b);
    nodes.a.events(first);
    nodes.b.events(second);
    co_await nodes.a.connect(eventful::b);
    co_await nodes.a.connect(eventful::b); // which is nothing new
    co_await eventful::wait_for(at_a, 1);
    co_await eventful::wait_for(at_b, 1);
    CHECK(at_a->texts == eventful::texts{"up b@127.0.0.1"});
    CHECK(at_b->texts == eventful::texts{"up a@127.0.0.1"});

    nodes.a.disconnect(eventful::b);
    co_await eventful::wait_for(at_a, 2);
    co_await eventful::wait_for(at_b, 2);
    CHECK(at_a->texts.back() == "down b@127.0.0.1");
    CHECK(at_b->texts.back() == "down a@127.0.0.1");
    CHECK(eventful::code_of_reason(at_a->reasons.back()) == otpp::errc::no_connection);
    CHECK(eventful::code_of_reason(at_b->reasons.back()) == otpp::errc::no_connection);
    CHECK(at_a->reasons.back().message().find("this node has disconnected it") != std::string::npos);

    co_await code_of(nodes.a.connect("nowhere@127.0.0.1")); // is never up, and so never down
    co_await nodes.b.connect(eventful::a);
    co_await eventful::wait_for(at_a, 3);
    CHECK(at_a->texts == eventful::texts{"up b@127.0.0.1", "down b@127.0.0.1", "up b@127.0.0.1"});
    co_await nodes.b.close();
    co_await eventful::wait_for(at_a, 4);
    CHECK(at_a->texts.back() == "down b@127.0.0.1");
    co_await some_steps();
    CHECK(at_a->texts.size() == 4);
    CHECK(at_b->texts.size() >= 3);
    co_await first.stop();
    co_await second.stop();
  });
}

TEST_CASE("node_event: several servers are told, and none that has ended", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto one = std::make_shared<eventful::listener::seen>();
    auto two = std::make_shared<eventful::listener::seen>();
    auto first = co_await otpp::start<eventful::listener>(one);
    auto second = co_await otpp::start<eventful::listener>(two);
    nodes.a.events(first);
    nodes.a.events(second);
    co_await nodes.a.connect(eventful::b);
    co_await eventful::wait_for(one, 1);
    co_await eventful::wait_for(two, 1);
    co_await first.stop();
    nodes.a.disconnect(eventful::b);
    co_await eventful::wait_for(two, 2);
    CHECK(one->texts.size() == 1);
    co_await second.stop();
  });
}

TEST_CASE("node_event: a peer that connects again was lost before", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto seen = std::make_shared<eventful::listener::seen>();
    auto server = co_await otpp::start<eventful::listener>(seen);
    nodes.a.events(server);
    auto executor = co_await asio::this_coro::executor;
    raw_peer old(executor, "c@127.0.0.1");
    raw_peer fresh(executor, "c@127.0.0.1");
    co_await old.connect(nodes.a.local_endpoint(), eventful::a);
    co_await eventful::wait_for(seen, 1);
    co_await fresh.connect(nodes.a.local_endpoint(), eventful::a);
    co_await eventful::wait_for(seen, 3);
    CHECK(seen->texts == eventful::texts{"up c@127.0.0.1", "down c@127.0.0.1", "up c@127.0.0.1"});
    CHECK(seen->reasons[1].message().find("it has connected again") != std::string::npos);
    co_await old.wait_for_end();
    fresh.socket().close();
    co_await eventful::wait_for(seen, 4);
    CHECK(seen->texts.back() == "down c@127.0.0.1");
    co_await some_steps();
    CHECK(seen->texts.size() == 4);
    co_await server.stop();
  });
}

TEST_CASE("node_event: a handle of no node has no events", "[dist]") {
  run_long([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<eventful::listener>(std::make_shared<eventful::listener::seen>());
    try {
      otpp::dist::node().events(server);
      FAIL("it has events");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::no_process);
    }
    co_await server.stop();
  });
}
