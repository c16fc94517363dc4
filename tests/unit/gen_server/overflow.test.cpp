// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/overflow.hpp>

#include <otpp/dropped_message.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/receive.hpp>
#include <otpp/process/spawn.hpp>
#include <otpp/request/send_request.hpp>
#include <otpp/supervisor/supervisor.hpp>
#include <otpp/sys/statistics.hpp>
#include <otpp/sys/suspend.hpp>
#include <otpp/timer.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using otpp::overflow;

namespace {

using scribe_at = otpp::server_ref<scribe>;

// A server with two places, both of which are taken, and which handles nothing until `go_on`.
asio::awaitable<scribe_at> full_server(overflow what, journal said, event go_on) {
  otpp::options how = otpp::named("full").mailbox_limit(2).when_full(what);
  auto server = co_await otpp::start<scribe>(how, said);
  co_await otpp::cast<scribe::hold>(server, go_on);
  co_await until([&] { return go_on.is_awaited(); });
  co_await otpp::cast<scribe::note>(server, "a");
  co_await otpp::cast<scribe::note>(server, "b");
  co_return server;
}

// What is dropped while it lives.
class drop_log {
 public:
  std::string text;

 private:
  otpp::subscription heard_ =
      otpp::subscribe<otpp::dropped_message>([this](const otpp::dropped_message& one) {
        text += one.was_full ? std::string(one.message) + ' ' : "left ";
      });
};

} // namespace

TEST_CASE("overflow: refuse tells every sender at once, and drops nothing", "[overflow]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    drop_log log;
    auto server = co_await full_server(overflow::refuse, said, go_on);
    std::error_code code = co_await code_of(otpp::cast<scribe::note>(server, "c"));
    CHECK(code == otpp::errc::mailbox_full);
    code = co_await code_of(otpp::call<scribe::ask>(server, 1));
    CHECK(code == otpp::errc::mailbox_full);
    pending<> sent;
    otpp::cast<scribe::note>(server, "c", sent.token());
    code = co_await sent.code();
    CHECK(code == otpp::errc::mailbox_full);
    CHECK_FALSE(otpp::try_cast<scribe::note>(server, "c"));
    auto request = otpp::send_request<scribe::ask>(server, 1);
    code = co_await code_of(request.wait());
    CHECK(code == otpp::errc::mailbox_full);
    otpp::send_after(0s, server, scribe::note{"timer"}); // needs no room
    co_await some_steps();
    pending<> stopped;
    server.stop(stopped.token());
    go_on.happen();
    co_await stopped.get();
    CHECK(said.text() == "hold held a b info-timer terminate:normal");
    CHECK(log.text.empty());
  });
}

TEST_CASE("overflow: drop_newest drops what finds no room, and tells who listens", "[overflow]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    drop_log log;
    auto server = co_await full_server(overflow::drop_newest, said, go_on);
    co_await otpp::cast<scribe::note>(server, "c");
    pending<> sent;
    otpp::cast<scribe::hold>(server, go_on, sent.token());
    co_await sent.get();
    std::error_code code = co_await code_of(otpp::call<scribe::ask>(server, 1));
    CHECK(code == otpp::errc::mailbox_full);
    CHECK(log.text == "scribe::note scribe::hold scribe::ask ");
    CHECK_FALSE(otpp::try_cast<scribe::note>(server, "d")); // its sender knows
    CHECK(log.text == "scribe::note scribe::hold scribe::ask ");
    go_on.happen();
    co_await server.stop();
    CHECK(said.text() == "hold held a b terminate:normal");
  });
}

TEST_CASE("overflow: drop_oldest drops the oldest that needs room, in order", "[overflow]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    drop_log log;
    auto server = co_await full_server(overflow::drop_oldest, said, go_on);
    pending<int> first;
    otpp::call<scribe::ask>(server, 1, first.token()); // drops a
    CHECK(otpp::try_cast<scribe::note>(server, "c"));  // drops b
    otpp::send_after(0s, server, scribe::note{"timer"});
    co_await some_steps();
    co_await otpp::cast<scribe::note>(server, "d"); // drops the call, not the message of the timer
    std::error_code code = co_await first.code();
    CHECK(code == otpp::errc::mailbox_full);
    CHECK(log.text == "scribe::note scribe::note scribe::ask ");
    pending<> stopped;
    server.stop(stopped.token());
    co_await otpp::cast<scribe::note>(server, "e"); // drops c
    go_on.happen();
    co_await stopped.get();
    CHECK(said.text() == "hold held info-timer d terminate:normal"); // e came after the stop
    CHECK(log.text == "scribe::note scribe::note scribe::ask scribe::note left ");
  });
}

TEST_CASE("overflow: drop_oldest serves calls, and a server that sleeps between them", "[overflow]") {
  run([]() -> asio::awaitable<void> {
    otpp::options how = otpp::options().mailbox_limit(1).when_full(overflow::drop_oldest);
    journal said;
    auto server = co_await otpp::start<scribe>(how, said);
    for (int n = 0; n != 200; ++n) {
      int answer = co_await otpp::call<scribe::ask>(server, n);
      CHECK(answer == n);
      co_await some_steps();
    }
    co_await otpp::suspend(server);
    co_await otpp::cast<scribe::note>(server, "x");
    co_await otpp::cast<scribe::note>(server, "y");
    co_await otpp::resume(server);
    co_await server.stop();
    CHECK(said.text().find("ask199 y terminate") != std::string::npos);
  });
}

TEST_CASE("overflow: what drop_oldest leaves is answered at the end", "[overflow]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    otpp::options how = otpp::options().mailbox_limit(2).when_full(overflow::drop_oldest);
    auto server = co_await otpp::start<scribe>(how, said);
    co_await otpp::cast<scribe::hold>(server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    pending<int> left;
    otpp::call<scribe::ask>(server, 1, left.token());
    otpp::exit(server, otpp::exit_reason::shutdown());
    std::error_code code = co_await left.code();
    CHECK(code == otpp::errc::exited);
    CHECK_FALSE(otpp::try_cast<scribe::note>(server, "late"));
  });
}

TEST_CASE("overflow: a coroutine receives what drop_oldest has kept", "[overflow]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto body = [said, go_on]() mutable -> asio::awaitable<void> {
      co_await go_on.wait();
      scribe::note first = co_await otpp::receive<scribe::note>();
      said.add(first.word);
      int number = co_await otpp::receive<int>();
      said.add(std::to_string(number));
      scribe::note late = co_await otpp::receive<scribe::note>();
      said.add(late.word);
    };
    otpp::options how = otpp::options().mailbox_limit(2).when_full(overflow::drop_oldest);
    auto process = co_await otpp::spawn(how, body);
    co_await otpp::send<scribe::note>(process, "a");
    co_await otpp::send<int>(process, 7);
    co_await otpp::send<scribe::note>(process, "b"); // drops a
    go_on.happen();
    co_await until([&] { return said.text() == "b 7"; });
    co_await otpp::send<int>(process, 8);
    co_await otpp::send<scribe::note>(process, "c"); // wakes the body
    co_await process.join();
    CHECK(said.text() == "b 7 c");
  });
}

TEST_CASE(
    "overflow: children have both options, and statistics count what is dropped and skipped", "[overflow]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    otpp::child_spec spec = otpp::child<scribe>("s", said);
    spec.named("full").mailbox_limit(2).when_full(overflow::drop_oldest).skip_abandoned();
    otpp::supervisor_spec tree;
    tree.add(spec);
    auto top = co_await otpp::start_supervisor(tree);
    auto server = *otpp::whereis<scribe>("full");
    co_await otpp::statistics(server, true);
    co_await otpp::cast<scribe::hold>(server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    co_await otpp::cast<scribe::note>(server, "a");
    co_await otpp::cast<scribe::note>(server, "b");
    std::error_code code = co_await code_of(otpp::call_for<scribe::ask>(server, 0s, 1)); // drops a
    CHECK(code == otpp::errc::timeout);
    go_on.happen();
    auto seen = co_await otpp::statistics(server);
    CHECK(seen->dropped == 1);
    CHECK(seen->skipped == 1);
    CHECK(seen->queue_length == 0);
    co_await otpp::statistics(server, true);
    seen = co_await otpp::statistics(server);
    CHECK(seen->dropped == 0);
    co_await top.stop();
    CHECK(said.text().find("hold held b") == 0); // the call was skipped
    CHECK(said.text().find("ask") == std::string::npos);
  });
}

TEST_CASE("overflow: a call that is abandoned is handled unless it is to be skipped", "[overflow]") {
  run([]() -> asio::awaitable<void> {
    for (bool skips : {false, true}) {
      journal said;
      event go_on;
      otpp::options how = skips ? otpp::options().skip_abandoned() : otpp::options();
      auto server = co_await otpp::start<scribe>(how, said);
      co_await otpp::cast<scribe::hold>(server, go_on);
      co_await until([&] { return go_on.is_awaited(); });
      {
        auto abandoned = otpp::send_request<scribe::ask>(server, 1);
      }
      auto kept = otpp::send_request<scribe::ask>(server, 2);
      go_on.happen();
      int answer = co_await kept.wait();
      CHECK(answer == 2);
      co_await server.stop();
      CHECK(
          said.text() ==
          (skips ? "hold held ask2 terminate:normal" : "hold held ask1 ask2 terminate:normal"));
    }
  });
}

TEST_CASE("overflow: threads that send to a server that drops the oldest lose nothing else", "[overflow]") {
  struct tally {
    struct add {
      std::atomic<int>* handled;
    };
    struct ask {
      using reply_type = int;
    };
    int init() { return 0; }
    void handle_cast(add m, int&) { ++*m.handled; }
    int handle_call(ask, int&) { return 1; }
  };
  std::atomic<int> handled{0};
  std::atomic<int> answered{0};
  std::atomic<int> dropped{0};
  otpp::subscription log =
      otpp::subscribe<otpp::dropped_message>([&](const otpp::dropped_message&) { ++dropped; });
  asio::thread_pool pool(2);
  otpp::options how =
      otpp::options().on(pool.get_executor()).mailbox_limit(3).when_full(overflow::drop_oldest);
  auto server = otpp::start<tally>(how, asio::use_future).get();
  constexpr int rounds = 3000;
  std::vector<std::thread> threads;
  for (int t = 0; t != 2; ++t) {
    threads.emplace_back([&] {
      for (int n = 0; n != rounds; ++n) {
        CHECK(otpp::try_cast<tally::add>(server, &handled));
        if (n % 100 == 0) {
          try {
            answered += otpp::call<tally::ask>(server, asio::use_future).get();
          } catch (const otpp::error& e) {
            CHECK(e.code() == otpp::errc::mailbox_full);
            ++answered;
          }
        }
      }
    });
  }
  for (std::thread& one : threads) {
    one.join();
  }
  server.stop(asio::use_future).get();
  pool.join();
  CHECK(answered == 60);
  CHECK(handled + dropped >= 2 * rounds);
  CHECK(handled + dropped <= 2 * rounds + 60);
}
