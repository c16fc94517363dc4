// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/peer_outbox.hpp>

#include <otpp/dist.hpp>
#include <otpp/dist/detail/incoming_fragments.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/probe.hpp"
#include "support/raw_peer.hpp"

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace kept {

struct note {
  int n;
  static constexpr auto term = otpp::as::tagged("note");
};
struct noted {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("noted");
};
struct load {
  std::string words;
  static constexpr auto term = otpp::as::tagged("load");
};

// Counts notes that come in order.
struct reader {
  using messages = otpp::message_list<note, noted, load>;
  struct state {
    int notes = 0;
    bool in_order = true;
  };
  static state init() { return {}; }
  static int handle_call(noted, state& s) { return s.in_order ? s.notes : -1; }
  static void handle_cast(note m, state& s) { s.in_order = m.n == ++s.notes && s.in_order; }
  static void handle_info(note m, state& s) { s.in_order = m.n == ++s.notes && s.in_order; }
  static void handle_cast(const load&, state&) {}
};

// Says where b is when the test does.
otpp::dist::node_options slow_options(const node_table& table, const event& when) {
  otpp::dist::node_options how = table.options("a@127.0.0.1");
  auto find = how.resolver();
  how.resolver([when, find](std::string node) -> asio::awaitable<asio::ip::tcp::endpoint> {
    return [](event until_then, auto look, std::string name) -> asio::awaitable<asio::ip::tcp::endpoint> {
      co_await until_then.wait();
      asio::awaitable<asio::ip::tcp::endpoint> found = look(name);
      asio::ip::tcp::endpoint where = co_await std::move(found);
      co_return where;
    }(when, find, std::move(node));
  });
  return how;
}

} // namespace kept
} // namespace

TEST_CASE("peer_outbox: 10^4 casts and messages, then a call, in order", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto server = co_await otpp::start<kept::reader>();
    nodes.b.publish(server, "reader");
    auto to = nodes.a.remote("reader", "b@127.0.0.1");
    for (int n = 1; n <= 10'000; n += 2) {
      co_await otpp::cast<kept::note>(to, n);
      co_await otpp::send<kept::note>(to, n + 1);
    }
    int notes = co_await otpp::call_for<kept::noted>(to, 60s);
    CHECK(notes == 10'000);
  });
}

TEST_CASE("peer_outbox: what is sent while it connects comes first, and in order", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    two_nodes nodes;
    event known;
    nodes.a = co_await nodes.table.open(kept::slow_options(nodes.table, known));
    nodes.b = co_await nodes.table.open("b@127.0.0.1");
    auto server = co_await otpp::start<kept::reader>();
    nodes.b.publish(server, "reader");
    auto to = nodes.a.remote("reader", "b@127.0.0.1");
    for (int n = 1; n <= 500; ++n) {
      co_await otpp::cast<kept::note>(to, n);
    }
    pending<int> between;
    otpp::call_for<kept::noted>(to, 60s, between.token());
    for (int n = 501; n <= 1000; ++n) {
      co_await otpp::cast<kept::note>(to, n);
    }
    CHECK(nodes.a.peers().empty());
    known.happen();
    int sent = 1000;
    while (nodes.b.peers().empty() ||
           sent % 100 != 0) { // at each step on the way, also right before it knows that it is connected
      CHECK(otpp::try_cast<kept::note>(to, ++sent));
      co_await asio::post(asio::use_awaitable);
    }
    int first = co_await between.get();
    CHECK(first == 500);
    int all = co_await otpp::call_for<kept::noted>(to, 60s);
    CHECK(all == sent);
    co_await close_two_nodes(nodes);
  });
}

TEST_CASE("peer_outbox: a call times out while it connects", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    two_nodes nodes;
    event known;
    nodes.a = co_await nodes.table.open(kept::slow_options(nodes.table, known));
    nodes.b = co_await nodes.table.open("b@127.0.0.1");
    auto server = co_await otpp::start<kept::reader>();
    nodes.b.publish(server, "reader");
    auto to = nodes.a.remote("reader", "b@127.0.0.1");
    std::error_code code = co_await code_of(otpp::call_for<kept::noted>(to, 20ms));
    CHECK(code == otpp::errc::timeout);
    known.happen();
    int none = co_await otpp::call_for<kept::noted>(to, 60s);
    CHECK(none == 0);
    co_await close_two_nodes(nodes);
  });
}

TEST_CASE("peer_outbox: a node is closed while it connects, and each call ends once", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    event never;
    otpp::dist::node a = co_await table.open(kept::slow_options(table, never));
    std::vector<pending<int>> calls(5);
    for (pending<int>& each : calls) {
      each = pending<int>();
      otpp::call_for<kept::noted>(a.remote("reader", "b@127.0.0.1"), 60s, each.token());
    }
    auto connecting = in_background(co_await asio::this_coro::executor, a.connect("b@127.0.0.1"));
    for (int step = 0; step != 20; ++step) {
      co_await asio::post(asio::use_awaitable);
    }
    co_await a.close();
    for (pending<int>& each : calls) {
      std::error_code code = co_await each.code();
      CHECK((code == otpp::errc::no_connection || code == otpp::errc::exited));
      CHECK(each.times() == 1);
    }
    std::error_code code = co_await connecting.code();
    CHECK(code);
  });
}

TEST_CASE("peer_outbox: while it connects, senders wait, and nothing is lost", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    two_nodes nodes;
    event known;
    otpp::dist::node_options how = kept::slow_options(nodes.table, known);
    otpp::dist::node_limits limits;
    limits.unsent = 100'000;
    nodes.a = co_await nodes.table.open(how.limits(limits));
    nodes.b = co_await nodes.table.open("b@127.0.0.1");
    auto server = co_await otpp::start<kept::reader>();
    nodes.b.publish(server, "reader");
    auto to = nodes.a.remote("reader", "b@127.0.0.1");
    for (int n = 0; n != 20; ++n) {
      co_await otpp::cast<kept::load>(to, std::string(10'000, 'x'));
    }
    int sent = 0;
    while (otpp::try_cast<kept::note>(to, sent + 1)) {
      ++sent;
      co_await asio::post(asio::use_awaitable);
      REQUIRE(sent < 2 * 1000);
    }
    CHECK(sent >= 900); // a thousand, with what was there
    pending<> waits;
    otpp::cast(to, kept::note{sent + 1}, waits.token());
    for (int step = 0; step != 20; ++step) {
      co_await asio::post(asio::use_awaitable);
    }
    CHECK_FALSE(waits.is_done());
    known.happen();
    co_await waits.get();
    int all = co_await otpp::call_for<kept::noted>(to, 60s);
    CHECK(all == sent + 1);
    CHECK(nodes.a.statistics().dropped == 0);
    co_await close_two_nodes(nodes);
  });
}

TEST_CASE("peer_outbox: above the watermark senders wait until the peer reads", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.watermarks(100'000, 10'000));
    raw_peer slow(co_await asio::this_coro::executor, "raw@127.0.0.1");
    co_await slow.connect(a.local_endpoint(), "a@127.0.0.1");
    co_await until_later([&] { return !a.peers().empty(); });
    auto to = a.remote("x", "raw@127.0.0.1");
    const std::string big(100'000, 'x');
    int sent = 0;
    while (otpp::try_cast<kept::load>(to, big)) { // more than sockets keep
      ++sent;
      co_await asio::post(asio::use_awaitable);
      REQUIRE(sent < 5000);
    }
    pending<> waits;
    otpp::cast(to, kept::load{big}, waits.token());
    co_await asio::post(asio::use_awaitable);
    CHECK_FALSE(waits.is_done());
    CHECK(a.peers().size() == 1);
    otpp::detail::incoming_fragments in(1'000'000);
    for (int read = 0; read != sent + 1;) {
      std::string bytes = co_await slow.read();
      std::string_view frame = bytes;
      read += in.take(frame) == otpp::detail::incoming_fragments::found::frame ? 1 : 0;
    }
    co_await waits.get();
    CHECK(a.statistics().dropped == 0);
    co_await a.close();
  });
}

TEST_CASE("peer_outbox: what waits for room is lost with the connection, and calls end", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.watermarks(100'000, 10'000).connect(otpp::dist::never));
    raw_peer deaf(co_await asio::this_coro::executor, "raw@127.0.0.1");
    co_await deaf.connect(a.local_endpoint(), "a@127.0.0.1");
    co_await until_later([&] { return !a.peers().empty(); });
    auto to = a.remote("x", "raw@127.0.0.1");
    pending<int> first;
    otpp::call_for<kept::noted>(to, 60s, first.token());
    const std::string big(100'000, 'x');
    while (otpp::try_cast<kept::load>(to, big)) {
      co_await asio::post(asio::use_awaitable);
    }
    pending<int> last; // in line
    otpp::call_for<kept::noted>(to, 60s, last.token());
    deaf.socket().close();
    std::error_code code = co_await first.code();
    CHECK(code == otpp::errc::no_connection);
    code = co_await last.code();
    CHECK(code == otpp::errc::no_connection);
    CHECK(first.times() == 1);
    CHECK(last.times() == 1);
    co_await a.close();
  });
}

TEST_CASE("peer_outbox: a node that connects only when it is told", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    two_nodes nodes;
    otpp::dist::node_options how = nodes.table.options("a@127.0.0.1");
    nodes.a = co_await nodes.table.open(how.connect(otpp::dist::never));
    nodes.b = co_await nodes.table.open("b@127.0.0.1");
    auto server = co_await otpp::start<kept::reader>();
    nodes.b.publish(server, "reader");
    auto to = nodes.a.remote("reader", "b@127.0.0.1");
    std::error_code code = co_await code_of(otpp::call<kept::noted>(to));
    CHECK(code == otpp::errc::no_connection);
    co_await otpp::cast<kept::note>(to, 1);
    CHECK(nodes.a.peers().empty());
    co_await nodes.a.connect("b@127.0.0.1");
    int none = co_await otpp::call<kept::noted>(to);
    CHECK(none == 0);
    nodes.a.disconnect("b@127.0.0.1");
    co_await until_later([&] { return nodes.a.peers().empty() && nodes.b.peers().empty(); });
    code = co_await code_of(otpp::call<kept::noted>(to));
    CHECK(code == otpp::errc::no_connection);
    co_await nodes.b.connect("a@127.0.0.1"); // or by the other
    none = co_await otpp::call<kept::noted>(to);
    CHECK(none == 0);
    co_await close_two_nodes(nodes);
  });
}
