// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/peer_handshake.hpp>

#include <otpp/dist.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/raw_peer.hpp"

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace shaking {

bool has_words(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

asio::ip::tcp::endpoint loopback() { return {asio::ip::address_v4::loopback(), 0}; }

} // namespace shaking
} // namespace

TEST_CASE("peer_handshake: a wrong cookie, and both sides say so", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    otpp::dist::node_options other = table.options("b@127.0.0.1");
    other.cookie("another");
    otpp::dist::node b = co_await table.open(other);
    otpp::error error = co_await error_of(b.connect("a@127.0.0.1"));
    CHECK(error.code() == otpp::errc::no_connection);
    CHECK(shaking::has_words(error.what(), "otpp: could not connect to 'a@127.0.0.1'"));
    CHECK(shaking::has_words(error.what(), "most likely because the cookies differ"));
    CHECK_FALSE(shaking::has_words(error.what(), "secret"));
    CHECK_FALSE(shaking::has_words(error.what(), "another,"));
    co_await until_later([&] { return a.statistics().refused == 1; });
    CHECK(log.has("refused a connection from 'b@127.0.0.1': its digest is wrong"));
    CHECK(a.peers().empty());
    CHECK(b.peers().empty());

    // One for this peer alone.
    otpp::dist::node_options third = table.options("c@127.0.0.1");
    third.cookie("a third").cookie_for("a@127.0.0.1", "secret").cookie_for("b@127.0.0.1", "another");
    otpp::dist::node c = co_await table.open(third);
    co_await c.connect("a@127.0.0.1");
    co_await b.connect("c@127.0.0.1"); // and of the one who accepts
    CHECK(c.peers() == std::vector<std::string>{"a@127.0.0.1", "b@127.0.0.1"});
    co_await a.close();
    co_await b.close();
    co_await c.close();
  });
}

TEST_CASE("peer_handshake: a connection that says nothing is closed in time", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.setup(200ms));
    raw_peer silent(co_await asio::this_coro::executor, "silent@127.0.0.1");
    auto begin = std::chrono::steady_clock::now();
    co_await silent.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
    co_await silent.wait_for_end();
    CHECK(std::chrono::steady_clock::now() - begin >= 190ms);
    co_await until_later([&] { return a.statistics().refused == 1; });
    CHECK(log.has("it did not send its name in time"));
    co_await a.close();
  });
}

TEST_CASE("peer_handshake: a peer that answers nothing is given up in time", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.setup(200ms));
    auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::acceptor there(executor, shaking::loopback(), false);
    table.add("b@127.0.0.1", there.local_endpoint());
    auto connecting = in_background(executor, a.connect("b@127.0.0.1"));
    asio::ip::tcp::socket accepted = co_await there.async_accept(asio::use_awaitable);
    otpp::error error = co_await error_of(connecting.get());
    CHECK(error.code() == otpp::errc::no_connection);
    CHECK(shaking::has_words(error.what(), "it did not send its status in time"));

    // A resolver that never says anything.
    otpp::dist::node_options lost = table.options("c@127.0.0.1");
    lost.setup(100ms).resolver([](std::string) -> asio::awaitable<asio::ip::tcp::endpoint> {
      asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
      co_await never.async_wait(asio::use_awaitable);
      co_return asio::ip::tcp::endpoint();
    });
    otpp::dist::node c = co_await table.open(lost);
    error = co_await error_of(c.connect("b@127.0.0.1"));
    CHECK(error.code() == otpp::errc::no_connection);
    CHECK(shaking::has_words(error.what(), "to 'b@127.0.0.1': it took longer than node_options::setup"));
    co_await a.close();
    co_await c.close();
  });
}

TEST_CASE("peer_handshake: a resolver that cannot be cancelled does not hold up close", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    auto executor = co_await asio::this_coro::executor;
    auto release = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
    bool is_asked = false;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    how.resolver([release, &is_asked](std::string) -> asio::awaitable<asio::ip::tcp::endpoint> {
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      is_asked = true;
      std::error_code released;
      co_await release->async_wait(asio::redirect_error(asio::use_awaitable, released));
      co_return asio::ip::tcp::endpoint();
    });
    otpp::dist::node a = co_await table.open(how);
    auto connecting = in_background(executor, a.connect("b@127.0.0.1"));
    co_await until_later([&] { return is_asked; });
    auto closing = in_background(executor, a.close());
    co_await until_later([&] { return closing.is_done(); });
    CHECK(connecting.is_done());
    release->cancel();
  });
}

TEST_CASE("peer_handshake: what connects is no node", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    auto executor = co_await asio::this_coro::executor;
    std::vector<std::string> all{"GET / HTTP/1.1\r\n\r\n", bytes_of(0, 0),
                                 bytes_of(0, 1, "N"),      bytes_of(255, 255),
                                 bytes_of(0, 3, "N12"),    bytes_of(4, 1, std::string(1025, 'N'))};
    for (const std::string& bytes : all) {
      raw_peer other(executor, "other@127.0.0.1");
      co_await other.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
      co_await other.send_bytes(bytes);
      co_await other.wait_for_end();
    }
    co_await until_later([&] { return a.statistics().refused == all.size(); });
    CHECK(log.texts().size() == all.size());
    {
      raw_peer scan(executor, "scan@127.0.0.1"); // a port scan
      co_await scan.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
    }
    co_await until_later([&] { return a.statistics().refused == all.size() + 1; });
    CHECK(log.has("is it another program?"));
    co_await a.close();
  });
}

TEST_CASE("peer_handshake: the peer closes at each step", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    auto executor = co_await asio::this_coro::executor;
    asio::ip::tcp::acceptor there(executor, shaking::loopback());
    table.add("b@127.0.0.1", there.local_endpoint());
    std::vector<std::string> answers{
        "", bytes_of(0, 3, "sok"), bytes_of(0, 4, "snok"), bytes_of(0, 12, "snot_allowed")};
    for (const std::string& answer : answers) {
      INFO(answer);
      auto connecting = in_background(executor, a.connect("b@127.0.0.1"));
      {
        raw_peer b(executor, "b@127.0.0.1");
        co_await there.async_accept(b.socket(), asio::use_awaitable);
        std::vector<char> name(64);
        co_await b.socket().async_read_some(asio::buffer(name), asio::use_awaitable);
        co_await b.send_bytes(answer);
        if (answer == answers[2]) { // it is about to connect with us
          raw_peer again(executor, "b@127.0.0.1");
          co_await again.connect(a.local_endpoint(), "a@127.0.0.1");
          std::error_code code = co_await connecting.code();
          CHECK_FALSE(code);
          CHECK(a.peers().size() == 1);
          again.socket().close();
          co_await until_later([&] { return a.peers().empty(); });
          continue;
        }
      }
      otpp::error error = co_await error_of(connecting.get());
      CHECK(error.code() == otpp::errc::no_connection);
      CHECK(shaking::has_words(error.what(), "could not connect to 'b@127.0.0.1'"));
    }
    co_await a.close();
  });
}

TEST_CASE("peer_handshake: without a resolver and without epmd nobody is found", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    otpp::dist::node_options how("a@127.0.0.1");
    otpp::dist::node a = co_await otpp::dist::open(how.cookie("secret").no_epmd());
    otpp::error error = co_await error_of(a.connect("b@127.0.0.1"));
    CHECK(error.code() == otpp::errc::no_connection);
    CHECK(shaking::has_words(error.what(), "node_options::resolver"));
    co_await a.close();
  });
}
