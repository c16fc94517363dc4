// SPDX-License-Identifier: BSL-1.0

// A server's own memory fails: it ends as if its handler had thrown, says so, and takes nobody with it.

#include "subject.hpp"

#include "support/crash_log.hpp"

#include <otpp/otpp.hpp>

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <stdexcept>

namespace {

// A server whose handlers are coroutines, and what else takes memory from the server.
struct thinker {
  struct think {
    using reply_type = int;
  };
  struct think_later {
    using reply_type = int;
  };
  struct ask {
    subject_ref whom;
    using reply_type = int;
  };
  struct rest { // the next message, or a timeout
    using reply_type = int;
  };
  struct go_on {
    using reply_type = int;
  };
  struct fail {
    using reply_type = int;
  };
  struct note {};
  struct more {
    int n;
  };

  int init(int start) { return start; }
  asio::awaitable<int> handle_call(think, int& n) { co_return ++n; }
  asio::awaitable<void> handle_call(think_later, otpp::caller<int> from, int& n) {
    from.reply(++n);
    co_return;
  }
  asio::awaitable<int> handle_call(ask message, int& n) {
    int answer = co_await otpp::call_for<subject::add>(message.whom, otpp::infinite, 5);
    n += answer;
    co_return n;
  }
  otpp::outcome<int> handle_call(rest, int& n) {
    return otpp::outcome<int>(++n).timeout(std::chrono::milliseconds(1));
  }
  otpp::outcome<int> handle_call(go_on, int& n) { return otpp::outcome<int>(++n).then(more{100}); }
  int handle_call(fail, int&) { throw std::runtime_error("as it was told to"); }
  asio::awaitable<void> handle_cast(note, int& n) {
    ++n;
    co_return;
  }
  void handle_info(otpp::timeout, int& n) { n += 10; }
  void handle_continue(more message, int& n) { n += message.n; }
};

using thinker_ref = otpp::server_ref<thinker>;

// An init and a terminate that are coroutines.
struct slow_starter {
  struct get {
    using reply_type = int;
  };
  asio::awaitable<int> init(int start) { co_return start; }
  int handle_call(get, int& n) { return n; }
  asio::awaitable<void> terminate(const otpp::exit_reason&, int& n) {
    ++n;
    co_return;
  }
};

// A handler that is a coroutine, and a terminate that waits.
struct leaver {
  struct think {
    using reply_type = int;
  };
  int* init(int* farewells) { return farewells; }
  asio::awaitable<int> handle_call(think, int*&) { co_return 1; }
  asio::awaitable<void> terminate(const otpp::exit_reason&, int*& farewells) {
    co_await asio::post(asio::use_awaitable);
    ++*farewells;
  }
};

// A handler that ends on another executor than it began on, and has to come home.
struct traveler {
  struct go {
    asio::io_context* there;
    bool fails;
    using reply_type = int;
  };
  int init() { return 0; }
  asio::awaitable<int> handle_call(go message, int& n) {
    disarm(); // the way there is Asio's
    co_await asio::post(asio::bind_executor(*message.there, asio::use_awaitable));
    if (message.fails) {
      arm();
    }
    co_return ++n;
  }
};

// A handler that waits for one of Asio's operations.
struct sleeper {
  struct rest {
    using reply_type = int;
  };
  int init() { return 1; }
  asio::awaitable<int> handle_call(rest, int& n) {
    asio::any_io_executor here = co_await asio::this_coro::executor;
    asio::steady_timer timer(here, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    co_return n;
  }
};

// The server has ended of bad_alloc, and says so to all.
asio::awaitable<void> expect_ended(const thinker_ref& server) {
  std::exception_ptr error;
  try {
    int answer = co_await otpp::call<thinker::think>(server);
    expect(answer < 0, "the server lives, although it said that it had ended");
  } catch (...) {
    error = std::current_exception();
  }
  expect(
      has_code(error, otpp::errc::no_process) || has_code(error, otpp::errc::exited),
      "what has ended is no process");
}

// Calls with a message, at a server that has not run a coroutine yet or one that has, and looks at how it
// ended: with an answer; with a failure of the client's, which the server knows nothing of; or with the
// server's end.
template <class Message>
void call_armed(bool is_warm, int wanted) {
  auto body = [&]() -> asio::awaitable<void> {
    thinker_ref server = co_await otpp::start<thinker>(0);
    if (is_warm) {
      co_await otpp::call<thinker::think>(server);
    }
    auto make = [&] { return otpp::call_for<Message>(server, otpp::infinite); };
    ended<int> how = co_await await_armed<int>(make);
    if (how.value) {
      expect(how.value == wanted, "a wrong answer");
    } else if (has_code(how.error, otpp::errc::exited)) {
      expect(is_bad_alloc(reason_in(how.error).exception()), "it ended of something else");
      expect(server.has_ended(), "whoever is told of the end can see it");
      co_await expect_ended(server);
      co_return;
    } else {
      expect(how.is_out_of_memory(), "neither an answer, nor the end, nor bad_alloc");
    }
    int next = co_await otpp::call_for<thinker::think>(server, otpp::infinite);
    expect(next > 0, "the server answers no more");
    co_await server.stop();
  };
  in_context(body);
}

} // namespace

TEST_CASE("memory: a coroutine handler without memory ends its server, as one that throws", "[memory]") {
  quiet no_reports;
  SECTION("the first") {
    long count = fail_at_every_index([] { call_armed<thinker::think>(false, 1); });
    tell("coroutine handler, the server's first", count);
    CHECK(count >= 6);
  }
  SECTION("a later one") {
    long count = fail_at_every_index([] { call_armed<thinker::think>(true, 2); });
    tell("coroutine handler, a later one", count);
    CHECK(count >= 4);
  }
  SECTION("the first, with an otpp::caller") {
    long count = fail_at_every_index([] { call_armed<thinker::think_later>(false, 1); });
    tell("coroutine handler with a caller, the first", count);
    CHECK(count >= 6);
  }
  SECTION("a later one, with an otpp::caller") {
    long count = fail_at_every_index([] { call_armed<thinker::think_later>(true, 2); });
    tell("coroutine handler with a caller, a later one", count);
    CHECK(count >= 4);
  }
}

TEST_CASE("memory: a coroutine handler of a cast ends its server too", "[memory]") {
  quiet no_reports;
  long count = fail_at_every_index([] {
    auto body = []() -> asio::awaitable<void> {
      thinker_ref server = co_await otpp::start<thinker>(0);
      auto make = [&] { return otpp::cast<thinker::note>(server); };
      ended<void> told = co_await await_armed<void>(make);
      arm();
      otpp::exit_reason why;
      bool was_told = false;
      try {
        // What comes after the cast finds out what became of it.
        auto stop = server.stop();
        co_await std::move(stop);
        disarm();
        was_told = true;
      } catch (const otpp::error& error) {
        disarm();
        why = error.reason();
        expect(
            error.code() == otpp::errc::exited || error.code() == otpp::errc::no_process,
            "neither stopped nor ended");
      } catch (const std::bad_alloc&) {
        disarm();
      }
      expect(was_told || has_struck(), "it did not stop, and nothing had failed");
      expect(!told.error || told.is_out_of_memory(), "neither sent nor bad_alloc");
      if (!server.has_ended()) {
        std::exception_ptr error;
        try {
          co_await server.stop();
        } catch (...) {
          error = std::current_exception();
        }
        expect(
            !error || has_code(error, otpp::errc::exited) || has_code(error, otpp::errc::no_process),
            "it does not stop");
      }
      expect(server.has_ended(), "it goes on");
    };
    in_context(body);
  });
  tell("coroutine handler of a cast, and stop", count);
  CHECK(count >= 6);
}

TEST_CASE("memory: a handler that calls another server ends once", "[memory]") {
  quiet no_reports;
  long count = fail_at_every_index([] {
    auto body = []() -> asio::awaitable<void> {
      subject_ref other = co_await otpp::start<subject>(0);
      thinker_ref server = co_await otpp::start<thinker>(0);
      auto make = [&] { return otpp::call_for<thinker::ask>(server, otpp::infinite, other); };
      ended<int> how = co_await await_armed<int>(make);
      if (how.value) {
        expect(how.value == 5, "a wrong answer");
      } else if (has_code(how.error, otpp::errc::exited)) {
        expect(is_bad_alloc(reason_in(how.error).exception()), "it ended of something else");
      } else {
        expect(how.is_out_of_memory(), "neither an answer, nor the end, nor bad_alloc");
      }
      int sum = co_await otpp::call<subject::get>(other);
      expect(sum == (how.value ? 5 : 0), "the other server's state is not what it should be");
      co_await other.stop();
      if (!server.has_ended()) {
        co_await server.stop();
      }
    };
    in_context(body);
  });
  tell("handler that calls another server", count);
  CHECK(count >= 8);
}

TEST_CASE("memory: a handler comes home from another executor, or ends its server", "[memory]") {
  quiet no_reports;
  long count = fail_at_every_index([] {
    asio::io_context home;
    asio::io_context there;
    std::optional<otpp::server_ref<traveler>> server;
    auto starting = [&]() -> asio::awaitable<void> {
      otpp::server_ref<traveler> made = co_await otpp::start<traveler>();
      server.emplace(made);
    };
    asio::co_spawn(home, starting(), [](std::exception_ptr) {});
    home.run();
    auto settle = [&] {
      for (int round = 0; round != 4; ++round) {
        home.restart();
        home.poll();
        there.restart();
        there.poll();
      }
    };
    tally<int> how;
    how.begin_armed(
        [&] { otpp::call_for<traveler::go>(*server, otpp::infinite, &there, true, how.handler()); });
    settle();
    disarm();
    how.check();
    if (has_code(how.error(), otpp::errc::exited)) {
      expect(is_bad_alloc(reason_in(how.error()).exception()), "it ended of something else");
      expect(server->has_ended(), "whoever is told of the end can see it");
    } else {
      expect(how.value() == 1 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      tally<int> next;
      otpp::call_for<traveler::go>(*server, otpp::infinite, &there, false, next.handler());
      settle();
      disarm();
      expect(next.value() == (how.value() ? 2 : 1), "the server answers no more");
    }
  });
  tell("handler that comes home", count);
  CHECK(count >= 9);
}

// Asio's operations, when they have ended and find no memory to say so, throw away who waits for them, and
// throw out of run(). Limits: what comes before is Asio's own, see limits.test.cpp.
TEST_CASE("memory: a handler that is thrown away ends its server", "[memory]") {
  quiet no_reports;
  long count = fail_at_every_index([] {
    asio::io_context context;
    std::optional<otpp::server_ref<sleeper>> server;
    auto starting = [&]() -> asio::awaitable<void> {
      otpp::server_ref<sleeper> made = co_await otpp::start<sleeper>(otpp::named("memory.sleeps"));
      server.emplace(made);
    };
    asio::co_spawn(context, starting(), [](std::exception_ptr) {});
    context.run();
    tally<int> first;
    tally<int> second;
    otpp::call_for<sleeper::rest>(*server, otpp::infinite, first.handler());
    otpp::call_for<sleeper::rest>(*server, otpp::infinite, second.handler());
    context.restart();
    context.poll();
    arm();
    for (int attempt = 0; attempt != 3; ++attempt) {
      try {
        context.restart();
        context.run_one_for(std::chrono::seconds(3)); // the timer
        disarm();                                     // the second call's is Asio's own
        context.run_for(std::chrono::seconds(3));
      } catch (const std::bad_alloc&) {
      }
    }
    disarm();
    first.check();
    second.check();
    if (has_struck()) {
      expect(reason_in(first.error()) == otpp::exit_reason::killed(), "it ended of something else");
      expect(reason_in(second.error()) == otpp::exit_reason::killed(), "it ended of something else");
      expect(!otpp::whereis<sleeper>("memory.sleeps"), "the name is free");
    } else {
      expect(first.value() == 1 && second.value() == 1, "a wrong answer");
    }
  });
  tell("handler that is thrown away", count);
  CHECK(count >= 2);
}

TEST_CASE("memory: what a server leaves for itself is done, or ends it", "[memory]") {
  quiet no_reports;
  SECTION("a timeout") {
    long count = fail_at_every_index([] {
      asio::io_context context;
      std::optional<thinker_ref> server;
      auto starting = [&]() -> asio::awaitable<void> {
        thinker_ref made = co_await otpp::start<thinker>(0);
        server.emplace(made);
      };
      asio::co_spawn(context, starting(), [](std::exception_ptr) {});
      context.run();
      tally<int> how;
      how.begin_armed([&] { otpp::call_for<thinker::rest>(*server, otpp::infinite, how.handler()); });
      context.restart();
      context.run_for(std::chrono::seconds(3)); // its timeout is work
      disarm();
      how.check();
      expect(how.value() == 1 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      if (!server->has_ended()) {
        tally<int> next;
        otpp::call_for<thinker::think>(*server, otpp::infinite, next.handler());
        context.restart();
        context.run_for(std::chrono::seconds(3));
        int wanted = how.value() ? 12 : 1;
        expect(next.value() == wanted, "the timeout never came");
      }
    });
    tell("server with a timeout", count);
    CHECK(count >= 3);
  }
  SECTION("a message") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        thinker_ref server = co_await otpp::start<thinker>(0);
        auto make = [&] { return otpp::call_for<thinker::go_on>(server, otpp::infinite); };
        ended<int> how = co_await await_armed<int>(make);
        if (how.value) {
          int n = co_await otpp::call<thinker::think>(server);
          expect(n == 102, "the message never came");
        } else {
          expect(
              how.is_out_of_memory() || is_bad_alloc(reason_in(how.error).exception()),
              "neither an answer, nor the end, nor bad_alloc");
        }
        if (!server.has_ended()) {
          co_await server.stop();
        }
      };
      in_context(body);
    });
    tell("server that goes on with a message", count);
    CHECK(count >= 3);
  }
}

TEST_CASE("memory: a server that crashes tells everybody, whatever fails", "[memory]") {
  long count = fail_at_every_index([] {
    quiet no_reports;
    asio::io_context context;
    std::optional<thinker_ref> server;
    auto starting = [&]() -> asio::awaitable<void> {
      thinker_ref made = co_await otpp::start<thinker>(otpp::named("memory.crashes"), 0);
      server.emplace(made);
    };
    asio::co_spawn(context, starting(), [](std::exception_ptr) {});
    context.run();
    tally<int> first;
    tally<int> second;
    tally<otpp::exit_reason> joined;
    otpp::call_for<thinker::fail>(*server, otpp::infinite, first.handler());
    otpp::call_for<thinker::think>(*server, otpp::infinite, second.handler());
    server->join(joined.handler());
    arm();
    context.restart();
    context.run_for(std::chrono::seconds(3));
    disarm();
    first.check();
    second.check();
    joined.check();
    for (const tally<int>* one : {&first, &second}) {
      expect(
          has_code(one->error(), otpp::errc::exited) || one->is_out_of_memory(),
          "neither the end nor bad_alloc");
    }
    expect(joined.value().has_value(), "join knows the reason");
    expect(!otpp::whereis<thinker>("memory.crashes"), "the name is free");
  });
  tell("server that crashes", count);
  CHECK(count >= 4);
}

TEST_CASE("memory: a server whose handler could not begin waits for its terminate", "[memory]") {
  quiet no_reports;
  long count = fail_at_every_index([] {
    int farewells = 0;
    auto body = [&]() -> asio::awaitable<void> {
      otpp::server_ref<leaver> server = co_await otpp::start<leaver>(&farewells);
      auto make = [&] { return otpp::call_for<leaver::think>(server, otpp::infinite); };
      ended<int> how = co_await await_armed<int>(make);
      if (has_code(how.error, otpp::errc::exited)) {
        expect(server.has_ended(), "whoever is told of the end can see it");
      } else {
        expect(how.value || how.is_out_of_memory(), "neither an answer, nor the end, nor bad_alloc");
        co_await server.stop();
      }
      expect(farewells == 1, "it has ended before its terminate had");
    };
    in_context(body);
  });
  tell("coroutine handler, with a terminate that waits", count);
  CHECK(count >= 6);
}

TEST_CASE("memory: an init that is a coroutine starts its server, or does not", "[memory]") {
  long count = fail_at_every_index([] {
    auto body = []() -> asio::awaitable<void> {
      auto make = [] { return otpp::start<slow_starter>(otpp::named("memory.slow"), 7); };
      ended<otpp::server_ref<slow_starter>> how = co_await await_armed<otpp::server_ref<slow_starter>>(make);
      expect(how.value || how.is_out_of_memory(), "neither started nor bad_alloc");
      if (!how.value) {
        expect(!otpp::whereis<slow_starter>("memory.slow"), "the name is free");
        how.value = co_await otpp::start<slow_starter>(otpp::named("memory.slow"), 7);
      }
      int n = co_await otpp::call<slow_starter::get>(*how.value);
      expect(n == 7, "a wrong state");
      auto stop = [&] { return how.value->stop(); };
      ended<void> stopped = co_await await_armed<void>(stop);
      expect(
          !stopped.error || stopped.is_out_of_memory() || has_code(stopped.error, otpp::errc::exited),
          "neither stopped nor bad_alloc");
      if (!how.value->has_ended()) {
        co_await how.value->stop();
      }
      expect(!otpp::whereis<slow_starter>("memory.slow"), "the name is free");
    };
    quiet no_reports;
    in_context(body);
  });
  tell("start and stop with coroutines", count);
  CHECK(count >= 10);
}
