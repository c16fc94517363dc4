// SPDX-License-Identifier: BSL-1.0

#include <otpp/request/multi_call.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/self.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

namespace {

// One of several: it answers with its number, or is slow.
struct station {
  struct number {
    using reply_type = int;
  };
  struct slow {
    using reply_type = int;
  };
  struct release {
    using reply_type = int; // how many were still waiting
  };
  struct set {
    int n;
  };
  struct ask {
    std::vector<otpp::server_ref<station>> whom;
    using reply_type = int; // how many have answered
  };
  struct fragile { // can be copied so many times
    explicit fragile(int copies) : left(copies) {}
    fragile(fragile&&) = default;
    fragile(const fragile& other) : left(other.left) {
      if (other.left-- == 0) {
        throw std::runtime_error("no copy");
      }
    }
    mutable int left;
    using reply_type = int;
  };
  using messages = otpp::message_list<number, set>;
  struct state {
    int n;
    std::vector<otpp::caller<int>> kept;
  };

  state init(int n) { return state{n, {}}; }
  int handle_call(number, state& s) { return s.n; }
  void handle_call(slow, otpp::caller<int> from, state& s) { s.kept.push_back(std::move(from)); }
  int handle_call(release, state& s) {
    int waiting = 0;
    for (otpp::caller<int>& from : s.kept) {
      waiting += from.reply(s.n) ? 1 : 0;
    }
    s.kept.clear();
    return waiting;
  }
  int handle_call(fragile, state& s) { return s.n; }
  void handle_cast(set m, state& s) { s.n = m.n; }
  asio::awaitable<int> handle_call(ask m, state&) {
    auto answers = co_await otpp::multi_call<number>(m.whom, 1s);
    int answered = 0;
    for (const otpp::response<int>& one : answers) {
      answered += one.has_value() ? 1 : 0;
      if (!one.has_value() && code_of(one.error()) != otpp::errc::calling_self) {
        answered = -100;
      }
    }
    co_return answered;
  }
};

using node_ref = otpp::server_ref<station>;

asio::awaitable<std::vector<node_ref>> start_nodes(int count) {
  std::vector<node_ref> nodes;
  for (int n = 0; n != count; ++n) {
    node_ref one = co_await otpp::start<station>(n);
    nodes.push_back(one);
  }
  co_return nodes;
}

asio::awaitable<void> stop_nodes(std::vector<node_ref> nodes) {
  for (const node_ref& one : nodes) {
    co_await failure_of(one.stop());
  }
}

} // namespace

TEST_CASE("multi_call: all are asked, and the answers come in the order of the addresses", "[multi_call]") {
  run([]() -> asio::awaitable<void> {
    std::vector<node_ref> nodes = co_await start_nodes(5);
    nodes.push_back(nodes[2]);
    auto answers = co_await otpp::multi_call<station::number>(nodes, 1s);
    REQUIRE(answers.size() == 6);
    for (int n = 0; n != 6; ++n) {
      CHECK(answers[static_cast<std::size_t>(n)].value() == (n == 5 ? 2 : n));
    }
    std::vector<node_ref> nobody;
    for (otpp::duration timeout : {otpp::infinite, otpp::duration(0), otpp::duration(-1)}) {
      auto none = co_await otpp::multi_call<station::number>(nobody, timeout);
      CHECK(none.empty());
    }
    co_await stop_nodes(nodes);
  });
}

TEST_CASE("multi_call: one that is missing has its error in its place", "[multi_call]") {
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<station>(otpp::named("mc-1"), 1);
    auto third = co_await otpp::start<station>(otpp::named("mc-3"), 3);
    std::vector<const char*> names{"mc-1", "mc-2", "mc-3"};
    auto answers = co_await otpp::multi_call<station::number>(names, 1s);
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].value() == 1);
    CHECK(code_of(answers[1].error()) == otpp::errc::no_process);
    CHECK(answers[2].value() == 3);
    co_await third.stop();
    using name = otpp::server_name<station>;
    std::vector<name> typed{name("mc-1"), name("mc-3")};
    answers = co_await otpp::multi_call<station::number>(typed, 1s);
    CHECK(answers[0].has_value());
    CHECK_FALSE(answers[1].has_value());
    answers = co_await otpp::multi_call<station::slow>(names, 1s); // is on no list
    CHECK(code_of(answers[0].error()) == otpp::errc::bad_message);
    co_await first.stop();
  });
}

TEST_CASE("multi_call: who is too late is a timeout in its place, and is abandoned", "[multi_call]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      std::vector<node_ref> nodes = co_await start_nodes(3);
      auto begin = one.now();
      co_await nodes[1].stop();
      auto answers = co_await otpp::multi_call<station::slow>(nodes, 2s);
      CHECK(one.now() - begin == 2s);
      REQUIRE(answers.size() == 3);
      CHECK(code_of(answers[0].error()) == otpp::errc::timeout);
      CHECK(code_of(answers[1].error()) == otpp::errc::no_process);
      CHECK(code_of(answers[2].error()) == otpp::errc::timeout);
      int waiting = co_await otpp::call<station::release>(nodes[0]);
      CHECK(waiting == 0);
      answers = co_await otpp::multi_call<station::slow>(nodes, -1s);
      CHECK(code_of(answers[2].error()) == otpp::errc::timeout);
      CHECK(one.now() - begin == 2s);
      co_await stop_nodes(nodes);
    });
    one.run();
  });
}

TEST_CASE("multi_call: a handler that asks its own server too hears that in its place", "[multi_call]") {
  run([]() -> asio::awaitable<void> {
    std::vector<node_ref> nodes = co_await start_nodes(3);
    int answered = co_await otpp::call<station::ask>(nodes[1], nodes);
    CHECK(answered == 2);
    co_await stop_nodes(nodes);
  });
}

TEST_CASE("multi_call: a message that cannot be copied to all is sent to none", "[multi_call]") {
  run([]() -> asio::awaitable<void> {
    std::vector<node_ref> nodes = co_await start_nodes(3);
    std::exception_ptr why = co_await failure_of(otpp::multi_call<station::fragile>(nodes, 1s, 2));
    CHECK(text_of(why) == "no copy");
    auto answers = co_await otpp::multi_call<station::fragile>(nodes, 1s, 3);
    CHECK(answers[2].value() == 2);
    co_await stop_nodes(nodes);
  });
}

TEST_CASE("multi_call: cancellation ends it, and abandons all", "[multi_call]") {
  run([]() -> asio::awaitable<void> {
    std::vector<node_ref> nodes = co_await start_nodes(2);
    asio::cancellation_signal signal;
    ending how;
    auto token = asio::bind_cancellation_slot(
        signal.slot(), [&](std::exception_ptr error, auto&&) { how.write(std::move(error)); });
    otpp::multi_call<station::slow>(nodes, otpp::infinite, token);
    co_await some_steps();
    CHECK(how.times == 0);
    signal.emit(asio::cancellation_type::terminal);
    co_await until([&] { return how.times == 1; });
    CHECK(how.code == asio::error::operation_aborted);
    int waiting = co_await otpp::call<station::release>(nodes[1]);
    CHECK(waiting == 0);
    co_await stop_nodes(nodes);
  });
}

TEST_CASE("multi_call: in every order there is one response from each, whatever ends", "[multi_call]") {
  explore(orders::all(2), [](world& one) {
    std::optional<otpp::testing::context> other(one);
    std::vector<node_ref> nodes;
    one.spawn_on(*other, "there", [&]() -> asio::awaitable<void> { nodes = co_await start_nodes(1); });
    one.run_in_order();
    bool is_over = false;
    one.spawn("client", [&]() -> asio::awaitable<void> {
      std::vector<node_ref> here = co_await start_nodes(1);
      nodes.push_back(here[0]);
      auto answers = co_await otpp::multi_call<station::slow>(nodes, 1s);
      one.check(answers.size() == 2, "not two");
      for (const otpp::response<int>& answer : answers) {
        one.check(answer.has_value() || answer.error(), "neither answer nor error");
      }
      is_over = true;
    });
    one.may("there is an answer", [&] {
      if (nodes.size() == 2 && other) {
        otpp::call<station::release>(nodes[0], forget);
      }
    });
    one.may("the other context is destroyed", [&] { other.reset(); });
    one.may_destroy_main_context();
    one.run();
    one.check(is_over || !one.has_main_context(), "it never ended");
  });
}

TEST_CASE("multi_call: from a thread, on a pool", "[multi_call]") {
  asio::thread_pool pool(2);
  std::vector<node_ref> nodes;
  for (int n = 0; n != 8; ++n) {
    nodes.push_back(otpp::start<station>(otpp::options().on(pool.get_executor()), n, asio::use_future).get());
  }
  for (int round = 0; round != 50; ++round) {
    auto answers = otpp::multi_call<station::number>(nodes, 10s, asio::use_future).get();
    int sum = 0;
    for (const otpp::response<int>& one : answers) {
      sum += one.value();
    }
    CHECK(sum == 28);
    auto late = otpp::multi_call<station::slow>(nodes, 1us, asio::use_future).get();
    CHECK(late.size() == 8);
  }
  for (const node_ref& one : nodes) {
    one.stop(asio::use_future).get();
  }
  pool.join();
}

TEST_CASE("multi_call: broadcast casts to all, and says how many took it", "[multi_call]") {
  run([]() -> asio::awaitable<void> {
    std::vector<node_ref> nodes = co_await start_nodes(3);
    std::size_t taken = otpp::broadcast<station::set>(nodes, 7);
    CHECK(taken == 3);
    auto answers = co_await otpp::multi_call<station::number>(nodes, 1s);
    CHECK(answers[0].value() + answers[1].value() + answers[2].value() == 21);
    co_await nodes[1].stop();
    taken = otpp::broadcast<station::set>(nodes, 8);
    CHECK(taken == 2);
    std::vector<std::string> names{"mc-nobody"};
    taken = otpp::broadcast<station::set>(names, 9);
    CHECK(taken == 0);
    co_await stop_nodes(nodes);
  });
}

TEST_CASE("multi_call: pids are asked, and told by broadcast", "[multi_call]") {
  run([]() -> asio::awaitable<void> {
    auto one = co_await otpp::start<counter>(1);
    auto two = co_await otpp::start<counter>(2);
    std::vector<otpp::pid> all{one, otpp::pid(), two};
    std::vector<otpp::response<int>> answers = co_await otpp::multi_call<counter::get>(all, 1s);
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].value() == 1);
    CHECK(answers[1].error());
    CHECK(answers[2].value() == 2);
    CHECK(otpp::broadcast<counter::set>(all, 7) == 2);
    int seven = co_await otpp::call<counter::get>(two);
    CHECK(seven == 7);
    co_await one.stop();
    co_await two.stop();
  });
}
