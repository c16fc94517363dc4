// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/peer_connection.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/probe.hpp"
#include "support/raw_peer.hpp"

#include <asio/awaitable.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace connected {

struct text {
  std::string words;
  using reply_type = std::string;
  static constexpr auto term = otpp::as::tagged("text");
};
struct load {
  std::string words;
  static constexpr auto term = otpp::as::tagged("load");
};
struct longer { // answers with so many letters
  int size;
  using reply_type = std::string;
  static constexpr auto term = otpp::as::tagged("longer");
};

struct echo {
  using messages = otpp::message_list<text, longer, load>;
  static std::size_t init() { return 0; }
  static std::string handle_call(text m, std::size_t&) { return m.words; }
  static std::string handle_call(longer m, std::size_t&) {
    return std::string(static_cast<std::size_t>(m.size), 'x');
  }
  static void handle_cast(const load& m, std::size_t& sum) { sum += m.words.size(); }
};

otpp::dist::node_options limited(const node_table& table, std::string name, otpp::dist::node_limits limits) {
  otpp::dist::node_options how = table.options(std::move(name));
  how.limits(limits);
  return how;
}

} // namespace connected
} // namespace

TEST_CASE("peer_connection: a peer that says nothing is ticked, and lost after the tick time", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    how.tick(400ms);
    otpp::dist::node a = co_await otpp::dist::open(how);
    raw_peer silent(co_await asio::this_coro::executor, "raw@127.0.0.1");
    co_await silent.connect(a.local_endpoint(), "a@127.0.0.1");
    auto connected_at = std::chrono::steady_clock::now();
    std::exception_ptr end = co_await failure_of(silent.read());
    auto lived = std::chrono::steady_clock::now() - connected_at;
    CHECK(end);
    CHECK(lived >= 390ms);
    CHECK(lived < 400ms * 10 * slowdown);
    CHECK(silent.ticks() >= 1); // each quarter, where the machine has time
    CHECK(silent.ticks() <= 4);
    co_await until_later([&] { return a.peers().empty(); });
    co_await until_later([&] { return log.has("nothing has come from it for 400 ms"); });
    co_await a.close();
  });
}

TEST_CASE(
    "peer_connection: a peer that ticks stays, and its ticks are answered when we are silent", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1"); // ticks each 15 s
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    raw_peer one(executor, "raw@127.0.0.1");
    co_await one.connect(a.local_endpoint(), "a@127.0.0.1");
    asio::steady_timer pause(executor);
    auto reading = in_background(executor, one.read()); // counts ticks
    for (int n = 0; n != 9; ++n) {                      // one and a half seconds of them
      pause.expires_after(150ms);
      co_await pause.async_wait(asio::use_awaitable);
      co_await one.send("");
    }
    CHECK(one.ticks() >= 1); // its tick time may be shorter
    CHECK(one.ticks() <= 3); // but two nodes must not answer each other without end
    CHECK(a.statistics().received == 0);
    CHECK(a.statistics().sent == 0);
    co_await a.close();
    co_await failure_of(reading.get());
  });
}

TEST_CASE("peer_connection: two idle nodes with a short tick time stay connected", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.tick(1s));
    otpp::dist::node b = co_await table.open("b@127.0.0.1");
    co_await a.connect("b@127.0.0.1");
    asio::steady_timer longer(co_await asio::this_coro::executor, 2s);
    co_await longer.async_wait(asio::use_awaitable);
    CHECK(a.peers().size() == 1);
    CHECK(b.peers().size() == 1);
    CHECK(log.texts().empty());
    co_await a.close();
    co_await b.close();
  });
}

TEST_CASE("peer_connection: a message that is longer than a frame may be", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_limits limits;
    limits.frame = 10'000;
    otpp::dist::node a = co_await table.open(connected::limited(table, "a@127.0.0.1", limits));
    otpp::dist::node b = co_await table.open("b@127.0.0.1");
    auto server = co_await otpp::start<connected::echo>();
    a.publish(server, "echo");
    b.publish(server, "echo");
    auto b_echo = a.remote("echo", "b@127.0.0.1");
    auto a_echo = b.remote("echo", "a@127.0.0.1");
    // What a sends itself is refused at once, and harms nothing.
    std::string half = co_await otpp::call<connected::text>(b_echo, std::string(4000, 'x'));
    CHECK(half.size() == 4000);
    otpp::error error = co_await error_of(otpp::call<connected::text>(b_echo, std::string(20'000, 'x')));
    CHECK(error.code() == otpp::errc::bad_message);
    CHECK(std::string(error.what()).find("longer than node_limits::frame") != std::string::npos);
    co_await otpp::cast<connected::load>(b_echo, std::string(20'000, 'x'));
    half = co_await otpp::call<connected::text>(b_echo, std::string(4000, 'x'));
    CHECK(a.statistics().dropped == 1);
    CHECK(a.peers().size() == 1);

    // What b sends ends the connection.
    std::error_code code = co_await code_of(otpp::call<connected::text>(a_echo, std::string(20'000, 'x')));
    CHECK(code == otpp::errc::no_connection);
    co_await until_later([&] { return a.peers().empty() && b.peers().empty(); });
    co_await until_later(
        [&] { return log.has("it has sent a frame that is longer than node_limits::frame"); });

    // An answer that is too long ends only its call.
    std::exception_ptr failure = co_await failure_of(otpp::call<connected::longer>(a_echo, 20'000));
    std::string why = text_of(failure);
    CHECK(why.find("bytes, more than node_limits::frame") != std::string::npos);
    CHECK(a.peers().size() == 1);
    half = co_await otpp::call<connected::text>(a_echo, "and again");
    CHECK(half == "and again");
    co_await a.close();
    co_await b.close();
  });
}

TEST_CASE("peer_connection: a peer that ticks, but reads nothing, is lost after the tick time", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node_options how = table.options("a@127.0.0.1");
    otpp::dist::node a = co_await table.open(how.tick(800ms));
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    raw_peer lazy(executor, "raw@127.0.0.1");
    co_await lazy.connect(a.local_endpoint(), "a@127.0.0.1");
    co_await until_later([&] { return !a.peers().empty(); });
    auto to = a.remote("x", "raw@127.0.0.1");
    pending<std::string> call;
    otpp::call_for<connected::text>(to, 60s, "hello", call.token());
    const std::string load(100'000, 'x');
    asio::steady_timer pause(executor);
    for (int n = 0; n != 10'000 && !a.peers().empty(); ++n) {
      otpp::try_cast<connected::load>(to, load); // more than sockets keep
      if (n % 20 == 19) {
        pause.expires_after(50ms);
        co_await pause.async_wait(asio::use_awaitable);
        co_await failure_of(lazy.send(""));
      }
    }
    CHECK(a.peers().empty());
    std::error_code code = co_await call.code();
    CHECK(code == otpp::errc::no_connection);
    co_await until_later([&] { return log.has("it has read nothing of what it was sent for 800 ms"); });
    co_await a.close();
  });
}

TEST_CASE("peer_connection: a peer that reads slowly gets all, in order", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto server = co_await otpp::start<connected::echo>();
    nodes.b.publish(server, "echo");
    auto to = nodes.a.remote("echo", "b@127.0.0.1");
    for (std::size_t size : {0U, 1U, 255U, 65'535U, 65'536U, 1'000'000U, 20'000'000U}) {
      std::string text(size, 'x');
      std::string back = co_await otpp::call_for<connected::text>(to, 60s, text);
      CHECK(back == text);
    }
    std::string small(100, 'x');
    for (int n = 0; n != 1000; ++n) {
      co_await otpp::cast<connected::load>(to, small);
    }
    std::string last = co_await otpp::call_for<connected::text>(to, 60s, "last");
    CHECK(last == "last");
  });
}

TEST_CASE("peer_connection: the peer is gone", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (bool by_reset : {false, true}) {
      raw_peer one(executor, "raw@127.0.0.1");
      co_await one.connect(a.local_endpoint(), "a@127.0.0.1");
      co_await until_later([&] { return !a.peers().empty(); });
      pending<std::string> call;
      otpp::call_for<connected::text>(a.remote("x", "raw@127.0.0.1"), 60s, "hello", call.token());
      co_await one.read(); // it has come
      if (by_reset) {
        one.socket().set_option(asio::socket_base::linger(true, 0));
      }
      one.socket().close();
      std::error_code code = co_await call.code();
      CHECK(code == otpp::errc::no_connection);
      CHECK(call.times() == 1);
      co_await until_later([&] { return a.peers().empty(); });
    }
    co_await a.close();
  });
}

TEST_CASE("peer_connection: a frame in two pieces, wherever it is cut", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (std::size_t cut = 1; cut < 60; cut += 3) {
      raw_peer one(executor, "raw@127.0.0.1");
      co_await one.connect(a.local_endpoint(), "a@127.0.0.1");
      otpp::detail::term_writer out;
      otpp::detail::put_monitor_p(out, one.process(), std::string_view("nobody"), one.reference(5));
      std::string bytes;
      otpp::detail::append_frame(bytes, out.take());
      co_await one.send_bytes(bytes.substr(0, cut));
      for (int step = 0; step != 5; ++step) {
        co_await asio::post(asio::use_awaitable);
      }
      co_await one.send_bytes(bytes.substr(cut));
      std::string told = co_await one.read();
      CHECK(told.find("noproc") != std::string::npos);
      one.socket().close();
      co_await until_later([&] { return a.peers().empty(); });
    }
    co_await a.close();
  });
}

TEST_CASE("peer_connection: a frame in the same bytes as the end of the handshake", "[dist]") {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node a = co_await table.open("a@127.0.0.1");
    raw_peer one(co_await asio::this_coro::executor, "raw@127.0.0.1");
    co_await one.socket().async_connect(a.local_endpoint(), asio::use_awaitable);
    otpp::detail::handshake_side side;
    side.name = one.name();
    side.cookie = "secret";
    side.creation = raw_peer::creation;
    otpp::detail::connecting_handshake shaking(side, "a@127.0.0.1", 0x01020304);
    otpp::detail::term_writer out;
    otpp::detail::put_monitor_p(out, one.process(), std::string_view("nobody"), one.reference(5));
    while (shaking.progress() != otpp::detail::handshake_progress::done) {
      std::string bytes;
      for (const std::string& each : shaking.take_outgoing()) {
        otpp::detail::append_frame(bytes, each, 2);
        if (each[0] == 'r') { // the digest, which is the last
          otpp::detail::append_frame(bytes, out.bytes());
        }
      }
      co_await one.send_bytes(bytes);
      std::array<unsigned char, 2> length{};
      co_await asio::async_read(one.socket(), asio::buffer(length), asio::use_awaitable);
      std::size_t size_of_payload = (static_cast<std::size_t>(length[0]) << 8) | length[1];
      std::string payload(size_of_payload, '\0');
      co_await asio::async_read(one.socket(), asio::buffer(payload), asio::use_awaitable);
      shaking.take(payload);
      REQUIRE(shaking.progress() != otpp::detail::handshake_progress::failed);
    }
    std::string told = co_await one.read();
    CHECK(told.find("noproc") != std::string::npos);
    co_await a.close();
  });
}
