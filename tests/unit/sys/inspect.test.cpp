// SPDX-License-Identifier: BSL-1.0

#include <otpp/sys/inspect.hpp>
#include <otpp/sys.hpp>

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/relative.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// A server that writes down what it is told, and keeps a secret.
struct clerk {
  struct note {
    std::string word;
  };
  struct wait {
    event until;
  };
  struct read {
    using reply_type = std::string;
  };
  struct rest { // waits with a timeout
    otpp::duration plain{};
    otpp::duration with_message{};
  };
  struct rested {};

  struct state {
    journal said;
    std::string secret;
    bool shows_badly = false;
  };

  state init(journal said) { return {std::move(said), "swordfish"}; }
  std::string handle_call(read, state& s) { return s.said.text(); }
  void handle_cast(note m, state& s) { s.said.add(m.word); }
  asio::awaitable<void> handle_cast(wait m, state& s) {
    s.said.add("wait");
    co_await m.until.wait();
    s.said.add("waited");
  }
  otpp::outcome<> handle_cast(rest m, state&) {
    if (m.with_message != otpp::duration()) {
      return otpp::outcome<>().timeout(m.with_message, rested());
    }
    return otpp::outcome<>().timeout(m.plain);
  }
  void handle_info(otpp::timeout, state& s) { s.said.add("timeout"); }
  void handle_info(rested, state& s) { s.said.add("rested"); }
  using messages = otpp::message_list<rested>;
  void terminate(const otpp::exit_reason& why, state& s) { s.said.add("terminate:" + why.message()); }

  static std::string format_status(const state& s) {
    if (s.shows_badly) {
      throw boom();
    }
    return "said: " + s.said.text();
  }
};

std::size_t size_of_secret(const clerk::state& s) { return s.secret.size(); }
int fail_to_look(const clerk::state&) { throw boom(); }
void change_and_fail(clerk::state& s) {
  s.secret = "half-way";
  throw boom();
}

// A state that cannot be copied, and one that cannot be printed.
struct till {
  struct look {
    using reply_type = int;
  };
  std::unique_ptr<int> init(int coins) { return std::make_unique<int>(coins); }
  int handle_call(look, std::unique_ptr<int>& coins) { return *coins; }
};
asio::awaitable<void> wait_for_a_number() { co_await otpp::receive<int>(); }

std::unique_ptr<int> twice(const std::unique_ptr<int>& coins) { return std::make_unique<int>(2 * *coins); }

asio::awaitable<void> tell(otpp::server_ref<clerk> server, std::string word) {
  co_await otpp::cast<clerk::note>(server, std::move(word));
}

asio::awaitable<std::string> ask(otpp::server_ref<clerk> server) {
  std::string said = co_await otpp::call<clerk::read>(server);
  co_return said;
}

} // namespace

TEST_CASE("sys: inspect looks into a server, running and suspended") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(otpp::named("inspected"), journal());
    std::size_t size = co_await otpp::inspect(server, size_of_secret);
    CHECK(size == 9);
    co_await otpp::suspend(server);
    bool was_const = false;
    std::string text = co_await otpp::inspect(
        otpp::server_name<clerk>("inspected"),
        [&](auto& s) -> const std::string& {
          was_const = std::is_const_v<std::remove_reference_t<decltype(s)>>;
          return s.secret;
        },
        1s);
    CHECK(text == "swordfish");
    CHECK(was_const);
    co_await server.stop();
    std::error_code gone = co_await code_of(otpp::inspect(server, size_of_secret));
    CHECK(gone == otpp::errc::no_process);
    gone = co_await code_of(otpp::get_status("inspected"));
    CHECK(gone == otpp::errc::no_process);
  });
}

TEST_CASE("sys: inspect comes after what was sent before it") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(journal());
    event go_on;
    co_await otpp::cast<clerk::wait>(server, go_on);
    co_await tell(server, "a");
    std::string seen;
    asio::co_spawn(
        co_await asio::this_coro::executor,
        otpp::inspect(server, [](const clerk::state& s) { return s.said.text(); }),
        [&seen](std::exception_ptr, std::string text) { seen = std::move(text); });
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(seen.empty());
    go_on.happen();
    co_await until([&] { return !seen.empty(); });
    CHECK(seen == "wait waited a");
    co_await server.stop();
  });
}

TEST_CASE("sys: what the function throws goes to the caller, and the server goes on") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(journal());
    std::exception_ptr why = co_await failure_of(otpp::inspect(server, fail_to_look));
    CHECK(text_of(why) == "boom");
    co_await tell(server, "on");
    std::string said = co_await ask(server);
    CHECK(said == "on");
    co_await server.stop();
  });
}

TEST_CASE("sys: a result whose move throws ends inspect for its caller, whichever move it is") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(journal());
    bool worked = false;
    int failed = 0;
    for (int at = 0; !worked; ++at) {
      REQUIRE(at < 20);
      auto moves = std::make_shared<int>(at);
      auto look = [&moves](const clerk::state&) { return fragile(moves); };
      std::exception_ptr why;
      try {
        fragile seen = co_await otpp::inspect(server, look);
        worked = seen.left == moves;
      } catch (...) {
        why = std::current_exception();
        ++failed;
      }
      CHECK((worked || text_of(why) == "boom"));
    }
    CHECK(failed > 0);
    co_await tell(server, "on");
    std::string said = co_await ask(server);
    CHECK(said == "on");
    co_await server.stop();
  });
}

TEST_CASE("sys: replace_state") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(journal());
    auto secret = [](const clerk::state& s) { return s.secret; };

    SECTION("with a function that throws leaves the state as it was") {
      std::exception_ptr why = co_await failure_of(otpp::replace_state(server, change_and_fail));
      CHECK(text_of(why) == "boom");
      std::string now = co_await otpp::inspect(server, secret);
      CHECK(now == "swordfish");
    }
    SECTION("changes it, suspended or not, where it is") {
      const void* place =
          co_await otpp::inspect(server, [](const clerk::state& s) { return static_cast<const void*>(&s); });
      co_await otpp::suspend(server);
      co_await otpp::replace_state(server, [](clerk::state& s) { s.secret += "!"; });
      std::string now = co_await otpp::inspect(server, secret);
      CHECK(now == "swordfish!");
      const void* after =
          co_await otpp::inspect(server, [](const clerk::state& s) { return static_cast<const void*>(&s); });
      CHECK(place == after);
    }
    SECTION("takes a state that cannot be copied") {
      auto box = co_await otpp::start<till>(21);
      co_await otpp::replace_state(box, twice);
      int coins = co_await otpp::call<till::look>(box);
      CHECK(coins == 42);
      co_await box.stop();
    }
    co_await server.stop();
  });
}

TEST_CASE("sys: of a suspended server messages stay queued, in order, until resume") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<clerk>(said);
    event go_on;
    SECTION("asleep") {}
    SECTION("while a handler waits") {
      co_await otpp::cast<clerk::wait>(server, go_on);
      go_on.happen();
    }
    co_await tell(server, "a");
    co_await otpp::suspend(server);
    co_await otpp::suspend(server);
    std::string before = said.text();
    for (const char* word : {"b", "c"}) {
      co_await tell(server, word);
    }
    std::error_code late = co_await code_of(otpp::call_for<clerk::read>(server, 1ms));
    CHECK(late == otpp::errc::timeout);
    CHECK(said.text() == before);
    otpp::server_status status = co_await otpp::get_status(server);
    CHECK(status.is_suspended);
    CHECK(status.queue_length == 3);
    co_await tell(server, "d");
    co_await otpp::resume(server);
    std::string after = co_await ask(server);
    CHECK(after == before + " b c d");
    co_await server.stop();
  });
}

TEST_CASE("sys: a suspend and a resume that were queued behind a handler are found there") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<clerk>(said);
    event go_on;
    auto executor = co_await asio::this_coro::executor;
    int done = 0;
    auto count = [&](std::exception_ptr error) { done += error ? 0 : 1; };
    co_await otpp::cast<clerk::wait>(server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    asio::co_spawn(executor, otpp::suspend(server), count);
    asio::co_spawn(executor, tell(server, "a"), count);
    asio::co_spawn(executor, otpp::resume(server), count);
    co_await until([&] { return done == 1; }); // the cast
    go_on.happen();
    co_await until([&] { return done == 3; });
    std::string seen = co_await ask(server);
    CHECK(seen == "wait waited a");
    co_await server.stop();
  });
}

TEST_CASE("sys: a suspended server can be ended") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<clerk>(said);
    co_await otpp::suspend(server);
    std::error_code why;
    asio::co_spawn(
        co_await asio::this_coro::executor, code_of(ask(server)),
        [&](std::exception_ptr, std::error_code code) { why = code; });
    co_await until([&] { return otpp::processes().back().queue_length != 0U; });

    SECTION("by stop, with terminate") {
      co_await server.stop();
      CHECK(said.text() == "terminate:normal");
    }
    SECTION("by an exit signal, without") {
      otpp::exit(server, otpp::exit_reason::shutdown());
      otpp::exit_reason reason = co_await server.join();
      CHECK(reason == otpp::exit_reason::shutdown());
      CHECK(said.text().empty());
    }
    co_await until([&] { return why == otpp::errc::exited; }); // whoever waits is told
  });
}

TEST_CASE("sys: a suspended server that traps exits ends with its parent") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto parent = co_await otpp::start<relative>(said, relative::exits::end_it);
    auto child = co_await otpp::call<relative::bear>(parent, relative::exits::are_trapped);
    co_await otpp::suspend(child);
    co_await otpp::cast<relative::note>(child, "unheard");
    otpp::exit(parent, otpp::exit_reason::shutdown());
    otpp::exit_reason reason = co_await child.join();
    CHECK(reason == otpp::exit_reason::shutdown());
    CHECK(said.text() == "terminate:shutdown");
  });
}

TEST_CASE("sys: nothing is handled between suspend and resume, in any order of events") {
  otpp::testing::explore(otpp::testing::orders::all(2).at_most(2000), [](otpp::testing::world& world) {
    journal said;
    std::optional<otpp::server_ref<clerk>> server;
    world.spawn("start", [&]() -> asio::awaitable<void> { server = co_await otpp::start<clerk>(said); });
    world.run_in_order();
    bool was_quiet = false;
    std::string seen;
    world.spawn("operator", [&]() -> asio::awaitable<void> {
      co_await otpp::suspend(*server, otpp::infinite);
      std::string before = said.text();
      co_await otpp::inspect(*server, size_of_secret, otpp::infinite);
      was_quiet = said.text() == before;
      co_await otpp::resume(*server, otpp::infinite);
    });
    world.spawn("user", [&]() -> asio::awaitable<void> {
      co_await tell(*server, "a");
      co_await tell(*server, "b");
      seen = co_await otpp::call_for<clerk::read>(*server, otpp::infinite);
    });
    world.run();
    world.check(was_quiet, "a suspended server has handled a message");
    world.check(seen == "a b", "a message was lost, or came out of order");
  });
}

TEST_CASE("sys: a suspended server can be destroyed with its context") {
  abandon_at_every_step([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(journal());
    co_await otpp::suspend(server);
    co_await tell(server, "a");
    co_await otpp::statistics(server, true);
    co_await otpp::trace(server, [](const otpp::trace_event&) {});
    co_await otpp::resume(server);
    co_await otpp::inspect(server, size_of_secret);
    co_await server.stop();
  });
}

TEST_CASE("sys: what waits for a suspended server keeps its room in the mailbox") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(otpp::named("full").mailbox_limit(2), journal());
    co_await otpp::suspend(server);
    CHECK(otpp::try_cast<clerk::note>(server, "a"));
    CHECK(otpp::try_cast<clerk::note>(server, "b"));
    co_await otpp::inspect(server, size_of_secret); // takes no room
    CHECK_FALSE(otpp::try_cast<clerk::note>(server, "c"));
    CHECK(otpp::processes().back().queue_length == 2U);
    co_await otpp::resume(server);
    co_await tell(server, "d");
    std::string said = co_await ask(server);
    CHECK(said == "a b d");
    co_await server.stop();
  });
}

TEST_CASE("sys: a server is resumed though messages wait for room in it") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(otpp::options().mailbox_limit(1), journal());
    auto executor = co_await asio::this_coro::executor;
    int done = 0;
    auto count = [&](std::exception_ptr error) { done += error ? 0 : 1; };
    co_await otpp::suspend(server);
    asio::co_spawn(executor, tell(server, "a"), count);
    asio::co_spawn(executor, tell(server, "b"), count);
    co_await until([&] { return done == 1; });
    co_await otpp::resume(server);
    co_await until([&] { return done == 2; });
    std::string said = co_await ask(server);
    CHECK(said == "a b");

    event go_on; // now all are in line behind a handler
    done = 0;
    co_await otpp::cast<clerk::wait>(server, go_on);
    co_await until([&] { return go_on.is_awaited(); });
    asio::co_spawn(executor, tell(server, "c"), count);
    asio::co_spawn(executor, tell(server, "d"), count);
    asio::co_spawn(executor, otpp::suspend(server), count);
    asio::co_spawn(executor, tell(server, "e"), count);
    asio::co_spawn(executor, tell(server, "f"), count);
    asio::co_spawn(executor, otpp::resume(server), count);
    co_await some_steps();
    go_on.happen();
    co_await until([&] { return done == 6; });
    said = co_await ask(server);
    CHECK(said == "a b wait waited c d e f");
    co_await server.stop();
  });
}

TEST_CASE("sys: timeouts and system messages") {
  otpp::testing::explore(otpp::testing::orders::fifo(), [](otpp::testing::world& world) {
    journal said;
    std::optional<otpp::server_ref<clerk>> server;
    world.spawn("client", [&]() -> asio::awaitable<void> { server = co_await otpp::start<clerk>(said); });
    world.run();
    auto do_now = [&](auto what) {
      world.spawn("client", what);
      world.run_for(0s);
    };
    auto look = [&]() -> asio::awaitable<void> { co_await otpp::inspect(*server, size_of_secret); };
    auto suspend = [&]() -> asio::awaitable<void> { co_await otpp::suspend(*server); };
    auto resume = [&]() -> asio::awaitable<void> { co_await otpp::resume(*server); };
    auto rest = [&](otpp::duration plain, otpp::duration with_message) {
      do_now([&, plain, with_message]() -> asio::awaitable<void> {
        co_await otpp::cast<clerk::rest>(*server, plain, with_message);
      });
    };

    // A plain timeout begins anew.
    rest(10s, 0s);
    world.run_for(6s);
    do_now(look);
    world.run_for(9s);
    world.check(said.text().empty(), "a plain timeout did not begin anew");
    world.run_for(1s);
    world.check(said.text() == "timeout", "a plain timeout was cancelled by a system message");

    // An event timeout goes on.
    rest(0s, 10s);
    world.run_for(6s);
    do_now(look);
    world.run_for(4s);
    world.check(said.text() == "timeout rested", "an event timeout was disturbed by a system message");

    // While the server is suspended neither is handled; the plain one begins anew at resume.
    rest(10s, 0s);
    do_now(suspend);
    world.run_for(20s);
    world.check(said.text() == "timeout rested", "a suspended server had a timeout");
    do_now(resume);
    world.run_for(9s);
    world.check(said.text() == "timeout rested", "a plain timeout did not begin anew at resume");
    world.run_for(1s);
    world.check(said.text() == "timeout rested timeout", "a plain timeout was lost at resume");
    rest(0s, 10s);
    do_now(suspend);
    world.run_for(20s);
    do_now(resume);
    world.check(said.text() == "timeout rested timeout rested", "an event timeout was lost at resume");

    // One that expires twice before resume is queued once, and what is queued behind it is not lost.
    rest(10s, 0s);
    do_now(suspend);
    world.run_for(20s);
    rest(0s, 10s);
    do_now(look); // the plain one begins anew
    world.run_for(20s);
    do_now(resume);
    world.run_for(30s);
    world.check(said.text() == "timeout rested timeout rested rested", "a message was lost at resume");

    // One that is over behind a message that came before it is cancelled by that message.
    rest(0s, 10s);
    do_now(suspend);
    do_now([&]() -> asio::awaitable<void> { co_await tell(*server, "note"); });
    world.run_for(20s);
    do_now(resume);
    world.run_for(30s);
    world.check(said.text() == "timeout rested timeout rested rested note", "a cancelled timeout came");

    // Zero waits for no message, and a system message is none.
    world.spawn("client", [&]() -> asio::awaitable<void> {
      otpp::try_cast<clerk::rest>(*server, 0s, 0s);
      co_await otpp::inspect(*server, size_of_secret);
      co_await server->stop();
    });
    world.run();
    world.check(
        said.text() == "timeout rested timeout rested rested note timeout terminate:normal",
        "a timeout of zero was lost");
  });
}

TEST_CASE("sys: after a timeout the function is not called any more") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(journal());
    event go_on;
    co_await otpp::cast<clerk::wait>(server, go_on);
    bool was_called = false;
    auto look = [&](const clerk::state&) { was_called = true; };
    std::error_code code = co_await code_of(otpp::inspect(server, look, 1ms));
    CHECK(code == otpp::errc::timeout);
    code = co_await code_of(otpp::replace_state(server, [](clerk::state& s) { s.secret = "late"; }, 1ms));
    CHECK(code == otpp::errc::timeout);
    code = co_await code_of(otpp::suspend(server, -1s));
    CHECK(code == otpp::errc::timeout);
    go_on.happen();
    std::string secret = co_await otpp::inspect(server, [](const clerk::state& s) { return s.secret; });
    CHECK(secret == "swordfish");
    CHECK_FALSE(was_called);
    co_await server.stop();
  });
}

TEST_CASE("sys: trace tells a hook what the server does") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<clerk>(otpp::named("traced"), said);
    std::vector<std::string> texts;
    std::vector<otpp::trace_event> seen;
    auto hook = [&](const otpp::trace_event& one) {
      std::string text = one.text();
      texts.push_back(text.substr(0, (std::min)(text.find(", sent in line"), text.find(" in "))));
      seen.push_back(one);
    };
    co_await otpp::trace(server, hook);
    clerk::note note{"a"};
    const unsigned line = __LINE__ + 1;
    co_await otpp::cast(server, note);
    co_await otpp::inspect(server, size_of_secret); // no message
    co_await ask(server);
    co_await otpp::cast<clerk::rest>(server, 0s, 0s);
    co_await until([&] { return said.text() == "a timeout"; });
    co_await otpp::cast<clerk::rest>(server, 0s, 1ms); // one that is waited for
    co_await until([&] { return said.text() == "a timeout rested"; });
    co_await otpp::trace("traced", nullptr);
    co_await tell(server, "unseen");
    co_await otpp::trace(server, hook);
    co_await server.stop(otpp::exit_reason::shutdown());

    for (const otpp::trace_event& one : seen) {
      CHECK(one.id == server.id());
      CHECK(one.sequence == 0); // nobody traces all
    }
    auto said_of = [](const char* does, std::string_view message) {
      return std::string("\"traced\" ") + does + ' ' + std::string(message);
    };
    CHECK(
        texts ==
        std::vector<std::string>{
            said_of("takes", otpp::detail::type_name<clerk::note>()),
            said_of("has handled", otpp::detail::type_name<clerk::note>()),
            said_of("takes", otpp::detail::type_name<clerk::read>()),
            said_of("answers", otpp::detail::type_name<clerk::read>()),
            said_of("has handled", otpp::detail::type_name<clerk::read>()),
            said_of("takes", otpp::detail::type_name<clerk::rest>()),
            said_of("has handled", otpp::detail::type_name<clerk::rest>()), "\"traced\" takes its timeout",
            "\"traced\" has handled its timeout", said_of("takes", otpp::detail::type_name<clerk::rest>()),
            said_of("has handled", otpp::detail::type_name<clerk::rest>()), "\"traced\" takes its timeout",
            "\"traced\" has handled its timeout", "\"traced\" ends: shutdown"});
    REQUIRE(seen.size() == 14);
    CHECK(seen[0].where.line() == line);
  });
}

TEST_CASE("sys: a hook that throws is not called again, and the server goes on") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(journal());
    int calls = 0;
    co_await otpp::trace(server, [&](const otpp::trace_event&) {
      ++calls;
      throw boom();
    });
    co_await tell(server, "a");
    std::string said = co_await ask(server);
    CHECK(said == "a");
    CHECK(calls == 1);
    co_await server.stop();
  });
}

TEST_CASE("sys: statistics count messages, answers, the queue and the time in handlers") {
  otpp::testing::explore(otpp::testing::orders::fifo(), [](otpp::testing::world& world) {
    std::optional<otpp::server_statistics> before;
    std::optional<otpp::server_statistics> queued;
    std::optional<otpp::server_statistics> seen;
    std::optional<otpp::server_statistics> after;
    event go_on;
    world.spawn("client", [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<clerk>(journal());
      before = co_await otpp::statistics(server);
      co_await otpp::suspend(server);
      otpp::try_cast<clerk::note>(server, "waits already");
      co_await otpp::statistics(server, true);
      queued = co_await otpp::statistics(server);
      co_await otpp::resume(server);
      otpp::try_cast<clerk::wait>(server, go_on);
      for (const char* word : {"a", "b", "c"}) {
        otpp::try_cast<clerk::note>(server, word);
      }
      std::string ignored = co_await otpp::call_for<clerk::read>(server, otpp::infinite);
      otpp::try_cast<clerk::note>(server, "d");
      co_await otpp::suspend(server);
      otpp::try_cast<clerk::note>(server, "e");
      seen = co_await otpp::statistics(server);
      co_await otpp::statistics(server, false);
      after = co_await otpp::statistics(server);
      co_await server.stop();
    });
    world.run_for(3s);
    go_on.happen();
    world.run();
    world.check(!before && !after, "statistics were on");
    REQUIRE(seen);
    REQUIRE(queued);
    CHECK(queued->queue_length == 1);
    CHECK(seen->messages == 7);
    CHECK(seen->replies == 1);
    CHECK(seen->queue_length == 1);
    CHECK(seen->longest_queue >= 4);
    CHECK(seen->in_handlers == 3s); // the one that waited
  });
}

TEST_CASE("sys: get_status shows the state as format_status does, and no more") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>(otpp::named("shown"), journal());
    otpp::register_name("alias", server);
    co_await tell(server, "a");

    otpp::server_status status = co_await otpp::get_status("alias");
    CHECK(status.who == server);
    CHECK(status.name == "\"shown\"");
    CHECK(status.names == std::vector<std::string>{"shown", "alias"});
    CHECK(status.type.find("clerk") != std::string::npos);
    CHECK(status.state == "said: a");
    CHECK_FALSE(status.is_suspended);
    CHECK_FALSE(status.statistics);

    co_await otpp::replace_state(server, [](clerk::state& s) { s.shows_badly = true; });
    status = co_await otpp::get_status(otpp::pid(server));
    CHECK(status.state == "format_status failed: boom");
    co_await server.stop();

    auto box = co_await otpp::start<till>(21);
    status = co_await otpp::get_status(box);
    CHECK(status.state.find("unique_ptr") != std::string::npos);
    co_await box.stop();
  });
}

TEST_CASE("sys: a spawned coroutine has a status, and cannot be suspended") {
  run([]() -> asio::awaitable<void> {
    otpp::pid who = co_await otpp::spawn(wait_for_a_number());
    otpp::server_status status = co_await otpp::get_status(who);
    CHECK(status.type == "otpp::spawned");
    std::error_code code = co_await code_of(otpp::suspend(who));
    CHECK(code == otpp::errc::bad_message);
    co_await who.stop();
  });
}

TEST_CASE("sys: a handler that looks into its own server is calling itself") {
  struct narcissus {
    struct look {
      using reply_type = std::error_code;
    };
    int init() { return 0; }
    asio::awaitable<std::error_code> handle_call(look, int&) {
      return code_of(otpp::get_status(otpp::self<narcissus>()));
    }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<narcissus>();
    std::error_code code = co_await otpp::call<narcissus::look>(server);
    CHECK(code == otpp::errc::calling_self);
    co_await server.stop();
  });
}
