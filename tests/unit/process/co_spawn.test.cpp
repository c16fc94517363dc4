// SPDX-License-Identifier: BSL-1.0

#include <otpp/process/co_spawn.hpp>

#include <otpp/all.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/supervised.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// A server that starts the coroutines that it is given, and writes down what comes of them.
struct owner {
  struct state {
    journal said;
    event until;
    int n = 0;

    state(journal where, event when) : said(std::move(where)), until(std::move(when)) {}
    state(const state&) = delete;
    ~state() { said.add("state"); }
  };

  using work = asio::awaitable<void> (*)(state&);
  using function = asio::awaitable<int> (*)(state&);

  struct own {
    work what;
    using reply_type = void;
  };
  struct own_and_watch {
    work what;
    using reply_type = void;
  };
  struct ask { // waits for it
    function what;
    using reply_type = int;
  };
  struct wait {
    event until;
    using reply_type = int;
  };
  struct get {
    using reply_type = int;
  };
  struct own_there {
    asio::any_io_executor there;
    using reply_type = void;
  };
  struct later {
    work what;
  };

  state init(journal said, event until) { return state(std::move(said), std::move(until)); }

  void handle_call(own m, state& s) { otpp::co_spawn(m.what(s)); }
  void handle_call(own_and_watch m, state& s) {
    otpp::co_spawn(m.what(s), [&s](std::exception_ptr error) { s.said.add(error ? "failed" : "done"); });
  }
  asio::awaitable<int> handle_call(ask m, state& s) {
    int result = co_await otpp::co_spawn(m.what(s), asio::use_awaitable);
    co_return result;
  }
  asio::awaitable<int> handle_call(wait m, state& s) {
    try {
      co_await m.until.wait();
    } catch (...) {
      s.said.add("cancelled");
      throw;
    }
    co_return 1;
  }
  int handle_call(get, state& s) { return s.n; }
  void handle_call(own_there m, state& s);
  void handle_cast(later m, state& s) { otpp::co_spawn(m.what(s)); }

  void terminate(const otpp::exit_reason& reason, state& s) { s.said.add("terminate:" + reason.message()); }
};

using owner_ref = otpp::server_ref<owner>;

// Touches the state when the frame that has it is destroyed.
struct frame {
  owner::state& s;
  const char* word = "gone";

  ~frame() {
    ++s.n;
    s.said.add(word);
  }
};

asio::awaitable<void> wait_for_it(owner::state& s) {
  frame here{s};
  s.said.add("begin");
  co_await s.until.wait();
  s.said.add("end");
}

asio::awaitable<void> ignore_cancellation(owner::state& s) {
  frame here{s};
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await s.until.wait();
  s.said.add("end");
}

asio::awaitable<void> withstand_once(owner::state& s) {
  frame here{s};
  try {
    co_await s.until.wait();
  } catch (...) {
    s.said.add("withstood");
  }
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  co_await s.until.wait();
}

asio::awaitable<void> throw_boom(owner::state& s) {
  frame here{s};
  co_await asio::post(asio::use_awaitable);
  throw boom();
}

asio::awaitable<void> throw_later(owner::state& s) {
  frame here{s};
  co_await s.until.wait();
  throw boom();
}

asio::awaitable<int> give_seven(owner::state& s) {
  frame here{s};
  co_await asio::post(asio::use_awaitable);
  co_return 7;
}

asio::awaitable<int> fail_to_give(owner::state& s) {
  co_await throw_boom(s);
  co_return 0;
}

asio::awaitable<void> own_another(owner::state& s) {
  frame here{s, "outer"};
  otpp::co_spawn([&s] { return wait_for_it(s); });
  co_await s.until.wait();
}

asio::awaitable<void> own_late(owner::state& s) {
  frame here{s, "outer"};
  bool was_cancelled = false;
  try {
    co_await s.until.wait();
  } catch (...) {
    was_cancelled = true;
  }
  if (was_cancelled) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    pending<> late;
    otpp::co_spawn(wait_for_it(s), late.token());
    std::error_code code = co_await late.code();
    s.said.add(code == asio::error::operation_aborted ? "aborted" : "begun");
  }
}

asio::awaitable<void> ask_own_server(owner::state& s) {
  int n = co_await otpp::call<owner::get>(otpp::self<owner>());
  s.said.add("got" + std::to_string(n));
  co_await otpp::self<owner>().stop();
}

asio::awaitable<void> wait_there(owner::state& s, asio::any_io_executor there) {
  frame here{s};
  co_await asio::post(asio::bind_executor(there, asio::use_awaitable));
}

void owner::handle_call(own_there m, state& s) { otpp::co_spawn(wait_there(s, m.there)); }

// Waits with another, which is over at once.
asio::awaitable<void> give_up_soon(owner::state& s) {
  using namespace asio::experimental::awaitable_operators;
  auto either = otpp::co_spawn(wait_for_it(s), asio::use_awaitable) || some_steps();
  co_await std::move(either);
  s.said.add("over");
}

// Bodies of processes.
asio::awaitable<void> own_and_return(owner::state& s) {
  otpp::co_spawn(wait_for_it(s));
  co_await some_steps();
}

asio::awaitable<void> own_and_receive(owner::state& s) {
  otpp::co_spawn(throw_boom(s));
  co_await otpp::receive<int>();
}

struct starts_in_init {
  asio::awaitable<int> init(owner::state* s, event then) {
    otpp::co_spawn(wait_for_it(*s));
    co_await then.wait();
    throw boom();
  }
};

struct fails_in_init {
  asio::awaitable<int> init(owner::state* s) {
    otpp::co_spawn(throw_boom(*s));
    co_await event().wait();
    co_return 0;
  }
};

struct starts_in_terminate {
  owner::state init(journal said) { return owner::state(std::move(said), event()); }
  asio::awaitable<void> terminate(const otpp::exit_reason&, owner::state& s) {
    int result = co_await otpp::co_spawn(give_seven(s), asio::use_awaitable);
    s.said.add(std::to_string(result));
    otpp::co_spawn(wait_for_it(s));
    co_await some_steps();
  }
};

asio::awaitable<void> pause(otpp::duration time) {
  try {
    co_await otpp::wait_for_name<owner>("a name that nobody has", time);
  } catch (const otpp::error& error) {
    if (error.code() != otpp::errc::timeout) {
      throw;
    }
  }
}

// A helper that waits, and then uses the state.
struct counts_seconds {
  struct state {
    std::unique_ptr<int> seconds;
    std::atomic<int>* frames;
  };
  struct begin {};
  struct get {
    using reply_type = int;
  };
  using messages = otpp::message_list<begin, get>;

  otpp::init_result<state> init(std::atomic<int>* frames) {
    return otpp::init_result<state>(state{std::make_unique<int>(0), frames}).then(begin());
  }
  void handle_continue(begin, state& s) {
    otpp::co_spawn([&s, here = counted_in(*s.frames)] { return count(s); });
  }
  int handle_call(get, state& s) { return *s.seconds; }

 private:
  static asio::awaitable<void> count(state& s) {
    while (true) {
      co_await pause(1s);
      ++*s.seconds;
    }
  }
};

// A state that everybody changes, without atomics.
struct busy_owner {
  struct own {};
  struct touch {};

  std::unique_ptr<int> init() { return std::make_unique<int>(0); }
  void handle_cast(own, std::unique_ptr<int>& s) { otpp::co_spawn(touch_often(s)); }
  void handle_cast(touch, std::unique_ptr<int>& s) { ++*s; }

 private:
  static asio::awaitable<void> touch_often(std::unique_ptr<int>& s) {
    struct last {
      std::unique_ptr<int>& s;
      ~last() { ++*s; }
    } here{s};
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    while (true) {
      ++*s;
      timer.expires_after(10us);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
};

struct small {
  struct where {
    using reply_type = void*;
  };
  char init() { return 'a'; }
  void* handle_call(where, char& s) { return &s; }
};

// Answers by work that takes an hour.
struct answering {
  struct later {
    using reply_type = int;
  };
  struct by_pipe {
    using reply_type = int;
  };
  struct drop {
    using reply_type = int;
  };
  struct over {};

  int init() { return 0; }
  void handle_call(later, otpp::caller<int> from, int&) { otpp::co_spawn(answer(std::move(from))); }
  void handle_call(by_pipe, otpp::caller<int> from, int&) {
    otpp::pipe<answering>(wait(), [kept = std::move(from)](std::exception_ptr) { return over(); });
  }
  void handle_call(drop, otpp::caller<int> from, int&) { otpp::co_spawn(keep(std::move(from))); }
  void handle_info(over, int&) {}

 private:
  static asio::awaitable<void> wait() {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
  }
  static asio::awaitable<void> answer(otpp::caller<int> from) {
    co_await wait();
    from.reply(1);
  }
  static asio::awaitable<void> keep(otpp::caller<int>) { co_return; }
};

} // namespace

TEST_CASE("co_spawn: a coroutine is over before terminate, and its frame gone before the state") {
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    co_await otpp::call<owner::own>(server, &wait_for_it);
    int n = co_await otpp::call<owner::get>(server); // it goes on handling messages
    CHECK(n == 0);
    co_await server.stop();
    CHECK(said.text() == "begin gone terminate:normal state");
  });
}

TEST_CASE("co_spawn: a call whose caller a coroutine has when the server ends is told the reason") {
  for (bool is_killed : {false, true}) {
    run([is_killed]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<answering>();
      pending<int> in_frame;
      pending<int> in_pipe;
      otpp::call_for<answering::later>(server, otpp::infinite, in_frame.token());
      otpp::call_for<answering::by_pipe>(server, otpp::infinite, in_pipe.token());
      std::error_code dropped =
          co_await code_of(otpp::call<answering::drop>(server)); // while the server runs
      CHECK(dropped == otpp::errc::no_reply);
      if (is_killed) {
        otpp::kill(server);
      } else {
        server.stop(otpp::exit_reason::shutdown(), asio::detached);
      }
      for (auto* one : {&in_frame, &in_pipe}) {
        otpp::error error = co_await error_of(one->get());
        CHECK(error.code() == otpp::errc::exited);
        CHECK(error.reason().message() == (is_killed ? "killed" : "shutdown"));
        CHECK(one->times() == 1);
      }
    });
  }
}

TEST_CASE("co_spawn: a coroutine may end by itself, and its server goes on") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event done;
    owner_ref server = co_await otpp::start<owner>(said, done);
    co_await otpp::call<owner::own>(server, &wait_for_it);
    co_await until([&said] { return said.text() == "begin"; });
    done.happen();
    co_await until([&said] { return said.text() == "begin end gone"; });
    int n = co_await otpp::call<owner::get>(server);
    CHECK(n == 1);
    co_await server.stop();
    CHECK(said.text() == "begin end gone terminate:normal state");
  });
}

TEST_CASE("co_spawn: all end, and what one has started ends, too") {
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    co_await otpp::call<owner::own>(server, &wait_for_it);
    co_await otpp::call<owner::own>(server, &own_another);
    co_await until([&said] { return said.text() == "begin begin"; });
    co_await server.stop();
    CHECK(said.text() == "begin begin gone outer gone terminate:normal state");
  });
}

TEST_CASE("co_spawn: an exception ends the server, after terminate, and cancels a handler that waits") {
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    journal said;
    event done;
    owner_ref server = co_await otpp::start<owner>(said, done);
    co_await otpp::call<owner::own>(server, &throw_later);
    pending<int> answer;
    otpp::call<owner::wait>(server, event(), answer.token());
    co_await some_steps();
    done.happen();
    otpp::exit_reason why = co_await server.join();
    CHECK(why.message() == "boom");
    CHECK(said.text() == "gone cancelled terminate:boom state");
    std::error_code code = co_await answer.code();
    CHECK(code == otpp::errc::exited);
  });
  REQUIRE(crashes.texts().size() == 1);
  CHECK(crashes.texts()[0].find("it was handling a coroutine of otpp::co_spawn") != std::string::npos);
}

TEST_CASE("co_spawn: a completion token gets the result, or the exception, and the server goes on") {
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    int seven = co_await otpp::call<owner::ask>(server, &give_seven);
    CHECK(seven == 7);
    co_await otpp::call<owner::own_and_watch>(server, &throw_boom);
    co_await until([&said] { return said.text() == "gone gone failed"; });
    CHECK(!server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("co_spawn: a handler on the server's executor is called before terminate and the state's end") {
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    co_await otpp::call<owner::own_and_watch>(server, &wait_for_it);
    co_await otpp::call<owner::get>(server);
    co_await server.stop();
    CHECK(said.text() == "begin gone failed terminate:normal state");
  });
}

TEST_CASE("co_spawn: a handler that waits for a coroutine gets its exception") {
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    otpp::error error = co_await error_of(otpp::call<owner::ask>(server, &fail_to_give));
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason().message() == "boom");
    CHECK(said.text() == "gone terminate:boom state");
  });
}

TEST_CASE("co_spawn: to cancel the wait cancels the coroutine, and lasts until it is over") {
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    co_await otpp::call<owner::own>(server, &give_up_soon);
    co_await until([&said] { return said.text() == "begin gone over"; });
    co_await server.stop();
    CHECK(said.text() == "begin gone over terminate:normal state");
  });
}

TEST_CASE("co_spawn: in a server that ends none begins") {
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    co_await otpp::call<owner::own>(server, &own_late);
    co_await otpp::call<owner::get>(server);
    co_await server.stop();
    CHECK(said.text() == "aborted outer terminate:normal state");
  });
}

TEST_CASE("co_spawn: a server that ends waits for a coroutine that ignores its cancellation") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event done;
    owner_ref server = co_await otpp::start<owner>(said, done);
    co_await otpp::call<owner::own>(server, &ignore_cancellation);
    pending<> stopped;
    server.stop(stopped.token());
    pending<int> late;
    otpp::call<owner::get>(server, late.token()); // nothing is handled any more
    co_await some_steps();
    otpp::kill(server);
    co_await some_steps();
    CHECK(!stopped.is_done());
    CHECK(said.text().empty());
    done.happen();
    std::error_code code = co_await late.code();
    CHECK(code == otpp::errc::exited);
    CHECK(said.text() == "end gone state"); // killed, so without terminate
  });
}

TEST_CASE("co_spawn: a kill cancels again what has withstood") {
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    co_await otpp::call<owner::own>(server, &withstand_once);
    co_await otpp::call<owner::get>(server);
    otpp::exit(server, otpp::exit_reason::shutdown());
    co_await until([&said] { return said.text() == "withstood"; });
    CHECK(!server.has_ended());
    otpp::kill(server);
    otpp::exit_reason why = co_await server.join();
    CHECK(why == otpp::exit_reason::killed());
    CHECK(said.text() == "withstood gone state");
  });
}

TEST_CASE("co_spawn: a supervisor kills a server whose coroutine withstands, after its shutdown time") {
  supervisor_log reports;
  journal said;
  in_a_world([said](otpp::testing::world&) -> asio::awaitable<void> {
    auto spec = otpp::supervisor_spec().add(otpp::child<owner>("owner", said, event()).named("owner"));
    auto boss = co_await otpp::start_supervisor(std::move(spec));
    owner_ref server = *otpp::whereis<owner>("owner");
    co_await otpp::call<owner::own>(server, &withstand_once);
    co_await otpp::call<owner::get>(server);
    co_await boss.stop(otpp::exit_reason::shutdown(), otpp::infinite);
  });
  CHECK(said.text() == "withstood gone state");
  CHECK(reports.has(otpp::supervisor_report::kind::overdue));
}

TEST_CASE("co_spawn: a coroutine may ask its own server, and stop it") {
  run([]() -> asio::awaitable<void> {
    journal said;
    owner_ref server = co_await otpp::start<owner>(said, event());
    co_await otpp::call<owner::own>(server, &ask_own_server);
    otpp::exit_reason why = co_await server.join();
    CHECK(why == otpp::exit_reason::normal());
    CHECK(said.text() == "got0 terminate:normal state");
  });
}

TEST_CASE("co_spawn: works in init, whose failure ends it, and which its failure ends") {
  owner::state s{journal(), event()};
  run([&s]() -> asio::awaitable<void> {
    event then;
    pending<otpp::server_ref<starts_in_init>> started;
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    otpp::start<starts_in_init>(otpp::options().on(executor), &s, then, started.token());
    co_await until([&s] { return s.said.text() == "begin"; });
    then.happen();
    std::exception_ptr failure = co_await failure_of(started.get());
    CHECK(text_of(failure) == "boom");
    CHECK(s.said.text() == "begin gone");

    std::exception_ptr its = co_await failure_of(otpp::start<fails_in_init>(&s));
    CHECK(text_of(its) == "boom");
  });
}

TEST_CASE("co_spawn: works in terminate, and the state waits for that, too") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<starts_in_terminate>(said);
    co_await server.stop();
    CHECK(said.text() == "gone 7 begin gone state");
  });
}

TEST_CASE("co_spawn: works in a process that is a coroutine, and ends with it, or ends it") {
  crash_log crashes;
  owner::state s{journal(), event()};
  run([&s]() -> asio::awaitable<void> {
    auto returns = co_await otpp::spawn(own_and_return(s));
    otpp::exit_reason why = co_await returns.join();
    CHECK(why == otpp::exit_reason::normal());
    CHECK(s.said.text() == "begin gone");
    auto fails = co_await otpp::spawn(own_and_receive(s));
    otpp::exit_reason failure = co_await fails.join();
    CHECK(failure.message() == "boom");
  });
}

TEST_CASE("co_spawn: is refused outside a process") {
  owner::state s{journal(), event()};
  std::error_code code;
  try {
    otpp::co_spawn(wait_for_it(s));
  } catch (const otpp::error& error) {
    code = error.code();
  }
  CHECK(code == otpp::errc::no_process);
}

TEST_CASE("co_spawn: a helper that waits and then uses the state ends with its server") {
  using namespace otpp::testing;
  std::atomic<int> frames{0};
  in_a_world([&frames](world& one) -> asio::awaitable<void> {
    auto server = co_await otpp::start<counts_seconds>(&frames);
    co_await pause(3500ms);
    int n = co_await otpp::call<counts_seconds::get>(server);
    one.check(n == 3 && frames == 1, "it did not run beside the server");
    co_await server.stop();
    one.check(frames == 0, "it is left");
  });
}

TEST_CASE("co_spawn: in every order of its steps, stop and kill, it ends before the state", "[explorer]") {
  using namespace otpp::testing;
  auto scenario = [](owner::work what, bool is_context_destroyed = false) {
    return [what, is_context_destroyed](world& one) {
      journal said;
      event done;
      auto server = std::make_shared<std::optional<owner_ref>>();
      one.spawn("client", [said, done, server, what]() -> asio::awaitable<void> {
        owner_ref started = co_await otpp::start<owner>(said, done);
        otpp::try_cast<owner::later>(started, what);
        server->emplace(started);
        co_await started.join();
      });
      one.may("kill", [server] {
        if (*server) {
          otpp::kill(**server);
        }
      });
      one.may("it happens", [done] { done.happen(); });
      if (is_context_destroyed) {
        one.may_destroy_main_context();
      }
      one.spawn("stopper", [server]() -> asio::awaitable<void> {
        while (!*server) {
          co_await asio::post(asio::use_awaitable);
        }
        owner_ref started = **server;
        std::error_code code = co_await code_of(started.stop());
        static_cast<void>(code);
      });
      one.run();
      std::string text = said.text();
      bool is_last = text.size() >= 5 && text.substr(text.size() - 5) == "state";
      one.check(is_last || !one.has_main_context(), "the state was not the last");
    };
  };
  report waits = explore(orders::all(2), scenario(&wait_for_it));
  CHECK(waits.is_complete);
  CHECK(waits.schedules > 10);
  report nests = explore(orders::all(1), scenario(&own_another));
  CHECK(nests.is_complete);
  report abandoned = explore(orders::all(1), scenario(&own_another, true));
  CHECK(abandoned.is_complete);
}

TEST_CASE("co_spawn: a context that is destroyed destroys the coroutine before the state") {
  std::size_t steps = abandon_at_every_step([]() -> asio::awaitable<void> {
    journal said;
    event done;
    owner_ref server = co_await otpp::start<owner>(said, done);
    co_await otpp::call<owner::own>(server, &wait_for_it);
    co_await otpp::call<owner::own>(server, &own_another);
    co_await otpp::call<owner::own_and_watch>(server, &ignore_cancellation);
    pending<int> answer;
    otpp::call<owner::ask>(server, &give_seven, answer.token());
    co_await otpp::call<owner::get>(server);
    done.happen();
    co_await server.stop();
  });
  CHECK(steps > 5);
}

TEST_CASE("co_spawn: a frame that another context destroys is destroyed before the state") {
  for (bool is_ours_first : {false, true}) {
    crash_log crashes;
    journal said;
    auto ours = std::make_unique<asio::io_context>();
    auto theirs = std::make_unique<asio::io_context>();
    std::future<owner_ref> started =
        otpp::start<owner>(otpp::options().on(ours->get_executor()), said, event(), asio::use_future);
    settle(*ours);
    owner_ref server = started.get();
    otpp::call<owner::own_there>(server, theirs->get_executor(), forget);
    settle(*ours); // nobody runs the other one
    if (is_ours_first) {
      ours.reset();
      CHECK(server.has_ended());
      CHECK(said.text().empty());
      theirs.reset();
      CHECK(said.text() == "gone state");
    } else {
      theirs.reset();
      settle(*ours);
      CHECK(said.text() == "gone terminate:killed state"); // as for a handler whose operation is destroyed
    }
  }
}

TEST_CASE("co_spawn: on a pool it never runs at the same time as a handler, and ends before the state") {
  asio::thread_pool pool(4);
  constexpr int rounds = 20;
  for (int n = 0; n != rounds; ++n) {
    std::future<otpp::server_ref<busy_owner>> started =
        otpp::start<busy_owner>(otpp::options().on(pool.get_executor()), asio::use_future);
    otpp::server_ref<busy_owner> server = started.get();
    for (int k = 0; k != 4; ++k) {
      otpp::try_cast<busy_owner::own>(server);
    }
    for (int k = 0; k != 20; ++k) {
      otpp::try_cast<busy_owner::touch>(server);
    }
    n % 2 == 0 ? otpp::kill(server) : otpp::exit(server, otpp::exit_reason::shutdown());
    std::future<otpp::exit_reason> ended = server.join(asio::use_future);
    ended.get();
  }
  pool.join();
}

TEST_CASE("co_spawn: a pool that is destroyed destroys the coroutines before the state") {
  for (int n = 0; n != 10; ++n) {
    asio::thread_pool pool(2);
    std::future<otpp::server_ref<busy_owner>> started =
        otpp::start<busy_owner>(otpp::options().on(pool.get_executor()), asio::use_future);
    otpp::server_ref<busy_owner> server = started.get();
    for (int k = 0; k != 4; ++k) {
      otpp::try_cast<busy_owner::own>(server);
    }
    pool.stop();
  }
}

#if defined(OTPP_HAS_ASAN)
extern "C" int __asan_address_is_poisoned(const volatile void*);

TEST_CASE("co_spawn: AddressSanitizer reports who uses the state after the server's end") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<small>();
    void* state = co_await otpp::call<small::where>(server);
    bool is_poisoned_before = __asan_address_is_poisoned(state) != 0;
    co_await server.stop();
    bool is_poisoned_after = __asan_address_is_poisoned(state) != 0;
    CHECK(!is_poisoned_before);
    CHECK(is_poisoned_after);
  });
}
#endif

namespace {

struct late_owner {
  struct state {
    explicit state(journal where) : said(std::move(where)) {}
    state(const state&) = delete;
    ~state() {
      std::shared_ptr<void> last(nullptr, [where = said](void*) mutable { where.add("gone"); });
      otpp::co_spawn([last]() -> asio::awaitable<void> { co_return; });
      last = nullptr;
      said.add("state");
    }
    journal said;
  };
  state init(journal said) { return state(std::move(said)); }
};

} // namespace

TEST_CASE("co_spawn: what the state's destructor starts is destroyed before the state") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<late_owner>(said);
    co_await server.stop();
    CHECK(said.text() == "gone state");
  });
}
