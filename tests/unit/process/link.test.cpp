// SPDX-License-Identifier: BSL-1.0

#include <otpp/process/link.hpp>

#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/sys/inspect.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/relative.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// What erlang(3) says of link, unlink and exit.

namespace {

// Ends when the event happens.
struct slow_to_end {
  event init(event when) { return when; }
  asio::awaitable<void> terminate(const otpp::exit_reason&, event& when) { co_await when.wait(); }
};

struct tied {
  journal said;
  journal other_said;
  otpp::server_ref<relative> server;
  otpp::server_ref<relative> other;
};

asio::awaitable<tied> start_linked(relative::exits how) {
  journal said;
  journal other_said;
  auto server = co_await otpp::start<relative>(said, how);
  auto other = co_await otpp::start<relative>(other_said, end_it);
  co_await otpp::call<relative::join>(server, other);
  co_return tied{said, other_said, server, other};
}

// The other one ends, and what is sent to the server afterwards comes after what the link brings.
asio::awaitable<void> leave(tied& two, otpp::exit_reason why) {
  co_await otpp::cast<relative::leave>(two.other, why);
  co_await two.other.join();
}

} // namespace

TEST_CASE("link: an end that is not normal ends the other, without terminate") {
  run([]() -> asio::awaitable<void> {
    crash_log log;
    tied two = co_await start_linked(end_it);
    co_await leave(two, otpp::exit_reason::shutdown());
    otpp::exit_reason why = co_await two.server.join();
    CHECK(why == otpp::exit_reason::shutdown());
    CHECK(two.said.text().empty());
    CHECK(two.other_said.text() == "terminate:shutdown");
  });
}

TEST_CASE("link: a shutdown with a detail ends the other, with the detail") {
  run([]() -> asio::awaitable<void> {
    crash_log log;
    tied two = co_await start_linked(end_it);
    otpp::exit_reason drained = otpp::exit_reason::shutdown("drained");
    co_await leave(two, drained);
    otpp::exit_reason why = co_await two.server.join();
    CHECK(why == drained);
    CHECK(two.said.text().empty());
    CHECK(log.texts().empty());
  });
}

TEST_CASE("link: a normal end does not end the other") {
  run([]() -> asio::awaitable<void> {
    tied two = co_await start_linked(end_it);
    co_await leave(two, otpp::exit_reason::normal());
    co_await otpp::cast<relative::note>(two.server, "on");
    co_await two.server.stop();
    CHECK(two.said.text() == "on terminate:normal");
  });
}

TEST_CASE("link: one that traps exits is sent the reason, a normal one too") {
  run([]() -> asio::awaitable<void> {
    crash_log log;
    tied two = co_await start_linked(are_trapped);
    SECTION("normal") {
      co_await leave(two, otpp::exit_reason::normal());
      co_await two.server.stop();
      CHECK(two.said.text() == "exit:normal terminate:normal");
    }
    SECTION("a crash") {
      co_await leave(two, boom());
      co_await two.server.stop();
      CHECK(two.said.text() == "exit:boom terminate:normal");
    }
    SECTION("killed, which only kill does untrapped") {
      otpp::kill(two.other);
      co_await two.other.join();
      co_await two.server.stop();
      CHECK(two.said.text() == "exit:killed terminate:normal");
    }
  });
}

TEST_CASE("link: works in both directions, and two links are one") {
  run([]() -> asio::awaitable<void> {
    tied two = co_await start_linked(are_trapped);
    co_await otpp::call<relative::join>(two.server, two.other);
    co_await otpp::call<relative::join>(two.other, two.server);
    SECTION("the one that linked hears once") {
      co_await leave(two, otpp::exit_reason::normal());
      co_await two.server.stop();
      CHECK(two.said.text() == "exit:normal terminate:normal");
    }
    SECTION("the one that was linked ends too") {
      co_await two.server.stop(otpp::exit_reason::shutdown());
      otpp::exit_reason why = co_await two.other.join();
      CHECK(why == otpp::exit_reason::shutdown());
    }
  });
}

TEST_CASE("link: unlink") {
  run([]() -> asio::awaitable<void> {
    tied two = co_await start_linked(are_trapped);
    SECTION("by the one that linked") { co_await otpp::call<relative::part>(two.server, two.other); }
    SECTION("by the other") { co_await otpp::call<relative::part>(two.other, two.server); }
    co_await leave(two, otpp::exit_reason::shutdown());
    co_await two.server.stop();
    CHECK(two.said.text() == "terminate:normal");
  });
}

TEST_CASE("link: with one that has ended, the signal comes at once") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<relative>(said, are_trapped);
    auto other = co_await otpp::start<relative>(journal(), end_it);
    co_await other.stop();
    co_await otpp::call<relative::join>(server, other);
    co_await server.stop();
    CHECK(said.text().find("exit:otpp: link at relative#") == 0);
  });
}

TEST_CASE("link: exit and kill") {
  run([]() -> asio::awaitable<void> {
    crash_log log;
    journal said;
    SECTION("an exit ends one that does not trap it, before what it was sent earlier") {
      auto server = co_await otpp::start<relative>(said, end_it);
      for (int n = 0; n != 3; ++n) {
        otpp::try_cast<relative::note>(server, "unread");
      }
      otpp::exit(server, otpp::exit_reason::shutdown());
      otpp::exit_reason why = co_await server.join();
      CHECK(why == otpp::exit_reason::shutdown());
      CHECK(said.text().empty());
      CHECK(log.dropped() == 3);
    }
    SECTION("a normal one does not") {
      auto server = co_await otpp::start<relative>(said, end_it);
      otpp::exit(server, otpp::exit_reason::normal());
      co_await server.stop();
      CHECK(said.text() == "terminate:normal");
    }
    SECTION("but for one that sends it to itself") {
      auto server = co_await otpp::start<relative>(said, end_it);
      co_await otpp::call<relative::send_exit>(server, server, otpp::exit_reason::normal());
      otpp::exit_reason why = co_await server.join();
      CHECK(why == otpp::exit_reason::normal());
      CHECK(said.text().empty());
    }
    SECTION("one that traps exits is sent it") {
      auto server = co_await otpp::start<relative>(said, are_trapped);
      otpp::exit(server, boom());
      co_await server.stop();
      CHECK(said.text() == "exit:boom terminate:normal");
    }
    SECTION("kill cannot be trapped, and says killed") {
      auto server = co_await otpp::start<relative>(said, are_trapped);
      otpp::kill(server);
      otpp::exit_reason why = co_await server.join();
      CHECK(why == otpp::exit_reason::killed());
      CHECK(said.text().empty());
    }
    SECTION("a handler that waits is cancelled, and its caller hears why") {
      auto server = co_await otpp::start<relative>(said, end_it);
      event never;
      co_await otpp::cast<relative::wait>(server, never);
      co_await until([&] { return never.is_awaited(); });
      std::exception_ptr left;
      otpp::call<relative::part>(server, otpp::pid(), [&](std::exception_ptr error) { left = error; });
      otpp::kill(server);
      co_await server.join();
      co_await until([&] { return left != nullptr; });
      CHECK(said.text() == "wait cancelled");
      CHECK(text_of(left).find("killed") != std::string::npos);
    }
    SECTION("a kill that comes while terminate runs cuts it short, and is the reason") {
      event never;
      auto server = co_await otpp::start<slow_to_end>(never);
      std::exception_ptr stopped;
      server.stop(otpp::exit_reason::shutdown(), [&](std::exception_ptr error) { stopped = error; });
      co_await until([&] { return never.is_awaited(); });
      otpp::kill(server);
      otpp::exit_reason why = co_await server.join();
      CHECK(why == otpp::exit_reason::killed());
      CHECK_FALSE(why.previous()); // what terminate throws when it is cancelled does not count
      co_await until([&] { return stopped != nullptr; });
      CHECK(text_of(stopped).find("(reason: killed)") != std::string::npos);
    }
    SECTION("to nobody, or to one that has ended, nothing happens") {
      auto server = co_await otpp::start<relative>(said, end_it);
      co_await server.stop();
      otpp::exit(server, boom());
      otpp::kill(server);
      otpp::kill(otpp::pid());
      CHECK(said.text() == "terminate:normal");
    }
    CHECK(
        log.texts().size() ==
        (log.dropped() == 3 ? 1U : 0U)); // a signal is no crash, but what it drops is told
  });
}

TEST_CASE("link: start_link ties a server to its parent") {
  run([]() -> asio::awaitable<void> {
    crash_log log;
    journal said;
    auto parent = co_await otpp::start<relative>(said, end_it);
    SECTION("a child that traps exits ends with its parent, after terminate") {
      auto child = co_await otpp::call<relative::bear>(parent, are_trapped);
      co_await parent.stop(otpp::exit_reason::shutdown());
      otpp::exit_reason why = co_await child.join();
      CHECK(why == otpp::exit_reason::shutdown());
      CHECK(said.text() == "terminate:shutdown terminate:shutdown");
    }
    SECTION("one that does not ends without") {
      auto child = co_await otpp::call<relative::bear>(parent, end_it);
      co_await parent.stop(otpp::exit_reason::shutdown());
      co_await child.join();
      CHECK(said.text() == "terminate:shutdown");
    }
    SECTION("a child's crash ends its parent") {
      auto child = co_await otpp::call<relative::bear>(parent, end_it);
      co_await otpp::cast<relative::leave>(child, boom());
      otpp::exit_reason why = co_await parent.join();
      CHECK(why.message() == "boom");
    }
    SECTION("a start that fails is told once, by the exception") {
      std::string text = co_await otpp::call<relative::bear_failing>(parent);
      CHECK(text == "boom");
      co_await parent.stop();
      CHECK(said.text() == "terminate:normal");
    }
  });
}

TEST_CASE("link: only a process can link, and start_link") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<relative>(journal(), end_it);
    CHECK_THROWS_AS(otpp::link(server), otpp::error);
    CHECK_THROWS_AS(otpp::unlink(server), otpp::error);
    CHECK_THROWS_AS(otpp::trap_exit(), otpp::error);
    bool threw = false;
    try {
      co_await otpp::start_link<relative>(journal(), end_it);
    } catch (const otpp::error& e) {
      threw = e.code() == otpp::errc::no_process;
    }
    CHECK(threw);
  });
}

TEST_CASE("link: the end of a context is a signal elsewhere") {
  asio::io_context ours;
  journal said;
  std::optional<otpp::server_ref<relative>> server;
  {
    asio::io_context theirs;
    std::optional<otpp::server_ref<relative>> other;
    auto keep = [](auto& where) {
      return [&where](std::exception_ptr, auto started) { where.emplace(std::move(started)); };
    };
    otpp::start<relative>(otpp::options().on(ours.get_executor()), said, are_trapped, keep(server));
    otpp::start<relative>(otpp::options().on(theirs.get_executor()), journal(), end_it, keep(other));
    ours.run();
    theirs.run();
    otpp::call<relative::join>(*server, *other, [](std::exception_ptr) {});
    ours.restart();
    ours.run();
  }
  ours.restart();
  ours.run();
  CHECK(said.text() == "exit:killed");
}

TEST_CASE(
    "link: in every order of kill, stop and unlink both have ended and nothing is said twice", "[explorer]") {
  using namespace otpp::testing;
  report done = explore(orders::all(2), [](world& one) {
    journal said;
    auto is_over = std::make_shared<int>(0);
    one.spawn("client", [=, &one]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<relative>(said, are_trapped);
      auto other = co_await otpp::start<relative>(journal(), end_it);
      co_await otpp::call_for<relative::join>(server, otpp::infinite, other);
      one.spawn("killer", [=]() -> asio::awaitable<void> {
        otpp::kill(other);
        co_await other.join();
        ++*is_over;
      });
      co_await otpp::call_for<relative::part>(server, otpp::infinite, other);
      bool said_before = !said.text().empty();
      co_await server.stop();
      std::string wanted = said_before ? "exit:killed terminate:normal" : "terminate:normal";
      one.check(said.text() == wanted, "a signal came through a link that was cut, or came twice");
      ++*is_over;
    });
    one.run();
    one.check(*is_over == 2, "somebody hangs");
  });
  CHECK(done.is_complete);
  CHECK(done.schedules > 10);
}

TEST_CASE("link: unlink takes the meaning from its own signal only") {
  // All comes while one handler is at work: the other's end, an exit, and then it unlinks the other.
  struct busy {
    struct part_from {
      otpp::server_ref<relative> other;
    };
    int init() { return 0; }
    void handle_cast(part_from m, int&) {
      otpp::link(m.other);
      otpp::kill(m.other);
      m.other.join(asio::use_future).get();
      otpp::exit(otpp::self<busy>(), otpp::exit_reason::shutdown());
      otpp::unlink(m.other);
    }
  };
  asio::thread_pool pool(1);
  journal said;
  auto other =
      otpp::start<relative>(otpp::options().on(pool.get_executor()), said, end_it, asio::use_future).get();
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<busy>();
    co_await otpp::cast<busy::part_from>(server, other);
    otpp::exit_reason why = co_await server.join();
    CHECK(why == otpp::exit_reason::shutdown());
  });
  pool.join();
}

TEST_CASE("link: signals that unlink has voided do not matter to the next one") {
  struct fickle {
    struct join_and_part {
      otpp::pid who;
      int times;
      using reply_type = void;
    };
    int init() { return 0; }
    void handle_call(join_and_part m, int&) {
      for (int n = 0; n != m.times; ++n) { // no signal is run before the handler returns
        otpp::link(m.who);
        otpp::unlink(m.who);
      }
    }
  };
  run([]() -> asio::awaitable<void> {
    auto other = co_await otpp::start<relative>(journal(), end_it);
    co_await other.stop(otpp::exit_reason::shutdown());
    for (int times : {1, 3}) {
      auto server = co_await otpp::start<fickle>();
      co_await otpp::call<fickle::join_and_part>(server, other, times);
      co_await otpp::call<fickle::join_and_part>(server, other, times); // comes after the first signals
      otpp::exit(server, boom());
      otpp::exit_reason why = co_await server.join();
      CHECK(why.message() == "boom");
    }
  });
}

TEST_CASE("link: a start_link that begins when its parent has ended ends the child") {
  using awaited = asio::awaitable<otpp::server_ref<relative>>;
  struct slow_parent {
    struct bear_later {
      using reply_type = std::unique_ptr<awaited>;
    };
    int init() { return 0; }
    std::unique_ptr<awaited> handle_call(bear_later, int&) { // it begins when it is awaited
      return std::make_unique<awaited>(otpp::start_link<relative>(journal(), end_it));
    }
  };
  run([]() -> asio::awaitable<void> {
    auto parent = co_await otpp::start<slow_parent>();
    auto later = co_await otpp::call<slow_parent::bear_later>(parent);
    co_await parent.stop(otpp::exit_reason::shutdown());
    otpp::error how = co_await error_of(std::move(*later));
    CHECK(how.code() == otpp::errc::exited);
    CHECK(how.reason() == otpp::exit_reason::shutdown());
  });
}

TEST_CASE("link: unlink takes back a signal that has become a message, and nothing else") {
  struct trapper {
    struct part_with {
      otpp::pid other;
      bool was_linked;
      bool was_unlinked;
      using reply_type = int;
    };
    struct next {
      int number;
    };
    std::vector<std::string> init() {
      otpp::trap_exit();
      return {};
    }
    asio::awaitable<int> handle_call(part_with m, std::vector<std::string>&) {
      if (m.was_unlinked) {
        otpp::link(m.other);
        otpp::unlink(m.other);
      }
      if (m.was_linked) {
        otpp::link(m.other);
      }
      co_await m.other.stop(otpp::exit_reason::shutdown());
      otpp::try_cast(otpp::self<trapper>(), next{1});
      if (!m.was_linked) {
        otpp::link(m.other); // it has ended: the signal comes at once
      }
      otpp::exit(otpp::self(), otpp::exit_reason::shutdown()); // came through no link
      otpp::try_cast(otpp::self<trapper>(), next{2});
      otpp::unlink(m.other);
      co_return 0;
    }
    void handle_cast(next m, std::vector<std::string>& said) { said.push_back(std::to_string(m.number)); }
    void handle_info(otpp::exit_signal signal, std::vector<std::string>& said) {
      said.push_back(signal.from == otpp::self() ? "own signal" : "signal");
    }
  };
  bool was_linked = GENERATE(true, false);
  bool was_unlinked = GENERATE(true, false); // an earlier link
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<trapper>();
    otpp::pid other = co_await otpp::start<relative>(journal(), end_it);
    co_await otpp::call<trapper::part_with>(server, other, was_linked, was_unlinked);
    std::vector<std::string> said;
    auto look = [&](const std::vector<std::string>& state) { said = state; };
    co_await otpp::inspect(server, look);
    CHECK(said == std::vector<std::string>{"1", "own signal", "2"});
    co_await server.stop();
  });
}

TEST_CASE("link: threads end, link, unlink and monitor the same servers") {
  // Each round ties four servers in a ring, and then all of it is undone from several threads at once. A
  // sanitizer is the judge; without one, that everybody ends.
  struct quiet {
    struct tie {
      otpp::pid who;
      using reply_type = void;
    };
    struct untie {
      otpp::pid who;
    };
    struct seen {
      int downs = 0;
      std::optional<otpp::monitor_ref> ref;
      std::atomic<int>* handled = nullptr;
    };
    seen init(bool traps, std::atomic<int>* handled) {
      if (traps) {
        otpp::trap_exit();
      }
      return {0, std::nullopt, handled};
    }
    void handle_call(tie m, seen& s) {
      otpp::link(m.who);
      s.ref = otpp::monitor(m.who);
    }
    void handle_cast(untie m, seen& s) {
      ++*s.handled;
      otpp::unlink(m.who);
      otpp::demonitor(*s.ref);
    }
    void handle_info(otpp::down, seen& s) { ++s.downs; }
    void handle_info(otpp::exit_signal, seen&) {}
  };
  std::atomic<int> accepted{0};
  std::atomic<int> handled{0};
  std::atomic<int> dropped{0};
  auto count = [&](const otpp::crash_report& report) { dropped += static_cast<int>(report.dropped); };
  otpp::subscription counted = otpp::subscribe<otpp::crash_report>(count);
  asio::thread_pool pool(3);
  for (int round = 0; round != 100; ++round) {
    std::vector<otpp::server_ref<quiet>> ring;
    for (int n = 0; n != 4; ++n) {
      ring.push_back(
          otpp::start<quiet>(otpp::options().on(pool.get_executor()), n % 2 == 0, &handled, asio::use_future)
              .get());
    }
    for (std::size_t n = 0; n != 4; ++n) {
      otpp::call<quiet::tie>(ring[n], ring[(n + 1) % 4], asio::use_future).get();
    }
    std::thread other([&] {
      otpp::kill(ring[0]);
      accepted += otpp::try_cast<quiet::untie>(ring[2], ring[3]) ? 1 : 0;
      otpp::exit(ring[3], otpp::exit_reason::shutdown());
    });
    accepted += otpp::try_cast<quiet::untie>(ring[3], ring[0]) ? 1 : 0;
    otpp::exit(ring[1], otpp::exit_reason::shutdown());
    otpp::kill(ring[2]);
    other.join();
    for (otpp::server_ref<quiet>& server : ring) {
      otpp::exit_reason why = server.join(asio::use_future).get();
      CHECK_FALSE(why == otpp::exit_reason::normal());
    }
  }
  pool.join();
  counted.end();
  CHECK(accepted == handled + dropped);
}
