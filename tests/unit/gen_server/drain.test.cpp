// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/drain.hpp> // the header under test comes first

#include <otpp/dropped_message.hpp>
#include <otpp/otpp.hpp>
#include <otpp/process.hpp>
#include <otpp/request.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

namespace {

// Waits in the time of the world.
asio::awaitable<void> pause_for(otpp::duration time) {
  std::error_code why = co_await code_of(otpp::wait_for_name<counter>("nobody-has-this-name", time));
  if (why != otpp::errc::timeout) {
    throw std::system_error(why);
  }
}

// A server whose work takes time, in each of the ways in which a server may have some.
struct drained_shop {
  struct later { // answered by a coroutine
    otpp::duration time;
    using reply_type = int;
  };
  struct fetch { // asks another server
    otpp::server_ref<counter> from;
    using reply_type = int;
  };
  struct think { // waits in its handler
    otpp::duration time;
  };
  struct count_down {
    int n;
  };
  struct wait_for_end { // answered when it drains
    using reply_type = int;
  };
  using messages = otpp::message_list<later, fetch, think, count_down, wait_for_end>;

  struct state {
    journal said;
    std::optional<otpp::caller<int>> waiting;
  };

  state init(journal said) { return {std::move(said), std::nullopt}; }

  void handle_call(later m, otpp::caller<int> from, state& s) {
    otpp::co_spawn(answer_later(m.time, std::move(from), s.said));
  }
  asio::awaitable<int> handle_call(fetch m, state& s) {
    int value = co_await otpp::call<counter::get>(m.from);
    s.said.add("fetched");
    co_return value;
  }
  void handle_call(wait_for_end, otpp::caller<int> from, state& s) { s.waiting = std::move(from); }
  asio::awaitable<void> handle_cast(think m, state& s) {
    s.said.add("thinks");
    co_await pause_for(m.time);
    s.said.add("thought");
  }
  asio::awaitable<void> handle_cast(count_down m, state& s) {
    s.said.add(std::to_string(m.n));
    if (m.n > 0) {
      co_await otpp::cast<count_down>(otpp::self<drained_shop>(), m.n - 1);
    }
  }
  void handle_info(otpp::draining, state& s) {
    s.said.add("draining");
    if (s.waiting) {
      s.waiting->reply(7);
    }
  }
  void terminate(const otpp::exit_reason& reason, state& s) { s.said.add("terminate:" + reason.message()); }

 private:
  static asio::awaitable<void> answer_later(otpp::duration time, otpp::caller<int> from, journal said) {
    co_await pause_for(time);
    said.add("answers");
    from.reply(1);
  }
};

asio::awaitable<void> start_work_and_drain() {
  journal said;
  auto server = co_await otpp::start<scribe>(said);
  pending<int> first;
  otpp::call<scribe::ask>(server, 1, first.token());
  co_await server.drain(1h);
  int value = co_await first.get();
  CHECK(value == 1);
  CHECK(said.text() == "ask1 terminate:normal");
}

// A server whose coroutine asks the server itself, and whose init may take time.
struct drained_mill {
  struct walk {
    int rounds;
  };
  struct grind {
    int n;
    using reply_type = int;
  };

  asio::awaitable<journal> init(journal said, otpp::duration time) {
    if (time != otpp::duration::zero()) {
      co_await pause_for(time);
    }
    co_return said;
  }
  void handle_cast(walk m, journal& said) { otpp::co_spawn(go(m.rounds, said)); }
  int handle_call(grind m, journal& said) {
    said.add(std::to_string(m.n));
    return m.n;
  }
  void terminate(const otpp::exit_reason& reason, journal& said) {
    said.add("terminate:" + reason.message());
  }

 private:
  static asio::awaitable<void> go(int rounds, journal said) {
    co_await pause_for(1s);
    for (int n = 0; n != rounds; ++n) {
      int answer = co_await otpp::call<grind>(otpp::self<drained_mill>(), n);
      CHECK(answer == n);
    }
    said.add("over");
  }
};

// Gives two servers work, and has the program told to end.
asio::awaitable<void> drained_user() {
  for (const char* name : {"drain-first", "drain-second"}) {
    co_await otpp::cast<scribe::note>(otpp::server_name<scribe>{name}, std::string(name));
  }
  std::raise(SIGTERM);
  co_await otpp::receive<int>();
}

} // namespace

TEST_CASE("drain: leaves nothing behind wherever it ends", "[drain]") {
  run(start_work_and_drain);
  CHECK(abandon_at_every_step(start_work_and_drain) > 1);
}

TEST_CASE("drain: what is queued is done, and what is new is refused", "[drain]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await otpp::start<scribe>(otpp::named("drain-queued"), said);
    co_await otpp::cast<scribe::hold>(server, go_on);
    co_await otpp::cast<scribe::note>(server, "a");
    pending<int> asked;
    otpp::call<scribe::ask>(server, 1, asked.token());
    pending<> drained;
    otpp::drain("drain-queued", 1h, otpp::exit_reason::shutdown(), drained.token());

    std::error_code call = co_await code_of(otpp::call<scribe::ask>(server, 2));
    std::error_code cast = co_await code_of(otpp::cast<scribe::note>("drain-queued", "b"));
    std::error_code info = co_await code_of(otpp::send<scribe::note>(server, "c"));
    pending<> told;
    otpp::cast<scribe::note>(server, "d", told.token());
    std::error_code callback = co_await told.code();
    auto asked_for = otpp::send_request<scribe::ask>(server, 3);
    std::error_code request = co_await code_of(asked_for.receive());
    CHECK(call == otpp::errc::draining);
    CHECK(cast == otpp::errc::draining);
    CHECK(info == otpp::errc::draining);
    CHECK(callback == otpp::errc::draining);
    CHECK(request == otpp::errc::draining);
    CHECK_FALSE(otpp::try_cast<scribe::note>(server, "e"));
    CHECK_FALSE(server.has_ended());

    go_on.happen();
    int value = co_await asked.get();
    CHECK(value == 1);
    co_await drained.get();
    CHECK(said.text() == "hold held a ask1 terminate:shutdown");
    std::error_code late = co_await code_of(server.drain(1h));
    CHECK(late == otpp::errc::no_process);
    std::error_code nobody = co_await code_of(otpp::pid().drain(1h));
    CHECK(nobody == otpp::errc::no_process);
  });
}

TEST_CASE("drain: who stands in line for room when it begins has been accepted", "[drain]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await otpp::start<scribe>(otpp::options().mailbox_limit(1), said);
    co_await otpp::cast<scribe::hold>(server, go_on);
    std::vector<otpp::request_handle<int>> asked;
    for (int n = 1; n != 4; ++n) {
      asked.push_back(otpp::send_request<scribe::ask>(server, n));
    }
    pending<> waiting;
    otpp::cast<scribe::note>(server, "line", waiting.token());
    pending<> drained;
    otpp::pid(server).drain(1h, drained.token());
    std::error_code refused = co_await code_of(otpp::cast<scribe::note>(server, "new"));
    CHECK(refused == otpp::errc::draining);
    CHECK_FALSE(waiting.is_done());
    go_on.happen();
    co_await drained.get();
    co_await waiting.get();
    CHECK(said.text() == "hold held ask1 ask2 ask3 line terminate:normal");
    for (auto& one : asked) {
      int answer = co_await one.receive();
      CHECK(answer > 0);
    }
  });
}

TEST_CASE(
    "drain: kept callers, coroutines, calls to others and messages to itself are waited for", "[drain]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      journal said;
      auto other = co_await otpp::start<counter>(5);
      auto shop = co_await otpp::start<drained_shop>(said);
      pending<int> later;
      pending<int> fetched;
      pending<int> at_the_end;
      otpp::call_for<drained_shop::wait_for_end>(shop, otpp::infinite, at_the_end.token());
      otpp::call_for<drained_shop::later>(shop, otpp::infinite, 2s, later.token());
      co_await otpp::cast<drained_shop::think>(shop, 1s);
      otpp::call_for<drained_shop::fetch>(shop, otpp::infinite, other, fetched.token());
      co_await otpp::cast<drained_shop::count_down>(shop, 2);
      co_await shop.drain(1min);
      CHECK(said.text() == "thinks thought fetched 2 draining 1 0 answers terminate:normal");
      int slow = co_await later.get();
      int value = co_await fetched.get();
      int last = co_await at_the_end.get();
      CHECK(slow == 1);
      CHECK(value == 5);
      CHECK(last == 7);
    });
    one.run();
  });
}

TEST_CASE("drain: at the deadline the handler is cancelled, and the rest is told", "[drain]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      journal said;
      auto shop = co_await otpp::start<drained_shop>(said);
      pending<int> kept;
      pending<int> queued;
      otpp::call_for<drained_shop::later>(shop, otpp::infinite, 1h, kept.token());
      co_await otpp::cast<drained_shop::think>(shop, 1h);
      otpp::call_for<drained_shop::later>(shop, otpp::infinite, 1s, queued.token());
      auto begin = one.now();
      pending<> slow;
      shop.drain(otpp::infinite, otpp::exit_reason::shutdown(), slow.token());
      std::error_code drained = co_await code_of(shop.drain(3s)); // brings the deadline forward
      CHECK(drained == otpp::errc::timeout);
      CHECK(one.now() - begin == 3s);
      std::error_code first = co_await kept.code();
      std::error_code second = co_await queued.code();
      std::error_code late = co_await slow.code();
      CHECK(first == otpp::errc::exited); // its coroutine was cancelled
      CHECK(second == otpp::errc::exited);
      CHECK(late == otpp::errc::timeout);
      CHECK(said.text() == "thinks terminate:shutdown");
    });
    one.run();
  });
}

TEST_CASE("drain: an idle server ends at once, and timers do not hold it up", "[drain]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      journal said;
      auto server = co_await otpp::start<scribe>(said);
      otpp::send_after(1h, server, scribe::note{"timer"});
      auto begin = one.now();
      co_await server.drain(10s);
      CHECK(one.now() == begin);
      CHECK(said.text() == "terminate:normal");
      auto body = co_await otpp::spawn([]() -> asio::awaitable<void> { co_await otpp::receive<int>(); });
      std::error_code cut = co_await code_of(body.drain(10s));
      CHECK(cut == otpp::errc::timeout); // a coroutine ends when it returns
      CHECK(one.now() - begin == 10s);
    });
    one.run();
  });
}

TEST_CASE("drain: in every order each message is done, or its sender is told", "[drain]") {
  explore(orders::all(2), [](world& one) {
    int accepted = 0;
    int handled = 0;
    journal said;
    std::optional<otpp::server_ref<scribe>> shared;
    event started;
    one.spawn("owner", [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<scribe>(said);
      shared = server;
      started.happen();
      co_await server.drain(otpp::infinite);
    });
    one.spawn("client", [&]() -> asio::awaitable<void> {
      co_await started.wait();
      std::error_code cast = co_await code_of(otpp::cast<scribe::note>(*shared, "n"));
      accepted += cast ? 0 : 1;
      std::error_code call = co_await code_of(otpp::call<scribe::ask>(*shared, 1));
      bool is_told = call == otpp::errc::draining || call == otpp::errc::no_process;
      one.check(!call || is_told, ("a call ends otherwise: " + call.message()).c_str());
      accepted += call ? 0 : 1;
      one.check(!cast || call, "the first is refused, and the second is not");
    });
    one.run();
    std::string text = said.text();
    handled = (text.find("n ") == 0 ? 1 : 0) + (text.find("ask1") != std::string::npos ? 1 : 0);
    one.check(handled == accepted, ("accepted " + std::to_string(accepted) + ", handled: " + text).c_str());
    one.check(text.find("terminate:normal") != std::string::npos, "it has not ended");
  });
}

TEST_CASE("drain: a supervisor drains its children, in reverse order, by one deadline", "[drain]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      journal said;
      auto inner = otpp::supervisor_spec().add(otpp::child<drained_shop>("shop", said).named("drain-inner"));
      auto spec = otpp::supervisor_spec()
                      .add(otpp::child<otpp::supervisor>("inner", inner))
                      .add(otpp::child<drained_shop>("outer", said).named("drain-outer"));
      for (auto within : {10s, 5s}) {
        auto top = co_await otpp::start_supervisor(spec);
        auto first = *otpp::whereis<drained_shop>("drain-outer");
        co_await otpp::cast<drained_shop::think>(first, 3s);
        auto second = *otpp::whereis<drained_shop>("drain-inner");
        co_await otpp::cast<drained_shop::think>(second, 7s);
        auto begin = one.now();
        std::error_code drained = co_await code_of(top.drain(within, otpp::exit_reason::shutdown()));
        CHECK(drained == (within == 10s ? std::error_code() : otpp::errc::timeout));
        CHECK(one.now() - begin == (within == 10s ? 7s : 5s));
        said.add("|");
      }
      CHECK(
          said.text() ==
          "thinks thinks thought draining terminate:shutdown thought draining terminate:shutdown | "
          "thinks thinks thought draining terminate:shutdown terminate:shutdown |");
    });
    one.run();
  });
}

TEST_CASE("drain: a supervisor that ends drains the children whose specification says so", "[drain]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      journal said;
      auto spec = otpp::supervisor_spec()
                      .add(otpp::child<drained_shop>("plain", said))
                      .add(otpp::child<drained_shop>("drained", said).drain(1min));
      auto top = co_await otpp::start_supervisor(spec);
      auto children = co_await otpp::which_children(top);
      for (auto& child : children) {
        co_await otpp::cast<drained_shop::think>(*child.who.as<drained_shop>(), 2s);
      }
      co_await top.stop();
      CHECK(said.text() == "thinks thinks thought thought draining terminate:shutdown");

      said = {};
      auto many = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().drain(1min));
      for (auto time : {4s, 3s}) {
        otpp::pid who = co_await otpp::start_child(many, otpp::child<drained_shop>("one", said));
        co_await otpp::cast<drained_shop::think>(*who.as<drained_shop>(), time);
      }
      auto begin = one.now();
      co_await many.stop();
      CHECK(one.now() - begin == 4s);
      CHECK(
          said.text() ==
          "thinks thinks thought draining terminate:shutdown thought draining terminate:shutdown");
    });
    one.run();
  });
}

TEST_CASE("drain: in every mode of a full mailbox what it has is done, and nothing is dropped", "[drain]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      using otpp::overflow;
      int dropped = 0;
      otpp::subscription log =
          otpp::subscribe<otpp::dropped_message>([&](const otpp::dropped_message&) { ++dropped; });
      for (overflow what : {overflow::wait, overflow::refuse, overflow::drop_newest, overflow::drop_oldest}) {
        journal said;
        event go_on;
        otpp::options how = otpp::options().mailbox_limit(1).when_full(what).priority<scribe::crash>();
        auto server = co_await otpp::start<scribe>(how, said);
        co_await otpp::cast<scribe::hold>(server, go_on);
        co_await pause_for(1s);
        co_await otpp::cast<scribe::note>(server, "a");
        pending<> line;
        if (what == overflow::wait) {
          otpp::cast<scribe::note>(server, "b", line.token());
        }
        pending<> drained;
        server.drain(1h, drained.token());
        std::error_code cast = co_await code_of(otpp::cast<scribe::note>(server, "c"));
        std::error_code call = co_await code_of(otpp::call<scribe::ask>(server, 1));
        std::error_code first = co_await code_of(otpp::call<scribe::crash>(server));
        CHECK(cast == otpp::errc::draining);
        CHECK(call == otpp::errc::draining);
        CHECK(first == otpp::errc::draining);
        CHECK_FALSE(otpp::try_cast<scribe::note>(server, "d"));
        pending<std::string> looked; // ahead of what it has
        otpp::inspect(
            server, [](const scribe::state& s) { return s.said.text(); }, 1min, otpp::ahead, looked.token());
        go_on.happen();
        std::string seen = co_await looked.get();
        CHECK(seen == "hold held");
        co_await drained.get();
        CHECK(
            said.text() ==
            (what == overflow::wait ? "hold held a b terminate:normal" : "hold held a terminate:normal"));

        journal ground; // what its coroutine sends to the server is its own
        how = otpp::options().mailbox_limit(1).when_full(what).skip_abandoned();
        auto mill = co_await otpp::start<drained_mill>(how, ground, 0s);
        co_await otpp::cast<drained_mill::walk>(mill, 3);
        auto begin = one.now();
        co_await mill.drain(1h);
        CHECK(one.now() - begin == 1s);
        CHECK(ground.text() == "0 1 2 over terminate:normal");
      }
      CHECK(dropped == 0);
    });
    one.run();
  });
}

TEST_CASE("drain: at the deadline who stands in line is told, and a suspended server ends, too", "[drain]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      journal said;
      event never;
      auto server = co_await otpp::start<scribe>(otpp::options().mailbox_limit(1), said);
      co_await otpp::cast<scribe::hold>(server, never);
      co_await pause_for(1s);
      co_await otpp::cast<scribe::note>(server, "a");
      pending<> line;
      otpp::cast<scribe::note>(server, "b", line.token());
      pending<int> asked;
      otpp::call_for<scribe::ask>(server, otpp::infinite, 1, asked.token());
      std::error_code late = co_await code_of(server.drain(3s));
      std::error_code cast = co_await line.code();
      std::error_code call = co_await asked.code();
      CHECK(late == otpp::errc::timeout);
      CHECK(cast == otpp::errc::exited);
      CHECK(call == otpp::errc::exited);
      CHECK(said.text() == "hold terminate:normal");

      for (bool resumes : {true, false}) {
        for (auto what : {otpp::overflow::wait, otpp::overflow::drop_oldest}) {
          journal heard;
          auto other = co_await otpp::start<scribe>(otpp::options().mailbox_limit(1).when_full(what), heard);
          co_await otpp::suspend(other);
          co_await otpp::cast<scribe::note>(other, "a");
          pending<> drained;
          other.drain(10s, drained.token());
          co_await pause_for(2s);
          CHECK(heard.text().empty());
          if (resumes) {
            co_await otpp::resume(other);
          }
          std::error_code code = co_await drained.code();
          CHECK(code == (resumes ? std::error_code() : otpp::errc::timeout));
          CHECK(heard.text() == (resumes ? "a terminate:normal" : "terminate:normal"));
        }
      }
    });
    one.run();
  });
}

TEST_CASE("drain: a coroutine that drops the oldest receives what it has", "[drain]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      journal said;
      auto body = [said]() -> asio::awaitable<void> {
        co_await pause_for(1s);
        for (int n = 0; n != 2; ++n) {
          int next = co_await otpp::receive<int>();
          said.add(std::to_string(next));
        }
        co_await otpp::send<int>(otpp::self(), 5); // its own
        int own = co_await otpp::receive<int>();
        said.add(std::to_string(own));
      };
      auto process =
          co_await otpp::spawn(otpp::options().mailbox_limit(2).when_full(otpp::overflow::drop_oldest), body);
      for (int n = 0; n != 3; ++n) {
        co_await otpp::send<int>(process, n);
      }
      auto begin = one.now();
      pending<> drained;
      process.drain(1h, drained.token());
      std::error_code code = co_await code_of(otpp::send<int>(process, 4));
      CHECK(code == otpp::errc::draining);
      co_await drained.get();
      CHECK(one.now() - begin == 1s);
      CHECK(said.text() == "1 2 5");
    });
    one.run();
  });
}

TEST_CASE("drain: SIGTERM drains a tree of otpp::run, if it was asked to", "[drain]") {
  journal said;
  auto spec = otpp::supervisor_spec()
                  .add(otpp::child<scribe>("first", said).named("drain-first"))
                  .add(otpp::child<scribe>("second", said).named("drain-second"))
                  .add(otpp::child("user", [] { return drained_user(); }));
  CHECK(otpp::run(spec, otpp::run_options().drain(5s)) == 0);
  CHECK(said.text() == "drain-first drain-second terminate:shutdown terminate:shutdown");
}
