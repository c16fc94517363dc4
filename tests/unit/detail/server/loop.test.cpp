// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/server/loop.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/self.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/testing.hpp>
#include <otpp/timeout.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <any>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;

namespace {

// What a handler is to return: built by the test, as far as it goes.
enum class then { nothing, proceed, proceed_coroutine, wait, wait_for_message };

// A server that continues and times out.
struct clock {
  struct go { // a call whose answer carries the next action
    then next = then::nothing;
    otpp::duration after{};
    int chain = 0;
    using reply_type = int;
  };
  struct poke { // the same as a cast
    then next = then::nothing;
    otpp::duration after{};
  };
  struct note {
    std::string word;
  };
  struct step {
    int left;
  };
  struct slow_step {
    int left;
  };
  struct alarm {
    std::string word;
  };
  using messages = otpp::message_list<go, poke, note, step, slow_step, alarm>;

  struct state {
    journal said;
    event woken; // by a timeout
  };

  template <class Outcome>
  static Outcome with(Outcome outcome, then next, otpp::duration after, int chain) {
    switch (next) {
      case then::nothing: break;
      case then::proceed: return std::move(outcome).then(step{chain});
      case then::proceed_coroutine: return std::move(outcome).then(slow_step{chain});
      case then::wait: return std::move(outcome).timeout(after);
      case then::wait_for_message: return std::move(outcome).timeout(after, alarm{"alarm"});
    }
    return outcome;
  }

  otpp::init_result<state> init(journal said, event woken, then next, otpp::duration after) {
    said.add("init");
    otpp::try_cast<note>(otpp::self<clock>(), "note"); // as early as can be
    return with(otpp::init_result<state>(state{said, woken}), next, after, 1);
  }
  otpp::outcome<int> handle_call(go m, state& s) {
    s.said.add("go");
    return with(otpp::outcome<int>(1), m.next, m.after, m.chain);
  }
  otpp::outcome<> handle_cast(poke m, state& s) {
    s.said.add("poke");
    return with(otpp::outcome<>(), m.next, m.after, 0);
  }
  void handle_cast(note m, state& s) { s.said.add(m.word); }
  void handle_info(note m, state& s) { s.said.add("info-" + m.word); }
  void handle_info(otpp::timeout, state& s) {
    s.said.add("timeout");
    s.woken.happen();
  }
  void handle_info(alarm m, state& s) {
    s.said.add(m.word);
    s.woken.happen();
  }
  otpp::outcome<> handle_continue(step m, state& s) {
    s.said.add("step" + std::to_string(m.left));
    if (m.left == 0) {
      return {};
    }
    return otpp::outcome<>().then(step{m.left - 1});
  }
  asio::awaitable<otpp::outcome<>> handle_continue(slow_step m, state& s) {
    s.said.add("slow" + std::to_string(m.left));
    co_await s.woken.wait();
    s.said.add("done" + std::to_string(m.left));
    otpp::outcome<> result;
    if (m.left != 0) {
      result = otpp::outcome<>().then(slow_step{m.left - 1});
    }
    co_return result;
  }
};

auto start_clock(journal said, event woken, then next = then::nothing, otpp::duration after = {}) {
  return otpp::start<clock>(std::move(said), std::move(woken), next, after);
}

} // namespace

// ---- continue ----

TEST_CASE("loop: what init continues with runs before any message, and so does a chain", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await start_clock(said, event(), then::proceed);
    co_await server.stop();
    CHECK(said.text() == "init step1 step0 note");
  });
}

TEST_CASE("loop: start has returned while handle_continue still works", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await start_clock(said, go_on, then::proceed_coroutine);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(said.text() == "init slow1");
    pending<int> answer;
    otpp::call<clock::go>(server, answer.token());
    co_await some_steps();
    CHECK_FALSE(answer.is_done());
    go_on.happen();
    int value = co_await answer.get();
    CHECK(value == 1);
    CHECK(said.text() == "init slow1 done1 slow0 done0 note go");
    co_await server.stop();
  });
}

TEST_CASE("loop: the answer comes before the chain, and the chain before the next message", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await start_clock(said, go_on);
    pending<int> answer;
    otpp::call<clock::go>(server, then::proceed_coroutine, otpp::duration(), 1, answer.token());
    bool taken = otpp::try_cast<clock::note>(server, "after");
    CHECK(taken);
    int value = co_await answer.get(); // while handle_continue waits
    CHECK(value == 1);
    co_await until([&] { return go_on.is_awaited(); });
    CHECK(said.text() == "init note go slow1");
    go_on.happen();
    co_await server.stop();
    CHECK(said.text() == "init note go slow1 done1 slow0 done0 after");
  });
}

TEST_CASE("loop: a chain of a hundred thousand does not deepen the stack", "[loop]") {
  struct marathon {
    struct run_on {};
    struct finished {
      using reply_type = int;
    };
    int init() { return 0; }
    otpp::outcome<> handle_cast(run_on m, int&) { return otpp::outcome<>().then(m); }
    otpp::outcome<> handle_continue(run_on m, int& n) {
      if (++n == 100000) {
        return {};
      }
      return otpp::outcome<>().then(m);
    }
    int handle_call(finished, int& n) { return n; }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<marathon>();
    co_await otpp::cast<marathon::run_on>(server);
    int steps = co_await otpp::call<marathon::finished>(server);
    CHECK(steps == 100000);
    co_await server.stop();
  });
}

// ---- timeouts ----

TEST_CASE("loop: a plain timeout comes when nothing else does, and once", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event woken;
    auto server = co_await start_clock(said, woken);
    co_await otpp::call<clock::go>(server, then::wait, otpp::duration(1ms));
    co_await woken.wait();
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer later(executor, 5ms);
    co_await later.async_wait(asio::use_awaitable);
    CHECK(said.text() == "init note go timeout");
    co_await server.stop();
  });
}

TEST_CASE("loop: a message cancels a timeout of either kind", "[loop]") {
  for (then kind : {then::wait, then::wait_for_message}) {
    for (int message = 0; message != 3; ++message) {
      CAPTURE(message);
      run([kind, message]() -> asio::awaitable<void> {
        journal said;
        auto server = co_await start_clock(said, event());
        co_await otpp::call<clock::go>(server, kind, otpp::duration(10ms));
        switch (message) {
          case 0: co_await otpp::cast<clock::note>(server, "x"); break;
          case 1: co_await otpp::send<clock::note>(server, "x"); break;
          default: co_await otpp::call<clock::go>(server); break;
        }
        asio::any_io_executor executor = co_await asio::this_coro::executor;
        asio::steady_timer later(executor, 20ms);
        co_await later.async_wait(asio::use_awaitable);
        CHECK(
            said.text() == (message == 0   ? "init note go x"
                            : message == 1 ? "init note go info-x"
                                           : "init note go go"));
        co_await server.stop();
      });
    }
  }
}

TEST_CASE("loop: a timeout with a message delivers that", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event woken;
    auto server = co_await start_clock(said, woken);
    co_await otpp::cast<clock::poke>(server, then::wait_for_message, otpp::duration(1ms));
    co_await woken.wait();
    CHECK(said.text() == "init note poke alarm");
    co_await server.stop();
  });
}

TEST_CASE("loop: a timeout that was overtaken does not come for the next", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event woken;
    auto server = co_await start_clock(said, woken);
    for (int n = 0; n != 20; ++n) {
      co_await otpp::cast<clock::poke>(server, then::wait, otpp::duration(1ms));
    }
    co_await otpp::call<clock::go>(server, then::wait_for_message, otpp::duration(2ms));
    co_await woken.wait();
    CHECK(said.text().find("timeout") == std::string::npos);
    CHECK(said.text().find("alarm") != std::string::npos);
    co_await server.stop();
  });
}

TEST_CASE("loop: after a plain timeout of zero a queued message still comes first", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await start_clock(said, event());
    pending<int> answer;
    otpp::call<clock::go>(server, then::wait, otpp::duration(), 0, answer.token());
    bool taken = otpp::try_cast<clock::note>(server, "queued");
    CHECK(taken);
    co_await answer.get();
    co_await some_steps();
    CHECK(said.text() == "init note go queued"); // and it cancels the timeout
    co_await server.stop();
  });
}

TEST_CASE("loop: a plain timeout of zero comes at once where nothing is queued", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event woken;
    auto server = co_await start_clock(said, woken);
    co_await otpp::call<clock::go>(server, then::wait);
    co_await until([&] { return woken.has_happened(); });
    CHECK(said.text() == "init note go timeout");
    co_await server.stop();
  });
}

TEST_CASE("loop: the two meanings of zero in init", "[loop]") {
  run([]() -> asio::awaitable<void> {
    {
      journal said; // init has sent itself a note, which goes first
      auto server = co_await start_clock(said, event(), then::wait);
      co_await server.stop();
      CHECK(said.text() == "init note");
    }
    {
      journal said; // a timeout with a message goes before it
      auto server = co_await start_clock(said, event(), then::wait_for_message);
      co_await server.stop();
      CHECK(said.text() == "init alarm note");
    }
  });
}

TEST_CASE("loop: a message with a timeout of zero goes before every queued one", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await start_clock(said, event());
    pending<int> answer;
    otpp::call<clock::go>(server, then::wait_for_message, otpp::duration(), 0, answer.token());
    bool taken = otpp::try_cast<clock::note>(server, "queued");
    CHECK(taken);
    co_await server.stop();
    CHECK(said.text() == "init note go alarm queued");
  });
}

TEST_CASE("loop: the answer comes before the timeout that it carries", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await start_clock(said, event());
    event answered;
    otpp::call<clock::go>(
        server, then::wait_for_message, otpp::duration(), 0, [said, answered](std::exception_ptr, int) {
          said.add("answered");
          answered.happen();
        });
    co_await answered.wait();
    co_await server.stop();
    // The handler's answer is given first; who gets it is resumed when the server lets go of the thread.
    CHECK(said.text().find("go alarm answered") != std::string::npos);
  });
}

TEST_CASE("loop: a timeout that is set leaves nothing behind when the server stops", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await start_clock(said, event());
    co_await otpp::call<clock::go>(server, then::wait, otpp::duration(1h));
    co_await server.stop();
    CHECK(said.text() == "init note go");
  }); // run() would not end while an hour's timer is set
}

TEST_CASE("loop: a timeout is forgotten with the context", "[loop]") {
  auto body = []() -> asio::awaitable<void> {
    journal said;
    event woken;
    auto server = co_await start_clock(said, woken, then::wait_for_message, 1ms);
    co_await otpp::call<clock::go>(server, then::wait, otpp::duration(1ms));
    co_await woken.wait();
    co_await server.stop();
  };
  std::size_t steps = abandon_at_every_step(body);
  CHECK(steps > 1);
}

// ---- timeouts at a time of the clock, from every callback ----

namespace {

enum class whether { to_wait, to_wait_with_message, to_continue };

struct wish {
  std::chrono::steady_clock::time_point until;
  whether how = whether::to_wait;
};

struct punctual {
  struct by_call : wish {
    using reply_type = int;
  };
  struct by_caller : wish {
    using reply_type = int;
  };
  struct by_coroutine : wish {
    using reply_type = int;
  };
  struct by_cast : wish {};
  struct by_info : wish {};
  struct by_continue : wish {};
  struct note {};
  struct bell {};
  struct step {
    int left;
  };
  using messages = otpp::message_list<by_continue, step, note, bell>;

  template <class Outcome>
  static Outcome with(Outcome outcome, const wish& w) {
    switch (w.how) {
      case whether::to_wait: break;
      case whether::to_wait_with_message: return std::move(outcome).timeout(w.until, bell());
      case whether::to_continue:
        otpp::try_cast<note>(otpp::self<punctual>()); // queued before the chain begins
        return std::move(outcome).then(step{2});
    }
    return std::move(outcome).timeout(w.until);
  }

  otpp::init_result<journal> init(journal said, std::optional<wish> w) {
    otpp::init_result<journal> result(said);
    return w ? with(std::move(result), *w) : std::move(result);
  }
  otpp::outcome<int> handle_call(by_call m, journal&) { return with(otpp::outcome<int>(1), m); }
  otpp::outcome<int> handle_call(by_caller m, otpp::caller<int> from, journal&) {
    from.reply(1);
    return with(otpp::outcome<int>(otpp::no_reply), m);
  }
  asio::awaitable<otpp::outcome<int>> handle_call(by_coroutine m, journal&) {
    co_await asio::post(asio::use_awaitable);
    co_return with(otpp::outcome<int>(1), m);
  }
  otpp::outcome<> handle_cast(by_cast m, journal&) { return with(otpp::outcome<>(), m); }
  otpp::outcome<> handle_cast(by_continue m, journal&) { return otpp::outcome<>().then(m); }
  otpp::outcome<> handle_continue(by_continue m, journal&) { return with(otpp::outcome<>(), m); }
  otpp::outcome<> handle_info(by_info m, journal&) { return with(otpp::outcome<>(), m); }
  otpp::outcome<> handle_continue(step m, journal& said) {
    said.add("step" + std::to_string(m.left));
    return m.left == 0 ? otpp::outcome<>() : otpp::outcome<>().then(step{m.left - 1});
  }
  void handle_cast(note, journal& said) { said.add("note"); }
  void handle_info(otpp::timeout, journal& said) { said.add("timeout"); }
  void handle_info(bell, journal& said) { said.add("bell"); }
};

using punctual_ref = otpp::server_ref<punctual>;

// Lets one callback after another make that wish.
asio::awaitable<void> ask_to_wait(int callback, journal said, wish w, std::optional<punctual_ref>& server) {
  std::optional<wish> none;
  std::optional<wish> some(w);
  punctual_ref started = co_await otpp::start<punctual>(said, callback == 0 ? some : none);
  server = started;
  switch (callback) {
    case 1: co_await otpp::call<punctual::by_call>(started, w); break;
    case 2: co_await otpp::call<punctual::by_caller>(started, w); break;
    case 3: co_await otpp::call<punctual::by_coroutine>(started, w); break;
    case 4: co_await otpp::cast<punctual::by_cast>(started, w); break;
    case 5: co_await otpp::send<punctual::by_info>(started, w); break;
    case 6: co_await otpp::cast<punctual::by_continue>(started, w); break;
    default: break;
  }
}

} // namespace

TEST_CASE("loop: every callback can ask for a timeout at a time of the clock", "[loop]") {
  for (int callback = 0; callback != 7; ++callback) {
    for (bool with_message : {false, true}) {
      CAPTURE(callback, with_message);
      whether how = with_message ? whether::to_wait_with_message : whether::to_wait;
      otpp::testing::explore(otpp::testing::orders::fifo(), [&](otpp::testing::world& one) {
        journal said;
        std::optional<punctual_ref> server;
        wish w{one.now() + 1s, how};
        one.spawn("client", [&] { return ask_to_wait(callback, said, w, server); });
        one.run_for(999ms);
        CHECK(said.text().empty());
        one.run_for(1ms);
        CHECK(said.text() == (with_message ? "bell" : "timeout"));
        one.run();
        CHECK(one.now() == w.until); // and it comes once
      });
    }
  }
}

TEST_CASE("loop: a time that has passed is a timeout of zero, of either kind", "[loop]") {
  for (bool with_message : {false, true}) {
    whether how = with_message ? whether::to_wait_with_message : whether::to_wait;
    otpp::testing::explore(otpp::testing::orders::fifo(), [&](otpp::testing::world& one) {
      one.set_turn_limit(otpp::detail::turn::limit);
      journal said;
      std::optional<punctual_ref> server;
      wish now{one.now(), how};
      wish past{one.now() - 1h, how};
      one.spawn("client", [&] { return ask_to_wait(1, said, past, server); });
      one.run_for(0ms);
      CHECK(said.text() == (with_message ? "bell" : "timeout"));
      otpp::try_cast<punctual::by_cast>(*server, now);
      otpp::try_cast<punctual::note>(*server);
      one.run_for(0ms);
      CHECK(said.text() == (with_message ? "bell bell note" : "timeout note"));
    });
  }
}

TEST_CASE("loop: every callback can continue, before what is queued", "[loop]") {
  for (int callback = 0; callback != 7; ++callback) {
    CAPTURE(callback);
    otpp::testing::explore(otpp::testing::orders::fifo(), [&](otpp::testing::world& one) {
      journal said;
      std::optional<punctual_ref> server;
      wish w{one.now(), whether::to_continue};
      one.spawn("client", [&] { return ask_to_wait(callback, said, w, server); });
      one.run();
      CHECK(said.text() == "step2 step1 step0 note");
    });
  }
}

TEST_CASE("loop: an infinite timeout is none, and no work", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await start_clock(said, event());
    co_await otpp::call<clock::go>(server, then::wait, otpp::infinite);
    co_await otpp::call<clock::go>(server, then::wait_for_message, otpp::infinite);
    CHECK(said.text() == "init note go go");
  }); // run() would not end if the server waited for something
}

// ---- messages that do not fit ----

namespace {

struct deaf { // no handle_info, no handle_continue
  struct go {
    using reply_type = int;
  };
  struct wait {
    using reply_type = int;
  };
  using messages = otpp::message_list<go, wait>;
  int init() { return 0; }
  otpp::outcome<int> handle_call(go, int&) { return otpp::outcome<int>(1).then(7); }
  otpp::outcome<int> handle_call(wait, int&) { return otpp::outcome<int>(1).timeout(0s); }
};

// Has several handlers for messages of its own, and lists none of them.
struct many_own {
  struct by_value {};
  struct by_reference {};
  struct by_rvalue {
    std::unique_ptr<int> only;
  };
  struct slow {};
  struct go {
    using reply_type = void;
  };

  otpp::init_result<journal> init(journal said) {
    return otpp::init_result<journal>(std::move(said)).then(std::string("a text"));
  }
  otpp::outcome<void> handle_call(go, const journal&) { return otpp::outcome<void>().then(by_value()); }

  otpp::outcome<> handle_continue(by_value, const journal& said) {
    said.add("by value");
    return otpp::outcome<>().then(by_reference());
  }
  otpp::outcome<> handle_continue(const by_reference&, const journal& said) const {
    said.add("by reference");
    return otpp::outcome<>().then(by_rvalue{std::make_unique<int>(1)});
  }
  static otpp::outcome<> handle_continue(by_rvalue&&, const journal& said) {
    said.add("by rvalue");
    return otpp::outcome<>().timeout(1ms, slow());
  }
  void handle_continue(std::string m, const journal& said) { said.add(m); }

  void handle_info(counter::reset, const journal&) {}
  void handle_info(std::any, const journal&) {} // made of everything
  asio::awaitable<otpp::outcome<>> handle_info(slow, const journal& said) {
    said.add("slow");
    co_return otpp::stop();
  }
};

} // namespace

static_assert(!otpp::handles_info<deaf, counter::reset>);
static_assert(!otpp::handles_call<deaf, counter::get>); // what has no answer's type is no call
static_assert(!otpp::call_message<counter::reset>);

TEST_CASE("loop: an info that a server does not take is refused, and the server goes on", "[loop]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<deaf>(otpp::named("loop-deaf"));
    std::error_code error = co_await code_of(otpp::send<counter::reset>("loop-deaf"));
    CHECK(error == otpp::errc::bad_message);
    bool sent = otpp::try_send<counter::reset>("loop-deaf");
    CHECK_FALSE(sent);
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("loop: a message to itself without a handler ends the server, and says so", "[loop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    auto first = co_await otpp::start<deaf>();
    int answer = co_await otpp::call<deaf::go>(first);
    otpp::exit_reason why = co_await first.join();
    CHECK(answer == 1);
    CHECK(why.message().find("handle_continue of int at ") != std::string::npos);
    auto second = co_await otpp::start<deaf>();
    answer = co_await otpp::call<deaf::wait>(second);
    why = co_await second.join();
    CHECK(answer == 1);
    CHECK(why.message().find("handle_info of otpp::timeout at ") != std::string::npos);
    CHECK(reports.texts().size() == 2);
  });
}

TEST_CASE("loop: a message to itself finds its overload, which no list has to name", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<many_own>(said);
    co_await otpp::call<many_own::go>(server);
    otpp::exit_reason why = co_await server.join();
    CHECK(why.is_clean());
    CHECK(said.text() == "a text by value by reference by rvalue slow");
  });
}

// ---- ends ----

TEST_CASE("loop: a stop from a call answers after terminate, with the value or the reason", "[loop]") {
  run([]() -> asio::awaitable<void> {
    {
      journal said;
      auto server = co_await otpp::start<scribe>(said);
      int answer = co_await otpp::call<scribe::quit>(server, 5);
      CHECK(answer == 5);
      CHECK(said.text() == "quit terminate:normal");
      CHECK(server.has_ended());
    }
    {
      journal said;
      auto server = co_await otpp::start<scribe>(said);
      otpp::error error = co_await error_of(otpp::call<scribe::leave>(server, otpp::exit_reason::shutdown()));
      CHECK(error.code() == otpp::errc::exited);
      CHECK(error.reason() == otpp::exit_reason::shutdown());
      CHECK(said.text() == "leave terminate:shutdown");
      CHECK(server.has_ended());
    }
  });
}

namespace {

// Changes its state in steps, and fails between them.
struct sloppy {
  struct state {
    std::string text;
    std::shared_ptr<std::string> at_end;
    bool moved_from = false;

    state(std::string what, std::shared_ptr<std::string> end)
        : text(std::move(what)), at_end(std::move(end)) {}
    state(state&& other) noexcept : text(std::move(other.text)), at_end(other.at_end) {
      other.moved_from = true;
    }
    state& operator=(state&&) = delete;
  };
  struct call_that_throws {
    using reply_type = int;
  };
  struct cast_that_throws {};
  struct info_that_throws {};
  struct waits_and_throws {
    using reply_type = int;
  };
  struct continue_that_throws {};
  using messages = otpp::message_list<continue_that_throws>;

  state init(std::shared_ptr<std::string> end) { return state("a", std::move(end)); }
  int handle_call(call_that_throws, state& s) {
    s.text += "b";
    throw boom();
  }
  asio::awaitable<int> handle_call(waits_and_throws, state& s) {
    s.text += "b";
    co_await asio::post(asio::use_awaitable);
    s.text += "c";
    throw boom();
  }
  void handle_cast(cast_that_throws, state& s) {
    s.text += "b";
    throw boom();
  }
  otpp::outcome<> handle_cast(continue_that_throws m, state&) { return otpp::outcome<>().then(m); }
  void handle_info(info_that_throws, state& s) {
    s.text += "b";
    throw boom();
  }
  asio::awaitable<void> handle_continue(continue_that_throws, state& s) {
    s.text += "b";
    co_await asio::post(asio::use_awaitable);
    throw boom();
  }
  void terminate(const otpp::exit_reason& reason, state& s) {
    *s.at_end = s.text + (s.moved_from ? "-moved " : " ") + reason.message();
  }
};

} // namespace

TEST_CASE("loop: whichever handler throws, terminate sees the state as it was left", "[loop]") {
  for (int which = 0; which != 5; ++which) {
    CAPTURE(which);
    run([which]() -> asio::awaitable<void> {
      crash_log reports;
      auto at_end = std::make_shared<std::string>();
      auto server = co_await otpp::start<sloppy>(at_end);
      std::error_code error;
      switch (which) {
        case 0: error = co_await code_of(otpp::call<sloppy::call_that_throws>(server)); break;
        case 1: error = co_await code_of(otpp::call<sloppy::waits_and_throws>(server)); break;
        case 2: co_await otpp::cast<sloppy::cast_that_throws>(server); break;
        case 3: co_await otpp::send<sloppy::info_that_throws>(server); break;
        default: co_await otpp::cast<sloppy::continue_that_throws>(server); break;
      }
      if (which < 2) {
        CHECK(error == otpp::errc::exited);
      }
      otpp::exit_reason why = co_await server.join();
      CHECK(text_of(why.exception()) == "boom");
      CHECK_FALSE(why.is_clean());
      CHECK(*at_end == (which == 1 ? "abc boom" : "ab boom"));
      CHECK(at_end.use_count() == 1); // the state is gone
      CHECK(reports.texts().size() == 1);
    });
  }
}

TEST_CASE("loop: a coroutine handler is not interrupted by other messages", "[loop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(said);
    event go_on;
    co_await otpp::cast<scribe::hold>(server, go_on);
    co_await otpp::cast<scribe::note>(server, "next");
    co_await until([&] { return go_on.is_awaited(); });
    co_await some_steps();
    CHECK(said.text() == "hold");
    go_on.happen();
    co_await server.stop();
    CHECK(said.text() == "hold held next terminate:normal");
  });
}
