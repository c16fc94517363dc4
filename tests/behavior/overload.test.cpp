// SPDX-License-Identifier: BSL-1.0

// What comes before the messages that are queued: options().priority<M...>(), and what is sent with otpp::ahead. And in every
// order of events, that and a mailbox that drops the oldest.

#include <otpp/dropped_message.hpp>
#include <otpp/gen_server.hpp>
#include <otpp/process.hpp>
#include <otpp/request/send_request.hpp>
#include <otpp/sys.hpp>
#include <otpp/testing/explore.hpp>
#include <otpp/timer.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <variant>

using namespace std::chrono_literals;
using otpp::overflow;

namespace {

// A scribe that handles nothing until `go_on`.
asio::awaitable<otpp::server_ref<scribe>> held_scribe(otpp::options how, journal said, event go_on) {
  auto server = co_await otpp::start<scribe>(std::move(how), said);
  co_await otpp::cast<scribe::hold>(server, go_on);
  co_await until([&] { return go_on.is_awaited(); });
  co_return server;
}

// A server that traps exits, and writes down what ends.
struct mourner {
  struct watch {
    otpp::pid whom;
    using reply_type = void;
  };
  struct hold {
    event until;
  };
  struct note {
    std::string word;
  };

  journal init(journal said) {
    otpp::trap_exit();
    return said;
  }
  void handle_call(watch m, journal&) { otpp::monitor(m.whom); }
  asio::awaitable<void> handle_cast(hold m, journal&) { co_await m.until.wait(); }
  void handle_cast(note m, journal& said) { said.add(m.word); }
  void handle_info(otpp::down, journal& said) { said.add("down"); }
  void handle_info(otpp::exit_signal m, journal& said) { said.add("exit:" + m.reason.message()); }
};

} // namespace

TEST_CASE("priority: its messages come first, in order, and the others keep theirs", "[priority]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await held_scribe(otpp::options().priority<scribe::ask, scribe::drop>(), said, go_on);
    co_await otpp::cast<scribe::note>(server, "a");
    auto first = otpp::send_request<scribe::ask>(server, 1);
    co_await otpp::cast<scribe::note>(server, "b");
    pending<int> second;
    otpp::call<scribe::ask>(server, 2, second.token());
    go_on.happen();
    int answer = co_await first.wait();
    CHECK(answer == 1);
    answer = co_await second.get();
    CHECK(answer == 2);
    answer = co_await otpp::call<scribe::ask>(server, 3); // of a server that sleeps
    CHECK(answer == 3);
    co_await server.stop();
    CHECK(said.text() == "hold held ask1 ask2 a b ask3 terminate:normal");
  });
}

TEST_CASE("priority: a full mailbox takes its messages, and drops none of them", "[priority]") {
  run([]() -> asio::awaitable<void> {
    for (overflow what : {overflow::wait, overflow::refuse, overflow::drop_newest, overflow::drop_oldest}) {
      journal said;
      event go_on;
      otpp::options how = otpp::options().mailbox_limit(1).when_full(what).priority<scribe::ask>();
      auto server = co_await held_scribe(how, said, go_on);
      co_await otpp::cast<scribe::note>(server, "a");
      pending<> waits; // for room, or drops a message, or is refused
      otpp::cast<scribe::note>(server, "b", waits.token());
      pending<int> one;
      otpp::call<scribe::ask>(server, 1, one.token());
      pending<int> two;
      otpp::call<scribe::ask>(server, 2, two.token());
      go_on.happen();
      int answer = co_await one.get();
      CHECK(answer == 1);
      answer = co_await two.get();
      CHECK(answer == 2);
      co_await server.stop();
      std::string last = what == overflow::wait ? "a b" : what == overflow::drop_oldest ? "b" : "a";
      CHECK(said.text() == "hold held ask1 ask2 " + last + " terminate:normal");
    }
  });
}

TEST_CASE("priority: news of an end and timers have it, too, if they are named", "[priority]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto other = co_await otpp::start<scribe>(journal());
    auto server = co_await otpp::start<mourner>(otpp::options().priority<otpp::down, int>(), said);
    co_await otpp::call<mourner::watch>(server, other);
    co_await otpp::cast<mourner::hold>(server, go_on);
    co_await otpp::cast<mourner::note>(server, "a");
    co_await other.stop();
    otpp::exit(server, otpp::exit_reason("late"));
    otpp::exit(server, otpp::exit_reason("early"), otpp::ahead);
    go_on.happen();
    co_await server.stop();
    CHECK(said.text() == "down exit:early a exit:late");
  });
}

TEST_CASE("priority: an exit signal with ahead overtakes what is queued", "[priority]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await otpp::start<mourner>(said);
    otpp::exit(server, otpp::exit_reason("to one that sleeps"), otpp::ahead);
    co_await until([&] { return !said.text().empty(); });
    CHECK(said.text() == "exit:to one that sleeps");
    co_await otpp::cast<mourner::hold>(server, go_on);
    co_await otpp::cast<mourner::note>(server, "a");
    otpp::exit(server, otpp::exit_reason("b"), otpp::ahead);
    otpp::exit(server, otpp::exit_reason("c"), otpp::ahead);
    go_on.happen();
    co_await server.stop();
    CHECK(said.text() == "exit:to one that sleeps exit:b exit:c a");
    auto untrapped = co_await otpp::start<scribe>(journal());
    otpp::exit(untrapped, otpp::exit_reason::shutdown(), otpp::ahead);
    otpp::exit_reason why = co_await untrapped.join();
    CHECK(why == otpp::exit_reason::shutdown());
    otpp::exit(untrapped, otpp::exit_reason::shutdown(), otpp::ahead); // nobody: no effect
  });
}

TEST_CASE("priority: the functions of sys with ahead overtake what is queued", "[priority]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await held_scribe(otpp::options(), said, go_on);
    co_await otpp::cast<scribe::note>(server, "a");
    pending<std::string> behind;
    pending<std::string> before;
    auto look = [](const scribe::state& s) { return s.said.text(); };
    otpp::inspect(server, look, behind.token());
    otpp::inspect(server, look, 1s, otpp::ahead, before.token());
    go_on.happen();
    std::string seen = co_await before.get();
    CHECK(seen == "hold held");
    seen = co_await behind.get();
    CHECK(seen == "hold held a");
    co_await otpp::suspend(server, otpp::ahead);
    co_await otpp::cast<scribe::note>(server, "b");
    seen = co_await otpp::inspect(server, look, otpp::ahead);
    CHECK(seen == "hold held a");
    co_await otpp::resume(server, otpp::ahead);
    co_await server.stop();
    CHECK(said.text() == "hold held a b terminate:normal");
    std::error_code code = co_await code_of(otpp::inspect(server, look, otpp::ahead));
    CHECK(code == otpp::errc::no_process);
  });
}

TEST_CASE("priority: receive finds its messages first", "[priority]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto body = [said, go_on]() mutable -> asio::awaitable<void> {
      co_await go_on.wait();
      for (int n = 0; n != 4; ++n) {
        std::variant<scribe::note, int> next = co_await otpp::receive<scribe::note, int>();
        said.add(next.index() == 1 ? std::to_string(std::get<int>(next)) : std::get<scribe::note>(next).word);
      }
    };
    otpp::options how = otpp::options().mailbox_limit(1).priority<int>();
    auto process = co_await otpp::spawn(how, body);
    co_await otpp::send<scribe::note>(process, "a");
    co_await otpp::send<int>(process, 1);
    co_await otpp::send<int>(process, 2);
    go_on.happen();
    co_await until([&] { return said.text() == "1 2 a"; });
    co_await otpp::send<int>(process, 3); // wakes the body
    co_await process.join();
    CHECK(said.text() == "1 2 a 3");
  });
}

TEST_CASE("priority: whoever floods a server does not keep its coroutines from going on", "[priority]") {
  struct busy {
    struct again {};
    struct rest {};
    struct state {
      int rounds = 0;
      int steps = 0;
      bool has_rested = false;
    };
    state init() {
      otpp::try_cast<again>(otpp::self<busy>());
      return {};
    }
    static asio::awaitable<void> walk(state& s) {
      auto executor = co_await asio::this_coro::executor;
      while (s.steps != 100) {
        co_await asio::post(executor, asio::use_awaitable);
        ++s.steps;
      }
    }
    void handle_cast(again, state& s) {
      if (s.rounds++ == 0) {
        otpp::co_spawn(walk(s));
        otpp::try_cast<rest>(otpp::self<busy>());
      }
      if (s.steps != 100 && s.rounds != 100000) {
        otpp::try_cast<again>(otpp::self<busy>());
      }
    }
    void handle_cast(rest, state& s) { s.has_rested = true; }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<busy>(otpp::options().priority<busy::again>());
    int rounds = 0;
    while (rounds == 0) {
      auto look = [](const busy::state& s) { return s.steps == 100 && s.has_rested ? s.rounds : 0; };
      rounds = co_await otpp::inspect(server, look);
    }
    CHECK(rounds < 100000);
    co_await server.stop();
  });
}

// ---- in every order ----

namespace {

// Checks that an ordinary message is handled only while none of the others waits, and both kinds in order.
struct triage {
  struct urgent {
    int n;
  };
  struct plain {
    int n;
  };
  struct slow {};
  struct counts {
    otpp::testing::world* world;
    int sent = 0;
    int handled = 0;
    int plain_handled = 0;
  };

  counts* init(counts* all) { return all; }
  void handle_cast(urgent m, counts*& all) {
    all->world->check(m.n == all->handled, "urgent messages out of order");
    ++all->handled;
  }
  void handle_cast(plain m, counts*& all) {
    all->world->check(all->handled == all->sent, "an urgent message has waited for another");
    all->world->check(m.n == all->plain_handled, "plain messages out of order");
    ++all->plain_handled;
  }
  asio::awaitable<void> handle_cast(slow, counts*&) {
    auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    co_await asio::post(executor, asio::use_awaitable);
  }
};

} // namespace

TEST_CASE("priority: in every order its messages come before the others", "[priority]") {
  using otpp::testing::orders;
  otpp::testing::explore(orders::all(3).at_most(2000), [](otpp::testing::world& world) {
    triage::counts all{&world};
    world.spawn("starter", [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<triage>(otpp::options().priority<triage::urgent>(), &all);
      world.spawn("urgent", [&, server]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        for (int n = 0; n != 3; ++n) {
          all.sent += otpp::try_cast<triage::urgent>(server, n) ? 1 : 0;
          co_await asio::post(executor, asio::use_awaitable);
        }
      });
      co_await otpp::cast<triage::plain>(server, 0);
      co_await otpp::cast<triage::slow>(server);
      co_await otpp::cast<triage::plain>(server, 1);
      co_await otpp::cast<triage::plain>(server, 2);
    });
    world.run();
    world.check(all.handled == 3 && all.plain_handled == 3, "a message is lost");
  });
}

namespace {

// Checks that what each of two senders has sent is handled in order, though with gaps.
struct gap_watch {
  struct note {
    int from;
    int n;
  };
  struct ask {
    using reply_type = int;
  };
  struct state {
    otpp::testing::world* world;
    int* handled;
    int last[2] = {-1, -1};
  };

  state init(otpp::testing::world* world, int* handled) { return {world, handled}; }
  void handle_cast(note m, state& s) {
    s.world->check(m.n > s.last[m.from], "out of order");
    s.last[m.from] = m.n;
    ++*s.handled;
  }
  asio::awaitable<int> handle_call(ask, state& s) {
    auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    ++*s.handled;
    co_return 1;
  }
};

} // namespace

TEST_CASE("overflow: in every order a mailbox that drops the oldest loses nothing unsaid", "[overflow]") {
  using otpp::testing::orders;
  otpp::testing::explore(orders::all(3).at_most(2000), [](otpp::testing::world& world) {
    int handled = 0;
    int dropped = 0;
    int refused = 0;
    otpp::subscription log = otpp::subscribe<otpp::dropped_message>(
        [&](const otpp::dropped_message& one) { dropped += one.was_full ? 1 : 0; });
    world.spawn("starter", [&]() -> asio::awaitable<void> {
      otpp::options how = otpp::options().mailbox_limit(1).when_full(overflow::drop_oldest);
      auto server = co_await otpp::start<gap_watch>(how, &world, &handled);
      for (int from : {0, 1}) {
        world.spawn("sender", [&, server, from]() -> asio::awaitable<void> {
          auto executor = co_await asio::this_coro::executor;
          co_await otpp::cast<gap_watch::note>(server, from, 0);
          co_await asio::post(executor, asio::use_awaitable);
          try {
            co_await otpp::call_for<gap_watch::ask>(server, otpp::infinite);
          } catch (const otpp::error& error) {
            world.check(error.code() == otpp::errc::mailbox_full, "another error");
            ++refused;
          }
          co_await otpp::cast<gap_watch::note>(server, from, 1);
        });
      }
    });
    world.run();
    world.check(handled + dropped == 6, "a message is neither handled nor dropped");
    world.check(refused <= dropped, "a call is refused that was not dropped");
  });
}
