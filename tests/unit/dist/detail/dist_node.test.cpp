// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/dist_node.hpp>

#include <otpp/detail/util/access.hpp>
#include <otpp/dist.hpp>
#include <otpp/dist/detail/tcp_transport.hpp>
#include <otpp/dist/transport.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/raw_peer.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/error.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace meeting {

struct add {
  int n;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("add");
};

struct adder {
  using messages = otpp::message_list<add>;
  static int init() { return 0; }
  static int handle_call(add request, int& sum) { return sum += request.n; }
};

// Answers when as many calls have come to both nodes, so that the connection has both at a time.
struct patient_adder : adder {
  struct state {
    std::shared_ptr<std::vector<int>> calls; // of each node
    std::size_t mine;
  };
  static state init(std::shared_ptr<std::vector<int>> calls, std::size_t mine) { return {calls, mine}; }
  static asio::awaitable<int> handle_call(add request, state& s) {
    int come = ++(*s.calls)[s.mine];
    for (int step = 0; step != 20'000 && (*s.calls)[1 - s.mine] < come; ++step) {
      co_await asio::post(asio::use_awaitable);
    }
    co_return (*s.calls)[1 - s.mine] < come ? -1 : request.n;
  }
};

// Keeps what it is sent.
struct listener {
  using state = std::vector<std::string>*;
  static state init(state heard) { return heard; }
  static void handle_info(const otpp::term& word, state& heard) { heard->push_back(otpp::to_string(word)); }
};

// Fails at once.
struct broken final : otpp::detail::tcp_transport {
  using tcp_transport::tcp_transport;
  asio::awaitable<void> begin(std::string, std::error_code& error) override {
    error = asio::error::connection_aborted;
    co_return;
  }
  std::string failure() const override { return "it is broken"; }
};

using names = std::vector<std::string>;

asio::ip::tcp::endpoint loopback() { return {asio::ip::address_v4::loopback(), 0}; }

// What net_adm:ping/1 asks.
std::string ping(const raw_peer& from) {
  otpp::detail::term_writer to;
  from.begin_call(to, "net_kernel", 1);
  to.tuple(2);
  to.atom("is_auth");
  to.atom(from.name());
  return to.take();
}

std::string words(const raw_peer& from, const char* what) {
  otpp::detail::term_writer to;
  otpp::detail::put_reg_send(to, from.process(), "listener");
  to.atom(what);
  return to.take();
}

bool has_words(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

// Where one side still wanted a connection when the other has disconnected, there is one again.
asio::awaitable<void> disconnect_both(two_nodes& nodes, bool a_does) {
  while (!nodes.a.peers().empty() || !nodes.b.peers().empty()) {
    (a_does ? nodes.a : nodes.b).disconnect(a_does ? "b@127.0.0.1" : "a@127.0.0.1");
    for (int step = 0; step != 50; ++step) {
      co_await asio::post(asio::use_awaitable);
    }
  }
}

// Sends what the handshake says, and returns what comes then.
asio::awaitable<std::string> answer_to(raw_peer& by, otpp::detail::connecting_handshake& shaking) {
  std::string bytes;
  for (const std::string& each : shaking.take_outgoing()) {
    otpp::detail::append_frame(bytes, each, 2);
  }
  co_await by.send_bytes(bytes);
  co_return co_await by.read_one(2);
}

asio::awaitable<int> add_at(otpp::dist::node& from, std::string peer) {
  co_return co_await otpp::call_for<add>(from.remote("adder", peer), 30s, 1);
}

} // namespace meeting
} // namespace

TEST_CASE("dist_node: both connect at once, and are connected once", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    for (int round = 0; round != 300; ++round) {
      INFO(round);
      pending<> a;
      pending<> b;
      if (round % 2 == 0) { // who is first is the one with the lesser name, and the other
        nodes.a.connect("b@127.0.0.1", a.token());
        nodes.b.connect("a@127.0.0.1", b.token());
      } else {
        nodes.b.connect("a@127.0.0.1", b.token());
        nodes.a.connect("b@127.0.0.1", a.token());
      }
      for (int step = 0; step != round % 7; ++step) {
        co_await asio::post(asio::use_awaitable);
      }
      std::error_code from_a = co_await a.code();
      std::error_code from_b = co_await b.code();
      CHECK_FALSE(from_a);
      CHECK_FALSE(from_b);
      CHECK(nodes.a.peers() == meeting::names{"b@127.0.0.1"});
      CHECK(nodes.b.peers() == meeting::names{"a@127.0.0.1"});
      co_await meeting::disconnect_both(nodes, round % 3 == 0);
    }
  });
}

TEST_CASE("dist_node: both connect at once by use, and no call is lost", "[dist]") {
  with_two_nodes([&](two_nodes& nodes) -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    auto calls = std::make_shared<std::vector<int>>(2);
    auto at_a = co_await otpp::start<meeting::patient_adder>(calls, std::size_t(0));
    auto at_b = co_await otpp::start<meeting::patient_adder>(calls, std::size_t(1));
    nodes.a.publish(at_a, "adder");
    nodes.b.publish(at_b, "adder");
    for (int round = 0; round != 300; ++round) {
      CAPTURE(round);
      bool a_is_first = round % 2 == 0;
      auto first = in_background(
          executor,
          meeting::add_at(a_is_first ? nodes.a : nodes.b, a_is_first ? "b@127.0.0.1" : "a@127.0.0.1"));
      for (int step = 0; step != round % 61; ++step) {
        co_await asio::post(asio::use_awaitable);
      }
      auto second = in_background(
          executor,
          meeting::add_at(a_is_first ? nodes.b : nodes.a, a_is_first ? "a@127.0.0.1" : "b@127.0.0.1"));
      std::error_code of_first = co_await first.code();
      std::error_code of_second = co_await second.code();
      CHECK_FALSE(of_first);
      CHECK_FALSE(of_second);
      CHECK(*calls == std::vector<int>{round + 1, round + 1}); // each was handled once
      co_await meeting::disconnect_both(nodes, round % 3 == 0);
    }
  });
}

TEST_CASE("dist_node: a disconnect, and a use right after it", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    auto adder = co_await otpp::start<meeting::adder>();
    nodes.b.publish(adder, "adder");
    int lost = 0;
    for (int round = 0; round != 200; ++round) {
      INFO(round);
      co_await nodes.a.connect("b@127.0.0.1");
      nodes.a.disconnect("b@127.0.0.1");
      for (int step = 0; step != round % 13; ++step) {
        co_await asio::post(asio::use_awaitable);
      }
      auto call = in_background(executor, meeting::add_at(nodes.a, "b@127.0.0.1"));
      std::error_code code = co_await call.code();
      CHECK((!code || code == otpp::errc::no_connection));
      CHECK(call.times() == 1);
      lost += code ? 1 : 0;
    }
    CHECK(lost != 200);
  });
}

TEST_CASE("dist_node: who may connect", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    std::vector<std::string> asked;
    otpp::dist::node_options choosy = table.options("choosy@127.0.0.1");
    choosy.allow([&](std::string_view node, const asio::ip::tcp::endpoint& from) {
      CHECK(from.address().is_loopback());
      asked.emplace_back(node);
      return node != "bad@127.0.0.1";
    });
    otpp::dist::node choosy_node = co_await table.open(choosy);
    otpp::dist::node good = co_await table.open("good@127.0.0.1");
    otpp::dist::node bad = co_await table.open("bad@127.0.0.1");
    co_await good.connect("choosy@127.0.0.1");
    otpp::error error = co_await error_of(bad.connect("choosy@127.0.0.1"));
    CHECK(error.code() == otpp::errc::no_connection);
    CHECK(meeting::has_words(error.what(), "it refused this node"));
    CHECK(asked == meeting::names{"good@127.0.0.1", "bad@127.0.0.1"});
    co_await until_later([&] { return choosy_node.statistics().refused == 1; });
    CHECK(log.has("this node does not allow it, as its option `allow` says"));
    CHECK(choosy_node.peers() == meeting::names{"good@127.0.0.1"});
    // It may connect to whom it likes.
    co_await choosy_node.connect("bad@127.0.0.1");
    co_await choosy_node.close();
    co_await good.close();
    co_await bad.close();
  });
}

TEST_CASE("dist_node: a peer connects again, and the old connection ends", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    raw_peer first(executor, "raw@127.0.0.1");
    co_await first.connect(nodes.a.local_endpoint(), "a@127.0.0.1");
    co_await until_later([&] { return nodes.a.peers() == meeting::names{"raw@127.0.0.1"}; });
    raw_peer second(executor, "raw@127.0.0.1");
    co_await second.connect(nodes.a.local_endpoint(), "a@127.0.0.1");
    co_await first.wait_for_end();
    CHECK(nodes.a.peers() == meeting::names{"raw@127.0.0.1"});
    CHECK(nodes.a.statistics().peers == 1);

    // One that has not shown its cookie ends nothing.
    raw_peer liar(executor, "raw@127.0.0.1", "another");
    std::exception_ptr refused = co_await failure_of(liar.connect(nodes.a.local_endpoint(), "a@127.0.0.1"));
    CHECK(refused);
    CHECK(nodes.a.peers() == meeting::names{"raw@127.0.0.1"});
    CHECK(second.socket().is_open());
    nodes.a.disconnect("raw@127.0.0.1");
    co_await second.wait_for_end();
    co_await until_later([&] { return nodes.a.peers().empty(); });
  });
}

TEST_CASE("dist_node: of two attempts at once that of the greater name is used", "[dist]") {
  using otpp::detail::append_frame;
  connection_log log;
  for (const char* name : {"z@127.0.0.1", "A@127.0.0.1"}) { // greater than `a`, and less
    run_long([&]() -> asio::awaitable<void> {
      node_table table;
      otpp::dist::node a = co_await table.open("a@127.0.0.1");
      auto executor = co_await asio::this_coro::executor;
      asio::ip::tcp::acceptor there(executor, meeting::loopback(), false);
      table.add(name, there.local_endpoint());
      auto connecting = in_background(executor, a.connect(name));
      raw_peer attempted(executor, name);
      co_await there.async_accept(attempted.socket(), asio::use_awaitable); // and says nothing yet
      raw_peer peer(executor, name);
      std::exception_ptr failure = co_await failure_of(peer.connect(a.local_endpoint(), "a@127.0.0.1"));
      if (name[0] == 'z') {
        CHECK_FALSE(failure);
        std::error_code code = co_await connecting.code();
        CHECK_FALSE(code);
        std::string nok;
        append_frame(nok, "snok", 2);
        co_await attempted.send_bytes(nok); // which it has to say: until then the other might be lost already
        co_await attempted.wait_for_end();
        CHECK(a.peers() == meeting::names{name});
      } else {
        CHECK(meeting::has_words(text_of(failure), "which is used instead"));
        CHECK_FALSE(connecting.is_done());
        attempted.socket().close();
        std::error_code code = co_await connecting.code();
        CHECK(code == otpp::errc::no_connection);
      }
      co_await a.close();
    });
  }
}

TEST_CASE("dist_node: a peer that has lost its connection takes an attempt that was begun before", "[dist]") {
  connection_log log;
  meeting::names heard;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    auto listener = co_await otpp::start<meeting::listener>(&heard);
    a.publish(listener, "listener");
    auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::acceptor there(executor, meeting::loopback(), false);
    table.add("z@127.0.0.1", there.local_endpoint());
    auto connecting = in_background(executor, a.connect("z@127.0.0.1"));
    raw_peer first(executor, "z@127.0.0.1");
    co_await first.connect(a.local_endpoint(), "a@127.0.0.1");
    std::error_code code = co_await connecting.code();
    CHECK_FALSE(code);
    raw_peer second(executor, "z@127.0.0.1");
    co_await second.accept(there); // from here on it knows only this one
    second.socket().set_option(asio::ip::tcp::no_delay(true));
    co_await second.send(meeting::words(second, "second"));
    for (int step = 0; step != 5; ++step) { // meanwhile the node has read that
      co_await first.send(meeting::ping(first));
      std::string pong = co_await first.read();
      CHECK(meeting::has_words(pong, "yes"));
    }
    CHECK(heard.empty());
    co_await first.send(meeting::words(first, "first")); // as if that had been on its way
    first.socket().close();
    co_await until_later([&] { return heard.size() == 2; });
    CHECK(heard == meeting::names{"first", "second"});
    co_await second.send(meeting::ping(second));
    std::string pong = co_await second.read();
    CHECK(pong.find("yes") != std::string::npos);
    CHECK(a.peers() == meeting::names{"z@127.0.0.1"});
    a.disconnect("z@127.0.0.1");
    co_await second.wait_for_end();
    co_await until_later([&] { return a.peers().empty(); });
    co_await a.close();
  });
}

TEST_CASE("dist_node: while a peer shakes hands no other attempt is begun", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    using otpp::detail::append_frame;
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::acceptor there(executor, meeting::loopback(), false);
    table.add("A@127.0.0.1", there.local_endpoint());
    for (bool does_come_up : {true, false}) {
      raw_peer peer(executor, "A@127.0.0.1");
      co_await peer.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
      otpp::detail::connecting_handshake shaking(peer.side(), "a@127.0.0.1", 1);
      std::string status = co_await meeting::answer_to(peer, shaking);
      CHECK(status == "sok");
      auto connecting = in_background(executor, a.connect("A@127.0.0.1"));
      shaking.take(status);
      if (does_come_up) {
        std::string challenge = co_await peer.read_one(2);
        shaking.take(challenge);
        co_await meeting::answer_to(peer, shaking);
        std::error_code code = co_await connecting.code();
        CHECK_FALSE(code);
        there.non_blocking(true);
        asio::ip::tcp::socket attempt(executor);
        std::error_code none;
        there.accept(attempt, none);
        CHECK(none == asio::error::would_block);
        a.disconnect("A@127.0.0.1");
        co_await peer.wait_for_end();
        co_await until_later([&] { return a.peers().empty(); });
        continue;
      }
      peer.socket().close(); // now it is our turn
      raw_peer other(executor, "A@127.0.0.1");
      co_await other.accept(there);
      std::error_code code = co_await connecting.code();
      CHECK_FALSE(code);
    }
    co_await a.close();
  });
}

TEST_CASE("dist_node: who has yielded does not wait for a connection that does not come", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    using otpp::detail::append_frame;
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.setup(8s));
    auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::acceptor there(executor, meeting::loopback(), false);
    table.add("z@127.0.0.1", there.local_endpoint());
    std::string nok;
    append_frame(nok, "snok", 2);
    auto begin = std::chrono::steady_clock::now();
    for (bool does_connect : {true, false}) {
      auto connecting = in_background(executor, a.connect("z@127.0.0.1"));
      raw_peer attempted(executor, "z@127.0.0.1");
      co_await there.async_accept(attempted.socket(), asio::use_awaitable);
      co_await attempted.read_one(2);
      co_await attempted.send_bytes(nok);
      if (does_connect) {
        raw_peer liar(executor, "z@127.0.0.1", "another");
        std::exception_ptr refused = co_await failure_of(liar.connect(a.local_endpoint(), "a@127.0.0.1"));
        CHECK(refused);
      }
      otpp::error error = co_await error_of(connecting.get());
      CHECK(error.code() == otpp::errc::no_connection);
      CHECK(meeting::has_words(error.what(), "z@127.0.0.1: it wanted its own connection to be used, and "));
      CHECK(meeting::has_words(error.what(), does_connect ? "it has failed" : "none has come"));
      auto took = std::chrono::steady_clock::now() - begin;
      CHECK((does_connect ? took < 1900ms : took < 4s)); // a quarter of node_options::setup
    }
    co_await a.close();
  });
}

TEST_CASE("dist_node: the connection that a peer has already may be its own attempt", "[dist]") {
  using otpp::detail::append_frame;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::acceptor there(executor, meeting::loopback(), false);
    table.add("z@127.0.0.1", there.local_endpoint());
    for (bool is_there_another : {true, false}) {
      auto connecting = in_background(executor, a.connect("z@127.0.0.1"));
      raw_peer attempted(executor, "z@127.0.0.1");
      co_await there.async_accept(attempted.socket(), asio::use_awaitable);
      std::string name = co_await attempted.read_one(2);
      CHECK(name[0] == 'N');
      raw_peer another(executor, "z@127.0.0.1");
      if (is_there_another) {
        co_await another.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
        otpp::detail::connecting_handshake shaking(another.side(), "a@127.0.0.1", 1);
        std::string hello;
        append_frame(hello, shaking.take_outgoing().at(0), 2);
        co_await another.send_bytes(hello);
        std::string status = co_await another.read_one(2);
        CHECK(status == "sok_simultaneous"); // and here it stands still
      }
      std::string alive;
      append_frame(alive, "salive", 2);
      co_await attempted.send_bytes(alive);
      std::string decision = co_await attempted.read_one(2);
      CHECK(decision == (is_there_another ? "sfalse" : "strue"));
      CHECK_FALSE(connecting.is_done());
      a.disconnect("z@127.0.0.1");
      std::error_code code = co_await connecting.code();
      CHECK(code == otpp::errc::no_connection);
    }
    co_await a.close();
  });
}

TEST_CASE("dist_node: its own name", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    raw_peer same(co_await asio::this_coro::executor, "a@127.0.0.1");
    std::exception_ptr refused = co_await failure_of(same.connect(nodes.a.local_endpoint(), "a@127.0.0.1"));
    CHECK(refused);
    co_await until_later([&] { return nodes.a.statistics().refused == 1; });
    CHECK(nodes.a.peers().empty());
  });
}

TEST_CASE("dist_node: a connection that fails before its node has turned to it is reported", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::detail::transport_maker maker = [](asio::ip::tcp::socket socket) {
      return std::make_unique<meeting::broken>(std::move(socket));
    };
    how.transport(otpp::detail::access::make<otpp::dist::transport>(std::move(maker)));
    otpp::dist::node a = co_await table.open(how);
    raw_peer peer(co_await asio::this_coro::executor, "b@127.0.0.1");
    co_await peer.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
    co_await peer.wait_for_end();
    co_await until_later([&] { return a.statistics().refused == 1; });
    CHECK(log.has("refused a connection from somebody at 127.0.0.1: it is broken"));
    co_await a.close();
  });
}

TEST_CASE("dist_node: of too many handshakes the oldest is closed", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node_limits limits;
    limits.handshakes = 2;
    how.limits(limits);
    otpp::dist::node a = co_await table.open(how);
    otpp::dist::node b = co_await table.open("b@127.0.0.1");
    auto executor = co_await asio::this_coro::executor;
    std::vector<std::unique_ptr<raw_peer>> silent;
    for (int n = 0; n != 5; ++n) {
      silent.push_back(std::make_unique<raw_peer>(executor, "silent@127.0.0.1"));
      co_await silent.back()->socket().async_connect(a.local_endpoint(), asio::use_awaitable);
    }
    for (std::size_t n = 0; n != 3; ++n) {
      co_await silent[n]->wait_for_end();
    }
    co_await b.connect("a@127.0.0.1"); // others connect meanwhile
    CHECK(a.peers() == meeting::names{"b@127.0.0.1"});
    CHECK(a.statistics().refused >= 3);
    co_await a.close();
    co_await silent[4]->wait_for_end();
    co_await b.close();
  });
}
