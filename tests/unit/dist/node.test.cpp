// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/node.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/registry/registry.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/probe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace opened {

struct get {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("get");
};
struct note {
  int n;
  static constexpr auto term = otpp::as::tagged("note");
};
struct keep {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("keep");
};

// Keeps its callers.
struct keeper {
  using messages = otpp::message_list<get, note, keep>;

  struct seen {
    std::vector<otpp::caller<int>> kept;
    std::size_t wanted = 1;
    event asked; // so many have called
    int notes = 0;
    bool in_order = true;
  };
  using state = std::shared_ptr<seen>;

  static state init(state s) { return s; }
  static int handle_call(get, state& s) { return s->notes; }
  static void handle_call(keep, otpp::caller<int> from, state& s) {
    s->kept.push_back(std::move(from));
    if (s->kept.size() == s->wanted) {
      s->asked.happen();
    }
  }
  static void handle_cast(note one, state& s) { s->in_order = one.n == ++s->notes && s->in_order; }
};

asio::awaitable<std::shared_ptr<keeper::seen>> keeper_at(otpp::dist::node& node) {
  auto made = std::make_shared<keeper::seen>();
  auto server = co_await otpp::start<keeper>(made);
  node.publish(server, "keeper");
  co_return made;
}

// Starts so many calls of the keeper, and waits until all have come.
asio::awaitable<std::vector<pending<int>>> call_often(
    otpp::dist::remote_name<> to, std::size_t number, keeper::seen& at) {
  at.wanted = at.kept.size() + number;
  at.asked = event();
  std::vector<pending<int>> calls(number);
  for (pending<int>& each : calls) {
    each = pending<int>();
    otpp::call_for<keep>(to, 30s, each.token());
  }
  co_await at.asked.wait();
  co_return calls;
}

// All have ended with this, each once.
asio::awaitable<void> all_end_with(std::vector<pending<int>>& calls, otpp::errc code) {
  for (pending<int>& each : calls) {
    std::error_code found = co_await each.code();
    CHECK(found == code);
    CHECK(each.times() == 1);
  }
}

bool has_words(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

} // namespace opened
} // namespace

TEST_CASE("node: a handle of none", "[dist]") {
  run_long([]() -> asio::awaitable<void> {
    otpp::dist::node none;
    CHECK_FALSE(none);
    CHECK(none.name().empty());
    CHECK(none.peers().empty());
    CHECK(none.local_endpoint().port() == 0);
    CHECK_FALSE(none.process());
    CHECK(none.statistics().peers == 0);
    CHECK_FALSE(none.unpublish("x"));
    none.disconnect("b@127.0.0.1");
    otpp::error failed = co_await error_of(none.connect("b@127.0.0.1"));
    CHECK(failed.code() == otpp::errc::no_process);
    std::error_code code = co_await code_of(none.close());
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(none.join());
    CHECK(code == otpp::errc::no_process);
    try {
      none.publish(otpp::server_name<opened::keeper>("keeper"));
      FAIL("it has published");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::no_process);
    }
  });
}

TEST_CASE("node: a handle that was moved from is one of none", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    otpp::dist::node moved = std::move(nodes.a);
    CHECK_FALSE(nodes.a);
    CHECK(nodes.a.name().empty());
    std::error_code code = co_await code_of(nodes.a.connect("b@127.0.0.1"));
    CHECK(code == otpp::errc::no_process);
    CHECK(moved.name() == "a@127.0.0.1");
    nodes.a = moved; // a copy is the same node
    CHECK(nodes.a.process() == moved.process());
  });
}

TEST_CASE("node: what cannot be opened", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    for (const char* name : {"", "@", "a@", "@host", "a b@host", "a@b@c"}) {
      std::exception_ptr error = co_await failure_of(otpp::dist::open(table.options(name)));
      INFO(name);
      REQUIRE(error);
      CHECK_THROWS_AS(std::rethrow_exception(error), std::invalid_argument);
    }
    otpp::dist::node_options no_cookie("a@127.0.0.1");
    no_cookie.no_epmd().cookie_file("/nowhere/at/all");
    std::exception_ptr missing = co_await failure_of(otpp::dist::open(no_cookie));
    CHECK(opened::has_words(text_of(missing), "otpp: no cookie: there is no file /nowhere/at/all"));

    // Somebody listens there.
    asio::ip::tcp::endpoint loopback(asio::ip::address_v4::loopback(), 0);
    asio::ip::tcp::acceptor taken(co_await asio::this_coro::executor, loopback, false);
    otpp::dist::node_options there = table.options("a@127.0.0.1");
    there.listen(taken.local_endpoint());
    std::error_code code = co_await code_of(otpp::dist::open(there));
    CHECK(code == asio::error::address_in_use);
  });
}

TEST_CASE("node: names, and where it listens", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    node_table table;
    otpp::dist::node short_named = co_await table.open("short");
    CHECK(short_named.name().rfind("short@", 0) == 0);
    CHECK(short_named.name().find('.') == std::string::npos);
    otpp::dist::node_options silent = table.options("silent@127.0.0.1");
    silent.no_listen();
    otpp::dist::node nowhere = co_await otpp::dist::open(silent);
    CHECK(nowhere.local_endpoint().port() == 0);
    otpp::dist::node b = co_await table.open("b@127.0.0.1");
    CHECK(b.local_endpoint().port() != 0);
    CHECK(b.local_endpoint().address().is_loopback());
    co_await nowhere.connect("b@127.0.0.1"); // it can connect all the same
    CHECK(b.peers() == std::vector<std::string>{"silent@127.0.0.1"});
    co_await short_named.close();
    co_await nowhere.close();
    co_await b.close();
  });
}

TEST_CASE("node: names are published, taken back, and taken", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto seen = co_await opened::keeper_at(nodes.b);
    auto to = nodes.a.remote("keeper", "b@127.0.0.1");
    int none = co_await otpp::call<opened::get>(to);
    CHECK(none == 0);
    try {
      nodes.b.publish(otpp::server_name<opened::keeper>("keeper"));
      FAIL("it has published twice");
    } catch (const otpp::error& error) {
      CHECK(error.code() == otpp::errc::name_taken);
      CHECK(opened::has_words(error.what(), "\"keeper\""));
    }
    CHECK_THROWS_AS(
        nodes.b.publish(otpp::server_name<opened::keeper>("keeper"), std::string(256, 'x')),
        std::invalid_argument);

    // A call that has come is still answered.
    auto calls = co_await opened::call_often(to, 1, *seen);
    CHECK(nodes.b.unpublish("keeper"));
    CHECK_FALSE(nodes.b.unpublish("keeper"));
    std::error_code code = co_await code_of(otpp::call<opened::get>(to));
    CHECK(code == otpp::errc::no_process);
    CHECK(seen->kept.at(0).reply(7));
    int answer = co_await calls[0].get();
    CHECK(answer == 7);

    // A name follows restarts.
    nodes.b.publish(otpp::server_name<opened::keeper>("node.test"), "keeper");
    code = co_await code_of(otpp::call<opened::get>(to));
    CHECK(code == otpp::errc::no_process);
    for (int n = 0; n != 2; ++n) {
      auto server = co_await otpp::start<opened::keeper>(otpp::named("node.test"), seen);
      int notes = co_await otpp::call<opened::get>(to);
      CHECK(notes == 0);
      co_await server.stop();
      code = co_await code_of(otpp::call<opened::get>(to));
      CHECK(code == otpp::errc::no_process);
    }
  });
}

TEST_CASE("node: connects at once if it is connected, and several may wait", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    std::vector<pending<>> all(5);
    for (pending<>& each : all) {
      each = pending<>();
      nodes.a.connect("b@127.0.0.1", each.token());
    }
    for (pending<>& each : all) {
      std::error_code code = co_await each.code();
      CHECK_FALSE(code);
    }
    co_await nodes.a.connect("b@127.0.0.1");
    CHECK(nodes.a.peers() == std::vector<std::string>{"b@127.0.0.1"});
    CHECK(nodes.b.peers() == std::vector<std::string>{"a@127.0.0.1"});
    CHECK(nodes.a.statistics().peers == 1);
    CHECK(nodes.b.statistics().refused == 0);
  });
}

TEST_CASE("node: a wait for a connection is cancelled, and the attempt goes on", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    asio::cancellation_signal cancel;
    pending<> waiting;
    nodes.a.connect("b@127.0.0.1", asio::bind_cancellation_slot(cancel.slot(), waiting.token()));
    cancel.emit(asio::cancellation_type::terminal);
    std::error_code code = co_await waiting.code();
    CHECK(code == asio::error::operation_aborted);
    co_await until_later([&] { return nodes.a.peers().size() == 1; });
  });
}

TEST_CASE("node: a peer that is unknown, or does not answer", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    std::exception_ptr unknown = co_await failure_of(nodes.a.connect("c@127.0.0.1"));
    CHECK(opened::has_words(text_of(unknown), "the table has no c@127.0.0.1")); // what the resolver throws
    asio::ip::tcp::endpoint nowhere;
    {
      asio::ip::tcp::endpoint loopback(asio::ip::address_v4::loopback(), 0);
      asio::ip::tcp::acceptor there(co_await asio::this_coro::executor, loopback, false);
      nowhere = there.local_endpoint();
    }
    nodes.table.add("c@127.0.0.1", nowhere);
    otpp::error nobody = co_await error_of(nodes.a.connect("c@127.0.0.1"));
    CHECK(nobody.code() == otpp::errc::no_connection);
    CHECK(opened::has_words(
        nobody.what(), "otpp: connection with c@127.0.0.1: nobody answers at 127.0.0.1 port"));

    otpp::error call = co_await error_of(otpp::call<opened::get>(nodes.a.remote("x", "c@127.0.0.1")));
    CHECK(call.code() == otpp::errc::no_connection);
    CHECK(opened::has_words(call.what(), "nobody answers at 127.0.0.1 port"));
    co_await otpp::cast<opened::note>(nodes.a.remote("x", "c@127.0.0.1"), 1); // silent
    co_await until_later([&] { return nodes.a.statistics().dropped == 1; });

    // Another node is there.
    nodes.table.add("c@127.0.0.1", nodes.b.local_endpoint());
    otpp::error another = co_await error_of(nodes.a.connect("c@127.0.0.1"));
    CHECK(another.code() == otpp::errc::no_connection);
    CHECK(opened::has_words(another.what(), "the node that answers calls itself 'b@127.0.0.1'"));

    // It is the node itself.
    otpp::error itself = co_await error_of(nodes.a.connect("a@127.0.0.1"));
    CHECK(itself.code() == otpp::errc::no_connection);
    CHECK(nodes.a.peers().empty());
  });
}

TEST_CASE("node: a disconnect ends each open call once, and use connects again", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto seen = co_await opened::keeper_at(nodes.b);
    auto to = nodes.a.remote("keeper", "b@127.0.0.1");
    for (int round = 0; round != 3; ++round) {
      seen->kept.clear();
      std::vector<pending<int>> calls = co_await opened::call_often(to, 20, *seen);
      (round == 1 ? nodes.b : nodes.a).disconnect(round == 1 ? "a@127.0.0.1" : "b@127.0.0.1");
      co_await opened::all_end_with(calls, otpp::errc::no_connection);
      co_await until_later([&] { return nodes.a.peers().empty() && nodes.b.peers().empty(); });
      for (const auto& each : seen->kept) {
        CHECK_FALSE(each.is_waiting());
      }
      CHECK_FALSE(seen->kept[0].reply(1));
      int notes = co_await otpp::call<opened::get>(to);
      CHECK(notes == 0);
      CHECK(nodes.a.peers().size() == 1);
    }
    nodes.a.disconnect("somebody@127.0.0.1"); // nothing happens
    int notes = co_await otpp::call<opened::get>(to);
    CHECK(notes == 0);
  });
}

TEST_CASE("node: the caller's node is closed during calls", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto seen = co_await opened::keeper_at(nodes.b);
    std::vector<pending<int>> calls =
        co_await opened::call_often(nodes.a.remote("keeper", "b@127.0.0.1"), 20, *seen);
    co_await nodes.a.close();
    for (pending<int>& each : calls) {
      std::error_code code = co_await each.code();
      // The name's stand-in ends with the node, or hears of the connection's end first.
      CHECK((code == otpp::errc::no_connection || code == otpp::errc::exited));
      CHECK(each.times() == 1);
    }
    co_await until_later([&] { return !seen->kept[0].is_waiting(); });
    CHECK(nodes.b.peers().empty());
    std::error_code code = co_await code_of(nodes.a.close());
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(nodes.a.connect("b@127.0.0.1"));
    CHECK(code == otpp::errc::no_process);
    CHECK(nodes.a.peers().empty());
  });
}

TEST_CASE("node: the server's node is closed during calls", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto seen = co_await opened::keeper_at(nodes.b);
    auto to = nodes.a.remote("keeper", "b@127.0.0.1");
    std::vector<pending<int>> calls = co_await opened::call_often(to, 20, *seen);
    co_await nodes.b.close();
    co_await opened::all_end_with(calls, otpp::errc::no_connection);
    for (const auto& each : seen->kept) {
      CHECK_FALSE(each.is_waiting());
    }
    std::error_code code = co_await code_of(otpp::call<opened::get>(to));
    CHECK(code == otpp::errc::no_connection);

    // A new node of the name.
    nodes.b = co_await nodes.table.open("b@127.0.0.1");
    code = co_await code_of(otpp::call<opened::get>(to));
    CHECK(code == otpp::errc::no_process);
    co_await opened::keeper_at(nodes.b);
    int notes = co_await otpp::call<opened::get>(to);
    CHECK(notes == 0);
  });
}

TEST_CASE("node: what was answered before it is closed is written", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    auto seen = co_await opened::keeper_at(nodes.b);
    std::vector<pending<int>> calls =
        co_await opened::call_often(nodes.a.remote("keeper", "b@127.0.0.1"), 20, *seen);
    pending<> closed;
    for (auto& each : seen->kept) {
      CHECK(each.reply(4));
    }
    co_await some_steps(); // the answers reach the connection
    nodes.b.close(closed.token());
    for (pending<int>& each : calls) {
      int answer = co_await each.get();
      CHECK(answer == 4);
    }
    co_await closed.get();
  });
}

TEST_CASE("node: is joined, and monitored, by those who wait for its end", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    pending<otpp::exit_reason> joined;
    nodes.a.join(joined.token());
    co_await some_steps();
    CHECK_FALSE(joined.is_done());
    CHECK_FALSE(nodes.a.process().has_ended());
    co_await nodes.a.close();
    otpp::exit_reason why = co_await joined.get();
    CHECK(why == otpp::exit_reason::normal());
    CHECK(nodes.a.process().has_ended());
  });
}

TEST_CASE("node: closing, disconnecting and being disconnected crash nothing", "[dist]") {
  crash_log crashes;
  for (int how = 0; how != 4; ++how) {
    with_two_nodes([&](two_nodes& nodes) -> asio::awaitable<void> {
      auto seen = co_await opened::keeper_at(nodes.b);
      auto to = nodes.a.remote("keeper", "b@127.0.0.1");
      co_await otpp::call<opened::get>(to);
      if (how == 1) {
        nodes.a.disconnect("b@127.0.0.1");
        co_await until_later([&] { return nodes.a.peers().empty() && nodes.b.peers().empty(); });
      } else if (how == 2) {
        co_await nodes.a.close();
      } else if (how == 3) {
        auto a = in_background(co_await asio::this_coro::executor, nodes.a.close());
        co_await nodes.b.close();
        co_await a.get();
      }
    });
  }
  CHECK(crashes.texts() == std::vector<std::string>());
}

TEST_CASE("node: its context goes while calls are open", "[dist]") {
  connection_log log;
  for (int threads = 0; threads != 3; ++threads) {
    auto context = std::make_unique<asio::io_context>();
    auto seen = std::make_shared<opened::keeper::seen>();
    bool is_open = false;
    std::vector<pending<int>> calls;
    auto body = [&]() -> asio::awaitable<void> {
      two_nodes nodes = co_await open_two_nodes();
      auto server = co_await otpp::start<opened::keeper>(seen);
      nodes.b.publish(server, "keeper");
      calls = co_await opened::call_often(nodes.a.remote("keeper", "b@127.0.0.1"), 5, *seen);
      if (threads == 1) {
        nodes.a.disconnect("b@127.0.0.1");
      } else if (threads == 2) {
        otpp::send<opened::note>(nodes.a.remote("keeper", "b@127.0.0.1"), 1, pending<>().token());
      }
      is_open = true;
    };
    asio::co_spawn(*context, body(), [](std::exception_ptr error) {
      if (error) {
        std::rethrow_exception(error);
      }
    });
    while (!is_open) {
      context->run_one();
    }
    context.reset();
    for (const pending<int>& each : calls) {
      CHECK(each.times() <= 1);
    }
  }
}

TEST_CASE("node: leaves nothing behind wherever its context ends", "[dist]") {
  connection_log log;
  // The number of steps differs, because sockets are ready when they like.
  auto body = [](bool& is_over) -> asio::awaitable<void> {
    two_nodes nodes = co_await open_two_nodes();
    auto seen = co_await opened::keeper_at(nodes.b);
    auto to = nodes.a.remote("keeper", "b@127.0.0.1");
    co_await otpp::cast<opened::note>(to, 1);
    co_await otpp::call<opened::get>(to);
    co_await close_two_nodes(nodes);
    is_over = true;
  };
  std::size_t steps = 0;
  for (bool is_over = false; !is_over; steps += steps < 150 ? 1 : 7) {
    asio::io_context context;
    asio::co_spawn(context, body(is_over), [](std::exception_ptr) {});
    for (std::size_t step = 0; step != steps && !context.stopped(); ++step) {
      context.run_one();
    }
    REQUIRE(steps < 20'000);
  }
  CHECK(steps > 20);
}

TEST_CASE("node: is opened with a future", "[dist]") {
  asio::thread_pool pool(1);
  otpp::dist::node_options how = node_table().options("a@127.0.0.1");
  otpp::dist::node node = otpp::dist::open(how.on(pool.get_executor()), asio::use_future).get();
  CHECK(node.name() == "a@127.0.0.1");
  node.close(asio::use_future).get();
  pool.join();
}

TEST_CASE("node: is used from many threads", "[dist]") {
  connection_log log;
  asio::thread_pool pool(4);
  two_nodes nodes;
  auto on_pool = [&](std::string name) {
    otpp::dist::node_options how = nodes.table.options(std::move(name));
    how.on(pool.get_executor());
    return asio::co_spawn(pool, nodes.table.open(how), asio::use_future).get();
  };
  nodes.a = on_pool("a@127.0.0.1");
  nodes.b = on_pool("b@127.0.0.1");
  auto server =
      otpp::start<opened::keeper>(
          otpp::options().on(pool.get_executor()), std::make_shared<opened::keeper::seen>(), asio::use_future)
          .get();
  nodes.b.publish(server, "keeper");
  std::vector<std::future<void>> all;
  std::atomic<int> answers{0};
  for (int n = 0; n != 8; ++n) {
    all.push_back(asio::co_spawn(
        pool,
        [](two_nodes& both, std::atomic<int>& count) -> asio::awaitable<void> {
          auto to = both.a.remote("keeper", "b@127.0.0.1");
          for (int round = 0; round != 50; ++round) {
            co_await otpp::call_for<opened::get>(to, 30s);
            ++count;
          }
        }(nodes, answers),
        asio::use_future));
  }
  for (auto& each : all) {
    each.get();
  }
  CHECK(answers == 400);
  nodes.a.close(asio::use_future).get();
  nodes.b.close(asio::use_future).get();
  server.stop(asio::use_future).get();
  pool.join();
}

namespace {
namespace opened {

// Calls again and again, and counts what comes of it.
struct tally {
  std::atomic<int> answers{0};
  std::atomic<int> lost{0};
  std::atomic<int> others{0};
};

asio::awaitable<void> call_in_a_row(otpp::dist::remote_name<> to, int rounds, tally& all) {
  for (int round = 0; round != rounds; ++round) {
    std::error_code code = co_await code_of(otpp::call_for<get>(to, 60s));
    if (!code) {
      ++all.answers;
    } else if (
        code == otpp::errc::no_connection || code == otpp::errc::no_process || code == otpp::errc::exited) {
      ++all.lost;
    } else {
      ++all.others;
    }
  }
}

} // namespace opened
} // namespace

TEST_CASE("node: many threads call, while connections come and go, and nodes are closed", "[dist]") {
  connection_log log;
  for (int round = 0; round != 3; ++round) {
    asio::thread_pool pool(4);
    two_nodes nodes;
    auto open = [&](std::string name) {
      otpp::dist::node_options how = nodes.table.options(std::move(name));
      how.on(asio::make_strand(pool));
      return asio::co_spawn(pool, nodes.table.open(how), asio::use_future).get();
    };
    nodes.a = open("a@127.0.0.1");
    nodes.b = open("b@127.0.0.1");
    auto server = otpp::start<opened::keeper>(
                      otpp::options().on(pool.get_executor()), std::make_shared<opened::keeper::seen>(),
                      asio::use_future)
                      .get();
    nodes.a.publish(server, "keeper");
    nodes.b.publish(server, "keeper");
    opened::tally all;
    std::vector<std::future<void>> calling;
    for (int n = 0; n != 8; ++n) {
      auto to =
          n % 2 == 0 ? nodes.a.remote("keeper", "b@127.0.0.1") : nodes.b.remote("keeper", "a@127.0.0.1");
      calling.push_back(asio::co_spawn(pool, opened::call_in_a_row(to, 100, all), asio::use_future));
    }
    for (int n = 0; n != 30; ++n) {
      (n % 2 == 0 ? nodes.a : nodes.b).disconnect(n % 2 == 0 ? "b@127.0.0.1" : "a@127.0.0.1");
      nodes.a.connect("b@127.0.0.1", [](std::exception_ptr) {});
      CHECK(nodes.a.peers().size() <= 1);
      std::this_thread::yield();
    }
    if (round == 1) {
      nodes.a.close(asio::use_future).get();
    } else if (round == 2) {
      nodes.b.close(asio::use_future).get();
    }
    for (auto& each : calling) {
      each.get();
    }
    CHECK(all.answers + all.lost == 800);
    CHECK(all.others == 0);
    if (round != 1) {
      nodes.a.close(asio::use_future).get();
    }
    if (round != 2) {
      nodes.b.close(asio::use_future).get();
    }
    server.stop(asio::use_future).get();
    pool.join();
  }
}
