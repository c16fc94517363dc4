// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/frame_router.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/bytes_of.hpp"
#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/raw_peer.hpp"

#include <asio/awaitable.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;
using otpp::detail::control_message;
using otpp::detail::control_op;
using otpp::detail::parse_control;
using otpp::detail::pid_view;
using otpp::detail::ref_view;
using otpp::detail::term_writer;

namespace {
namespace routed {

struct add {
  int n;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("add");
};
struct keep {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("keep");
};
struct note {
  int n;
  static constexpr auto term = otpp::as::tagged("note");
};
struct again { // a call as one may send it to the peer
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("again");
};

struct server {
  using messages = otpp::message_list<add, keep, note>;

  struct seen {
    std::vector<otpp::caller<int>> kept;
    event asked;
    int sum = 0;
    std::string notes;
    std::string ended;
  };
  using state = std::shared_ptr<seen>;

  static state init(state s) { return s; }
  static int handle_call(add m, state& s) { return s->sum += m.n; }
  static void handle_call(keep, otpp::caller<int> from, state& s) {
    s->kept.push_back(std::move(from));
    s->asked.happen();
  }
  static void handle_cast(note m, state& s) { s->notes += "cast" + std::to_string(m.n) + ' '; }
  static void handle_info(note m, state& s) { s->notes += "info" + std::to_string(m.n) + ' '; }
  static void terminate(const otpp::exit_reason& why, state& s) { s->ended = why.message(); }
  static std::string format_status(const state&) { return "what it has seen"; }
};

// A node with a server, and a peer that is connected with it.
struct scene {
  otpp::dist::node node;
  raw_peer peer;
  std::shared_ptr<server::seen> seen;
  otpp::server_ref<server> to;

  // What the peer sends.

  asio::awaitable<void> send(std::string_view name, std::string message) {
    term_writer out;
    otpp::detail::put_reg_send(out, peer.process(), name);
    out.raw(message);
    co_await peer.send(out.take());
  }
  asio::awaitable<void> call(std::string tag, std::string request, std::string name = "server") {
    term_writer out;
    out.tuple(3);
    out.atom("$gen_call");
    out.tuple(2);
    otpp::detail::put_pid(out, peer.process());
    out.raw(tag);
    out.raw(request);
    co_await send(name, out.take());
  }
  asio::awaitable<void> monitor(
      std::uint32_t number, otpp::detail::control_place what = std::string_view("server")) {
    term_writer out;
    otpp::detail::put_monitor_p(out, peer.process(), what, peer.reference(number));
    co_await peer.send(out.take());
  }
  asio::awaitable<void> demonitor(std::uint32_t number) {
    term_writer out;
    otpp::detail::put_demonitor_p(out, peer.process(), std::string_view("server"), peer.reference(number));
    co_await peer.send(out.take());
  }

  std::string tag(std::uint32_t number) const {
    term_writer out;
    otpp::detail::put_ref(out, peer.reference(number));
    return out.take();
  }
  std::string alias_tag(std::uint32_t number) const {
    return bytes_of(108, 0, 0, 0, 1, 119, 5, "alias", tag(number));
  }

  // What the peer gets: the op, and the term that it carries, as Erlang prints it.
  asio::awaitable<std::string> next() {
    frame = co_await peer.read();
    REQUIRE(parse_control(frame, got));
    std::string_view carried = got.message.empty() ? got.reason : got.message;
    std::string text = std::to_string(static_cast<int>(got.op));
    if (!carried.empty()) {
      otpp::term what = otpp::from_bytes<otpp::term>(bytes_of(131, carried));
      text += ' ' + otpp::to_string(what);
    }
    co_return text;
  }

  std::string frame;
  control_message got;
};

template <class T>
std::string bytes(const T& value) {
  return otpp::to_bytes(value).substr(1);
}
std::string cast_of(const std::string& message) { return bytes_of(104, 2, 119, 9, "$gen_cast", message); }

template <class Body>
void with_a_peer(otpp::dist::node_options how, connection_log& log, Body body) {
  (void)log;
  run_long([&]() -> asio::awaitable<void> {
    otpp::dist::node node = co_await otpp::dist::open(how);
    auto seen = std::make_shared<server::seen>();
    auto to = co_await otpp::start<server>(seen);
    node.publish(to, "server");
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    scene s{node, raw_peer(executor, "raw@127.0.0.1"), seen, to, {}, {}};
    co_await s.peer.connect(node.local_endpoint(), "a@127.0.0.1");
    co_await until_later([&] { return !node.peers().empty(); });
    co_await body(s);
    co_await failure_of(node.close());
  });
}

template <class Body>
void with_a_peer(Body body) {
  connection_log log;
  with_a_peer(node_table().options("a@127.0.0.1"), log, std::move(body));
}

} // namespace routed
} // namespace

TEST_CASE("frame_router: a call is answered as its tag says", "[dist]") {
  routed::with_a_peer([](routed::scene& s) -> asio::awaitable<void> {
    co_await s.call(s.tag(1), routed::bytes(routed::add{2}));
    std::string answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.1.0.7>,2}");
    CHECK(std::get<pid_view>(s.got.to) == s.peer.process());

    co_await s.call(s.alias_tag(2), routed::bytes(routed::add{3}));
    answer = co_await s.next();
    CHECK(answer == "33 {[alias|#Ref<raw@127.0.0.1.2.0.7>],5}");
    CHECK(std::get<ref_view>(s.got.to) == s.peer.reference(2));

    co_await s.call(bytes_of(119, 3, "tag"), routed::bytes(routed::add{1})); // any term
    answer = co_await s.next();
    CHECK(answer == "2 {tag,6}");

    // Many at once, which need no reference of their own.
    for (int n = 0; n != 50; ++n) {
      co_await s.call(bytes_of(97, n), routed::bytes(routed::add{1}));
    }
    for (int n = 0; n != 50; ++n) {
      answer = co_await s.next();
      CHECK(answer == "2 {" + std::to_string(n) + "," + std::to_string(7 + n) + "}");
    }
  });
}

TEST_CASE("frame_router: casts, plain messages, and what nobody takes", "[dist]") {
  std::vector<std::string> unknown;
  otpp::subscription listening = otpp::subscribe<otpp::dist::unknown_message>(
      [&](const otpp::dist::unknown_message& one) { unknown.push_back(one.text()); });
  routed::with_a_peer([&](routed::scene& s) -> asio::awaitable<void> {
    co_await s.send("server", routed::cast_of(routed::bytes(routed::note{1})));
    co_await s.send("server", routed::bytes(routed::note{2}));
    co_await s.send("server", routed::cast_of(bytes_of(119, 4, "what")));
    co_await s.send("server", bytes_of(97, 1));
    co_await s.send("server", bytes_of(104, 2, 119, 9, "$gen_call", 97, 1)); // a call without a From
    co_await s.send("server", bytes_of(104, 3, 119, 9, "$gen_call", 97, 1, 97, 2));
    co_await s.send("nobody", bytes_of(97, 1));
    co_await s.send("nobody", routed::cast_of(bytes_of(97, 1)));
    co_await s.call(s.tag(1), bytes_of(119, 3, "who"));
    co_await s.call(s.tag(2), routed::bytes(routed::add{1}));
    std::string answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.2.0.7>,1}"); // the first had no monitor by which it could be told
    CHECK(s.seen->notes == "cast1 info2 ");
    CHECK(s.node.statistics().unknown == 5);
    CHECK(s.node.statistics().dropped == 2);
    CHECK(s.node.statistics().received == 10);
    CHECK(s.node.statistics().sent == 1);
  });
  REQUIRE(unknown.size() == 5);
  CHECK(unknown[0] == "otpp: server of a@127.0.0.1 does not take this cast from raw@127.0.0.1: what");
  CHECK(unknown[1] == "otpp: server of a@127.0.0.1 does not take this info from raw@127.0.0.1: 1");
}

TEST_CASE("frame_router: a call that no handler answers ends by its monitor", "[dist]") {
  routed::with_a_peer([](routed::scene& s) -> asio::awaitable<void> {
    co_await s.monitor(1);
    co_await s.call(s.tag(1), bytes_of(119, 3, "who"));
    std::string told = co_await s.next();
    CHECK(told == "21 bad_message");
    CHECK(s.got.ref == s.peer.reference(1));
    CHECK(s.got.from_name == "server");

    co_await s.monitor(2);
    co_await s.call(s.tag(2), routed::bytes(routed::keep()));
    co_await s.seen->asked.wait();
    s.seen->kept.clear();
    told = co_await s.next();
    CHECK(told == "21 no_reply");

    co_await s.call(s.tag(3), routed::bytes(routed::add{1}), "nobody"); // without a monitor, nothing
    co_await s.monitor(4, std::string_view("nobody"));
    told = co_await s.next();
    CHECK(told == "21 noproc");
    CHECK(s.got.ref == s.peer.reference(4));
    CHECK(s.got.from_name == "nobody");
  });
}

TEST_CASE("frame_router: the peer gives a call up, and its server can see it", "[dist]") {
  routed::with_a_peer([](routed::scene& s) -> asio::awaitable<void> {
    co_await s.monitor(1);
    co_await s.call(s.alias_tag(1), routed::bytes(routed::keep()));
    co_await s.seen->asked.wait();
    CHECK(s.seen->kept.at(0).is_waiting());
    co_await s.demonitor(1);
    co_await s.call(s.tag(2), routed::bytes(routed::add{1})); // comes after it
    std::string answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.2.0.7>,1}");
    CHECK_FALSE(s.seen->kept.at(0).is_waiting());
    CHECK_FALSE(s.seen->kept.at(0).reply(7));
    s.seen->kept.clear();
    co_await s.to.stop(); // there is no monitor any more
    co_await s.monitor(3);
    answer = co_await s.next();
    CHECK(answer == "21 noproc");
    CHECK(s.got.ref == s.peer.reference(3));
  });
}

TEST_CASE("frame_router: one end is told to each monitor once", "[dist]") {
  crash_log crashes;
  routed::with_a_peer([](routed::scene& s) -> asio::awaitable<void> {
    co_await s.monitor(1);
    co_await s.monitor(2);
    co_await s.monitor(2); // the same
    co_await s.monitor(3);
    co_await s.demonitor(3);
    co_await s.demonitor(9); // there is none
    co_await s.call(s.tag(4), routed::bytes(routed::add{1}));
    co_await s.next();
    co_await s.to.stop(otpp::exit_reason(otpp::dist::remote_reason(otpp::atom("tired"))));
    std::vector<ref_view> told;
    for (int n = 0; n != 2; ++n) {
      std::string end = co_await s.next();
      CHECK(end == "21 tired");
      CHECK((s.got.ref == s.peer.reference(1) || s.got.ref == s.peer.reference(2)));
    }
    co_await s.call(s.tag(5), bytes_of(97, 1), "nobody");
    co_await s.monitor(6);
    std::string next = co_await s.next();
    CHECK(next == "21 noproc");
    CHECK(s.got.ref == s.peer.reference(6)); // nothing else came before
  });
}

TEST_CASE("frame_router: ping, and what else is said to the node itself", "[dist]") {
  routed::with_a_peer([](routed::scene& s) -> asio::awaitable<void> {
    co_await s.call(s.tag(1), bytes_of(104, 2, 119, 7, "is_auth", 119, 13, "raw@127.0.0.1"), "net_kernel");
    std::string answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.1.0.7>,yes}");
    co_await s.call(s.tag(2), bytes_of(119, 4, "what"), "net_kernel");
    co_await s.send("net_kernel", bytes_of(97, 1));
    co_await s.call(s.tag(3), bytes_of(104, 2, 119, 7, "is_auth", 119, 1, "x"), "net_kernel");
    answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.3.0.7>,yes}");
    CHECK(s.node.statistics().dropped == 2);
  });
}

TEST_CASE("frame_router: OTP's sys", "[dist]") {
  routed::with_a_peer([](routed::scene& s) -> asio::awaitable<void> {
    auto system = [&](std::uint32_t number, std::string what) {
      term_writer out;
      out.tuple(3);
      out.atom("system");
      out.tuple(2);
      otpp::detail::put_pid(out, s.peer.process());
      out.raw(s.tag(number));
      out.raw(what);
      return s.send("server", out.take());
    };
    co_await system(1, bytes_of(119, 9, "get_state"));
    std::string answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.1.0.7>,<<\"what it has seen\">>}");
    co_await system(1, bytes_of(119, 7, "suspend"));
    answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.1.0.7>,{error,unsupported}}");
    co_await s.monitor(2);
    co_await system(3, bytes_of(104, 2, 119, 9, "terminate", 119, 8, "shutdown"));
    answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.3.0.7>,ok}");
    answer = co_await s.next();
    CHECK(answer == "21 shutdown");
    CHECK(s.seen->ended == "shutdown");
  });
}

TEST_CASE("frame_router: a pid of a predecessor, one that was not given out, and aliases", "[dist]") {
  routed::with_a_peer([](routed::scene& s) -> asio::awaitable<void> {
    term_writer out;
    otpp::detail::put_send(out, {"a@127.0.0.1", static_cast<std::uint32_t>(s.to.id()), 0, 1, {}});
    out.raw(routed::bytes(routed::note{1}));
    co_await s.peer.send(out.take());
    otpp::detail::put_alias_send(out, s.peer.process(), s.peer.reference(1));
    out.raw(routed::bytes(routed::note{1}));
    co_await s.peer.send(out.take());
    co_await s.monitor(1, pid_view{"a@127.0.0.1", static_cast<std::uint32_t>(s.to.id()), 0, 1, {}});
    std::string told = co_await s.next();
    CHECK(told == "21 noproc");
    CHECK(s.got.from.creation == 1); // as it was named
    CHECK(s.seen->notes.empty());
    CHECK(s.node.statistics().dropped == 2);
  });
}

TEST_CASE("frame_router: answers of the peer, late ones, foreign ones, and a second one", "[dist]") {
  connection_log log;
  otpp::dist::node_options how = node_table().options("a@127.0.0.1");
  how.tick(2s);
  routed::with_a_peer(how, log, [](routed::scene& s) -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    auto to = s.node.remote("far", "raw@127.0.0.1");
    decltype(ref_view::words) asked{};
    // Reads the next call, and returns what a reply is to begin with.
    auto read_call = [&]() -> asio::awaitable<std::string> {
      std::string monitoring = co_await s.next();
      CHECK(monitoring == "19");
      CHECK(std::get<std::string_view>(s.got.to) == "far");
      asked = s.got.ref.words;
      term_writer tag;
      otpp::detail::put_ref(tag, s.got.ref);
      std::string sent = co_await s.next();
      CHECK(sent.rfind("6 {'$gen_call',{#Pid<a@127.0.0.1.", 0) == 0);
      term_writer out;
      otpp::detail::put_send(out, s.got.from);
      out.tuple(2);
      out.raw(tag.take());
      co_return out.take();
    };
    auto call = in_background(executor, otpp::call_for<routed::again>(to, 30s));
    std::string first = co_await read_call();
    co_await s.peer.send(first + bytes_of(97, 5));
    int answer = co_await call.get();
    CHECK(answer == 5);
    std::string done = co_await s.next();
    CHECK(done == "20"); // the monitor goes
    CHECK(s.got.ref.words == asked);

    // In vain: a second answer, and one of a reference that never was.
    co_await s.peer.send(first + bytes_of(97, 6));
    std::string strange = first;
    strange[strange.size() - 1] = static_cast<char>(strange.back() + 1);
    co_await s.peer.send(strange + bytes_of(97, 7));

    // Nobody waits any more, and the peer is told; a late answer is dropped.
    std::error_code code = co_await code_of(otpp::call_for<routed::again>(to, 20ms));
    CHECK(code == otpp::errc::timeout);
    std::string late = co_await read_call();
    done = co_await s.next();
    CHECK(done == "20");
    CHECK(s.got.ref.words == asked);
    co_await s.peer.send(late + bytes_of(97, 8));

    // Its own error.
    auto failing = in_background(executor, otpp::call_for<routed::again>(to, 30s));
    std::string begin = co_await read_call();
    co_await s.peer.send(begin + bytes_of(104, 2, 119, 5, "error", 119, 4, "full"));
    std::exception_ptr failed = co_await failure_of(failing.get());
    CHECK(text_of(failed) == "full");
    CHECK_THROWS_AS(std::rethrow_exception(failed), otpp::dist::remote_error);
    CHECK(s.node.peers().size() == 1);
    CHECK(s.node.statistics().unknown == 0);
  });
}

TEST_CASE("frame_router: more calls and monitors than may be open end the connection", "[dist]") {
  otpp::dist::node_options how = node_table().options("a@127.0.0.1");
  otpp::dist::node_limits limits;
  limits.open = 5;
  how.limits(limits);
  for (bool is_monitor : {true, false}) {
    connection_log log;
    routed::with_a_peer(how, log, [&](routed::scene& s) -> asio::awaitable<void> {
      for (std::uint32_t n = 1; n != 6; ++n) {
        if (is_monitor) {
          co_await s.monitor(n);
        } else {
          co_await s.call(s.tag(n), routed::bytes(routed::keep()));
        }
      }
      co_await s.call(s.tag(100), bytes_of(119, 1, "x"), "nobody"); // is over at once
      co_await s.call(bytes_of(97, 1), bytes_of(104, 2, 119, 7, "is_auth", 97, 1), "net_kernel");
      std::string answer = co_await s.next();
      CHECK(answer == "2 {1,yes}");
      CHECK(s.node.peers().size() == 1);
      co_await s.call(s.tag(6), routed::bytes(routed::keep()));
      co_await s.peer.wait_for_end();
      co_await until_later([&] { return s.node.peers().empty(); });
      co_await until_later([&] { return log.has("node_limits::open"); });
      for (const auto& each : s.seen->kept) {
        CHECK_FALSE(each.is_waiting());
      }
    });
  }
}

TEST_CASE("frame_router: what no node would send ends the connection, and not the node", "[dist]") {
  std::vector<std::string> all{
      "x",
      bytes_of(131),
      bytes_of(112, 131),
      bytes_of(112, 131, 104, 1, 97, 99),
      bytes_of(112, 131, 97, 1),
      bytes_of(131, 68, 0, 104, 1, 97, 1),
      std::string(1000, '\xFF')};
  for (const std::string& each : all) {
    connection_log log;
    routed::with_a_peer(
        node_table().options("a@127.0.0.1"), log, [&](routed::scene& s) -> asio::awaitable<void> {
          co_await s.peer.send(each);
          co_await s.peer.wait_for_end();
          co_await until_later([&] { return s.node.peers().empty(); });
          co_await until_later([&] { return log.has("bytes that are no message of Erlang's distribution"); });
          raw_peer again(co_await asio::this_coro::executor, "raw@127.0.0.1");
          co_await again.connect(s.node.local_endpoint(), "a@127.0.0.1");
          CHECK_FALSE(s.node.process().has_ended());
        });
  }
}

TEST_CASE("frame_router: one reference of two calls, as of a request that was passed on", "[dist]") {
  routed::with_a_peer([](routed::scene& s) -> asio::awaitable<void> {
    co_await s.call(s.tag(1), routed::bytes(routed::keep()));
    co_await s.call(s.tag(1), routed::bytes(routed::keep()));
    co_await until_later([&] { return s.seen->kept.size() == 2; });
    CHECK(s.seen->kept[1].reply(5));
    std::string answer = co_await s.next();
    CHECK(answer == "2 {#Ref<raw@127.0.0.1.1.0.7>,5}");
    CHECK(s.seen->kept[0].is_waiting());
    co_await s.demonitor(1); // of the first
    co_await until_later([&] { return !s.seen->kept[0].is_waiting(); });
  });
}
