// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/call.hpp>

#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/self.hpp>
#include <otpp/registry/registry.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

static_assert(otpp::address<otpp::server_ref<counter>>);
static_assert(otpp::address<otpp::server_name<counter>>);
static_assert(otpp::address<const char*>);
static_assert(otpp::address<std::string>);
static_assert(!otpp::address<int>);

namespace {

constexpr otpp::server_name<counter> the_counter{"call-counter"};

asio::awaitable<void> ask_twice() {
  auto server = co_await otpp::start<counter>(0);
  int before = co_await otpp::call<counter::get>(server);
  int after = co_await otpp::call<counter::add>(server, 5);
  CHECK(before == 0);
  CHECK(after == 5);
  co_await server.stop();
}

// Lets time pass, because time is the subject.
void wait_until_after(std::chrono::steady_clock::time_point end) {
  while (std::chrono::steady_clock::now() <= end) {
  }
}

} // namespace

TEST_CASE("call: answers come back in order", "[call]") { run(ask_twice); }

TEST_CASE("call: leaves nothing behind wherever it ends", "[call]") {
  std::size_t steps = abandon_at_every_step(ask_twice);
  CHECK(steps > 1);
}

TEST_CASE("call: every kind of address reaches the server", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("call-counter"), 1);
    int by_reference = co_await otpp::call<counter::add>(server, 1);
    int by_name = co_await otpp::call<counter::add>(the_counter, 1);
    int by_literal = co_await otpp::call<counter::add>("call-counter", 1);
    int by_string = co_await otpp::call<counter::add>(std::string("call-counter"), 1);
    CHECK(by_reference == 2);
    CHECK(by_name == 3);
    CHECK(by_literal == 4);
    CHECK(by_string == 5);
    co_await server.stop();
  });
}

TEST_CASE("call: a message that is made already is sent as it is", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    counter::add two{2};
    int first = co_await otpp::call(server, two);
    int second = co_await otpp::call(server, two, 1s);
    int third = co_await otpp::call(server, counter::add{3}, otpp::infinite);
    int fourth = co_await otpp::call_for<counter::add>(server, 1s, 3);
    CHECK(first == 2);
    CHECK(second == 4);
    CHECK(third == 7);
    CHECK(fourth == 10);

    pending<int> with_token;
    otpp::call(server, two, with_token.token());
    pending<int> with_both;
    otpp::call(server, two, 1s, with_both.token());
    pending<int> in_place;
    otpp::call_for<counter::add>(server, 1s, 8, in_place.token());
    int fifth = co_await with_token.get();
    int sixth = co_await with_both.get();
    int seventh = co_await in_place.get();
    CHECK(fifth == 12);
    CHECK(sixth == 14);
    CHECK(seventh == 22);
    co_await server.stop();
  });
}

TEST_CASE("call: a plain thread calls with a future", "[call]") {
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  std::thread thread([&] { context.run(); });
  {
    otpp::server_ref<counter> server =
        otpp::start<counter>(otpp::options().on(context.get_executor()), 40, asio::use_future).get();
    CHECK(otpp::call<counter::add>(server, 2, asio::use_future).get() == 42);
    server.stop(asio::use_future).get();
    auto too_late = otpp::call<counter::get>(server, asio::use_future);
    CHECK_THROWS_AS(too_late.get(), otpp::error);
  }
  work.reset();
  thread.join();
}

namespace {

struct box {
  std::unique_ptr<int> inside;
  explicit box(int n) : inside(std::make_unique<int>(n)) {}
};

// Messages and answers of types that can do little.
struct shop {
  struct swap { // move-only, for a move-only answer without a default
    box brought;
    using reply_type = box;
  };
  struct nothing {
    using reply_type = void;
  };
  struct ask_nicely {
    std::string words;
    using reply_type = std::string;
  };
  box init() { return box(1); }
  box handle_call(swap m, box& stock) { return std::exchange(stock, std::move(m.brought)); }
  void handle_call(nothing, box& stock) { *stock.inside += 10; }
  std::string handle_call(ask_nicely m, box&) { return m.words + ", please"; }
};

} // namespace

TEST_CASE("call: messages and answers need only be movable, and an answer may be void", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shop>();
    box mine(7);
    box first = co_await otpp::call<shop::swap>(server, std::move(mine));
    CHECK(*first.inside == 1);
    co_await otpp::call<shop::nothing>(server);
    shop::swap back{std::move(first)};
    // On GCC 12 a token that is no use_awaitable takes a message that is moved.
    auto later = in_background(
        co_await asio::this_coro::executor, otpp::call<shop::swap>(server, std::move(back.brought)));
    box second = co_await later.get();
    CHECK(*second.inside == 17);
    co_await server.stop();
  });
}

TEST_CASE("call: arguments that go away at once are in the message before", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<shop>();
    auto call = otpp::call<shop::ask_nicely>(server, std::string("a coffee, and a long one").c_str());
    std::string answer = co_await std::move(call);
    CHECK(answer == "a coffee, and a long one, please");

    pending<std::string> later;
    {
      std::string words = "text that is longer than a small string";
      otpp::call<shop::ask_nicely>(server, words.c_str(), later.token());
      words.assign(words.size(), '?');
    }
    answer = co_await later.get();
    CHECK(answer == "text that is longer than a small string, please");
    co_await server.stop();
  });
}

TEST_CASE("call: a crash answers the caller in hand and those queued", "[call]") {
  for (std::size_t crash_at = 0; crash_at != 5; ++crash_at) {
    run([crash_at]() -> asio::awaitable<void> {
      crash_log reports;
      journal said;
      auto server = co_await otpp::start<scribe>(otpp::named("call-f01"), said);

      std::size_t name_was_seen = 0;
      std::array<pending<int>, 5> answers;
      for (std::size_t n = 0; n != 5; ++n) {
        auto note_end = [&name_was_seen, done = answers[n].token()](std::exception_ptr error, int value) {
          if (error && otpp::whereis<scribe>("call-f01")) {
            ++name_was_seen;
          }
          done(std::move(error), value);
        };
        if (n == crash_at) {
          otpp::call<scribe::crash>(server, note_end);
        } else {
          otpp::call<scribe::ask>(server, static_cast<int>(n), note_end);
        }
        bool taken = otpp::try_cast<scribe::note>(server, "c" + std::to_string(n));
        CHECK(taken);
      }

      std::exception_ptr cause;
      for (std::size_t n = 0; n != 5; ++n) {
        if (n < crash_at) {
          int value = co_await answers[n].get();
          CHECK(value == static_cast<int>(n));
          continue;
        }
        otpp::error error = co_await error_of(answers[n].get());
        CHECK(error.code() == otpp::errc::exited);
        CHECK(text_of(error.reason().exception()) == "boom");
        if (n == crash_at) {
          cause = error.reason().exception();
        }
        CHECK(error.reason().exception() == cause); // the handler's own, for everybody
        CHECK(answers[n].times() == 1);
      }
      CHECK(name_was_seen == 0);
      CHECK(reports.texts().size() == 1);
      CHECK(reports.dropped() == 5 - crash_at);

      std::string expected;
      for (std::size_t n = 0; n != crash_at; ++n) {
        expected += "ask" + std::to_string(n) + " c" + std::to_string(n) + ' ';
      }
      CHECK(said.text() == expected + "crash terminate:boom");
    });
  }
}

TEST_CASE("call: who was answered before the crash keeps the answer", "[call]") {
  struct hasty {
    struct ask {
      using reply_type = int;
    };
    int init() { return 0; }
    void handle_call(ask, otpp::caller<int> from, int&) {
      from.reply(1);
      throw boom();
    }
  };
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    auto server = co_await otpp::start<hasty>();
    pending<int> first;
    otpp::call<hasty::ask>(server, first.token());
    pending<int> second;
    otpp::call<hasty::ask>(server, second.token());
    int answer = co_await first.get();
    std::error_code error = co_await second.code();
    otpp::exit_reason why = co_await server.join();
    CHECK(answer == 1);
    CHECK(error == otpp::errc::exited);
    CHECK(first.times() == 1);
    CHECK(text_of(why.exception()) == "boom");
  });
}

TEST_CASE("call: who waits on another context hears that the server's context is gone", "[call]") {
  std::size_t at_step = 0;
  for (bool ran_out = false; !ran_out; ++at_step) {
    REQUIRE(at_step < 100);
    otpp::registry names;
    journal said;
    asio::io_context callers;
    std::array<pending<int>, 3> answers;
    {
      asio::io_context servers;
      auto start = otpp::start<scribe>(
          otpp::named("f05").in(names).on(servers.get_executor()), said, asio::use_future);
      servers.poll();
      otpp::server_ref<scribe> server = start.get();
      servers.restart();
      event never;
      pending<int> first = in_background(callers.get_executor(), otpp::call<scribe::ask>(server, 1));
      pending<int> second = in_background(callers.get_executor(), otpp::call<scribe::wait>(server, never));
      pending<int> third = in_background(callers.get_executor(), otpp::call<scribe::ask>(server, 2));
      answers = {first, second, third};
      callers.poll();
      for (std::size_t step = 0; step != at_step && !ran_out; ++step) {
        ran_out = servers.poll_one() == 0;
      }
    }
    callers.restart();
    callers.run();
    auto check = [&]() -> asio::awaitable<void> {
      for (pending<int>& answer : answers) {
        CHECK(answer.times() == 1);
      }
      std::error_code first = co_await answers[0].code();
      CHECK((!first || first == otpp::errc::exited));
      for (std::size_t n : {1u, 2u}) {
        otpp::error error = co_await error_of(answers[n].get());
        CHECK(error.code() == otpp::errc::exited);
        CHECK(error.reason() == otpp::exit_reason::killed());
      }
    };
    run(check);
    CHECK(otpp::registered(names).empty());
    CHECK(said.text().find("terminate") == std::string::npos);
  }
  CHECK(at_step > 1);
}

TEST_CASE("call: nobody there is no_process at once", "[call]") {
  run([]() -> asio::awaitable<void> {
    std::error_code error = co_await code_of(otpp::call<counter::get>("call-nobody"));
    CHECK(error == otpp::errc::no_process);
    constexpr otpp::server_name<counter> nobody{"call-nobody"};
    error = co_await code_of(otpp::call<counter::get>(nobody));
    CHECK(error == otpp::errc::no_process);

    auto server = co_await otpp::start<counter>(0);
    co_await server.stop();
    error = co_await code_of(otpp::call<counter::get>(server));
    CHECK(error == otpp::errc::no_process);
    error = co_await code_of(otpp::call_for<counter::get>(server, otpp::infinite));
    CHECK(error == otpp::errc::no_process);
  });
}

TEST_CASE("call: a call behind a stop ends with the server", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    pending<> stopped;
    server.stop(stopped.token());
    pending<int> late;
    otpp::call<counter::get>(server, late.token());
    otpp::error error = co_await error_of(late.get());
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason() == otpp::exit_reason::normal());
    co_await stopped.get();
  });
}

TEST_CASE("call: an error says what was asked of whom", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(otpp::named("call-what"), journal());
    otpp::error error = co_await error_of(otpp::call<scribe::drop>(server));
    std::string text = error.what();
    CHECK(text.find("otpp: call of ") == 0);
    CHECK(text.find("scribe::drop") != std::string::npos);
    CHECK(text.find("call-what") != std::string::npos);
    co_await server.stop();
  });
}

TEST_CASE("call: a caller is resumed later, never inside the call", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    pending<int> nobody;
    otpp::call<counter::get>("call-nobody", asio::bind_executor(executor, nobody.token()));
    CHECK_FALSE(nobody.is_done());
    pending<int> answer;
    otpp::call<counter::get>(server, answer.token());
    CHECK_FALSE(answer.is_done());
    co_await answer.get();
    std::error_code error = co_await nobody.code();
    CHECK(error == otpp::errc::no_process);
    co_await server.stop();
  });
}

TEST_CASE("call: who is cancelled waits no more, and the server does not mind", "[call]") {
  for (auto type :
       {asio::cancellation_type::terminal, asio::cancellation_type::partial,
        asio::cancellation_type::total}) {
    run([type]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<scribe>(journal());
      kept_caller kept = keep_caller();
      pending<int> answer;
      asio::cancellation_signal cancel;
      otpp::call<scribe::keep>(server, kept, asio::bind_cancellation_slot(cancel.slot(), answer.token()));
      int pushed = co_await otpp::call<scribe::ask>(server, 1);
      CHECK(pushed == 1);
      REQUIRE(kept->has_value());
      CHECK((*kept)->is_waiting());

      cancel.emit(type);
      std::error_code error = co_await answer.code();
      CHECK(error == asio::error::operation_aborted);
      CHECK_FALSE((*kept)->is_waiting());
      CHECK_FALSE((*kept)->reply(1));
      CHECK(answer.times() == 1);
      int after = co_await otpp::call<scribe::ask>(server, 2);
      CHECK(after == 2);
      co_await server.stop();
    });
  }
}

TEST_CASE("call: a cancelled call that is still queued is handled all the same", "[call]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(said);
    pending<int> answer;
    asio::cancellation_signal cancel;
    otpp::call<scribe::ask>(server, 1, asio::bind_cancellation_slot(cancel.slot(), answer.token()));
    cancel.emit(asio::cancellation_type::terminal);
    std::error_code error = co_await answer.code();
    CHECK(error == asio::error::operation_aborted);
    co_await otpp::call<scribe::ask>(server, 2);
    CHECK(said.text() == "ask1 ask2");
    co_await server.stop();
  });
}

TEST_CASE("call: a cancellation after the answer comes too late", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    pending<int> answer;
    asio::cancellation_signal cancel;
    otpp::call<scribe::keep>(server, kept, asio::bind_cancellation_slot(cancel.slot(), answer.token()));
    co_await otpp::call<scribe::ask>(server, 1);
    CHECK((*kept)->reply(5));
    cancel.emit(asio::cancellation_type::terminal);
    int value = co_await answer.get();
    CHECK(value == 5);
    CHECK(answer.times() == 1);
    co_await server.stop();
  });
}

TEST_CASE("call: an answer to a caller whose context is gone touches nothing", "[call]") {
  asio::io_context servers;
  auto work = asio::make_work_guard(servers);
  std::thread thread([&] { servers.run(); });
  auto server =
      otpp::start<scribe>(otpp::options().on(servers.get_executor()), journal(), asio::use_future).get();
  for (int round = 0; round != 200; ++round) {
    asio::io_context callers;
    pending<int> answer = in_background(callers.get_executor(), otpp::call<scribe::ask>(server, round));
    callers.poll(); // the answer is on its way from the other thread
  }
  CHECK(otpp::call<scribe::ask>(server, 7, asio::use_future).get() == 7);
  server.stop(asio::use_future).get();
  work.reset();
  thread.join();
}

TEST_CASE("call: an answer that is there before the timeout is noticed wins", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    pending<int> answer;
    auto start = std::chrono::steady_clock::now();
    otpp::call_for<scribe::keep>(server, 20ms, kept, answer.token());
    co_await otpp::call<scribe::ask>(server, 1);
    REQUIRE(kept->has_value());
    wait_until_after(start + 22ms); // over, but nobody has looked yet
    bool reached = (*kept)->reply(3);
    std::error_code error = co_await answer.code();
    CHECK(reached == !error);
    CHECK(reached);
    CHECK(answer.times() == 1);
    co_await server.stop();
  });
}

TEST_CASE("call: a timeout that is noticed before the answer wins", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    std::error_code error = co_await code_of(otpp::call_for<scribe::keep>(server, 1ms, kept));
    CHECK(error == otpp::errc::timeout);
    CHECK(error == std::errc::timed_out);
    REQUIRE(kept->has_value());
    CHECK_FALSE((*kept)->is_waiting());
    CHECK_FALSE((*kept)->reply(3));
    co_await server.stop();
  });
}

TEST_CASE("call: a late answer never surfaces in a later call", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller first = keep_caller();
    std::error_code error = co_await code_of(otpp::call_for<scribe::keep>(server, 1ms, first));
    CHECK(error == otpp::errc::timeout);

    kept_caller second = keep_caller();
    pending<int> answer;
    otpp::call<scribe::keep>(server, second, answer.token());
    co_await otpp::call<scribe::ask>(server, 1);
    CHECK_FALSE((*first)->reply(666));
    CHECK_FALSE(answer.is_done());
    CHECK((*second)->reply(2));
    int value = co_await answer.get();
    CHECK(value == 2);
    co_await server.stop();
  });
}

TEST_CASE("call: a timer that fires behind the answer does nothing", "[call]") {
  asio::io_context context;
  kept_caller kept = keep_caller();
  pending<int> answer;
  auto body = [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    pending<int> longer;
    otpp::call_for<scribe::keep>(server, 5ms, kept, answer.token());
    otpp::call_for<scribe::drop>(server, 1h, longer.token());
    co_await longer.code(); // the timer has been set by now
  };
  pending<> done = in_background(context.get_executor(), body());
  auto until = std::chrono::steady_clock::now() + 6ms;
  while (!done.is_done()) {
    context.poll_one();
  }
  REQUIRE(kept->has_value());
  wait_until_after(until);
  (*kept)->reply(1); // its completion is queued now; the timer's handler comes at the same time
  (void)context.run_for(1s);
  CHECK(context.stopped());
  CHECK(answer.times() == 1);
}

TEST_CASE("call: a call that is done leaves no timer and no message", "[call]") {
  auto unit = std::make_shared<int>();
  struct holder {
    struct take {
      std::shared_ptr<int> unit;
      using reply_type = int;
    };
    int init() { return 0; }
    int handle_call(take, int& taken) { return ++taken; }
  };
  run([&unit]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<holder>();
    for (int n = 1; n <= 2000; ++n) {
      holder::take message{unit};
      int answer = co_await otpp::call(server, message, 1h);
      REQUIRE(answer == n);
      REQUIRE(unit.use_count() == 2); // the test's own two
    }
    co_await server.stop();
  }); // run() would not end while an hour's timer is set
  CHECK(unit.use_count() == 1);
}

TEST_CASE("call: a call of an hour that is cancelled leaves no timer", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    for (int n = 0; n != 100; ++n) {
      pending<int> answer;
      asio::cancellation_signal cancel;
      kept_caller kept = keep_caller();
      otpp::call_for<scribe::keep>(
          server, 1h, kept, asio::bind_cancellation_slot(cancel.slot(), answer.token()));
      co_await otpp::call<scribe::ask>(server, n);
      cancel.emit(asio::cancellation_type::terminal);
      std::error_code error = co_await answer.code();
      REQUIRE(error == asio::error::operation_aborted);
    }
    co_await server.stop();
  });
}

namespace {

struct potter {
  struct make {
    std::shared_ptr<int> moves;
    using reply_type = fragile;
  };
  struct make_later {
    std::shared_ptr<int> moves;
    using reply_type = fragile;
  };
  struct take {
    fragile given;
    using reply_type = int;
  };
  int init() { return 0; }
  otpp::outcome<fragile> handle_call(make m, int&) { return fragile(m.moves); }
  void handle_call(make_later m, otpp::caller<fragile> from, int&) {
    fragile pot(m.moves);
    from.reply(pot);
  }
  int handle_call(const take&, int&) { return 3; }
};

} // namespace

TEST_CASE("call: an answer whose move throws ends the call, whichever move it is", "[call]") {
  bool worked = false;
  int failed = 0;
  for (int at = 0; !worked; ++at) {
    REQUIRE(at < 20);
    run([at, &worked, &failed]() -> asio::awaitable<void> {
      crash_log reports;
      auto server = co_await otpp::start<potter>();
      auto moves = std::make_shared<int>(at);
      pending<> done;
      // Asio's own coroutines move it too, and what throws there leaves run(); so a plain handler.
      otpp::call<potter::make>(
          server, moves, [end = done.token()](std::exception_ptr error, const fragile&) { end(error); });
      std::exception_ptr failure = co_await failure_of(done.get());
      CHECK(done.times() == 1);
      worked = !failure;
      failed += worked ? 0 : 1;
      pending<> stopped;
      server.stop(stopped.token());
      std::error_code ended = co_await stopped.code(); // it may have crashed
      CHECK((!ended || ended == otpp::errc::exited || ended == otpp::errc::no_process));
    });
  }
  CHECK(failed > 0);
}

TEST_CASE("call: an answer that cannot be copied into its place is the caller's exception", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<potter>();
    auto moves = std::make_shared<int>(0);
    std::exception_ptr failure = co_await failure_of(otpp::call<potter::make_later>(server, moves));
    CHECK(text_of(failure) == "boom");
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("call: a message whose move throws is the sender's trouble only", "[call]") {
  bool worked = false;
  int failed = 0;
  for (int at = 0; !worked; ++at) {
    REQUIRE(at < 20);
    run([at, &worked, &failed]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<potter>();
      auto never = std::make_shared<int>(1000);
      fragile pot(never);
      potter::take message{pot};
      *never = at;
      std::exception_ptr failure;
      int answer = 0;
      try {
        auto call = otpp::call(server, message);
        answer = co_await std::move(call);
      } catch (...) {
        failure = std::current_exception();
      }
      worked = !failure;
      if (failure) {
        ++failed;
        CHECK(text_of(failure) == "boom");
      } else {
        CHECK(answer == 3);
      }
      *never = 1000;
      int after = co_await otpp::call(server, message); // the mailbox is as it was
      CHECK(after == 3);
      co_await server.stop();
    });
  }
  CHECK(failed > 0);
}

namespace {

// Its messages do not let anybody take their address by an operator.
struct recluse {
  struct add {
    int n;
    void operator&() const = delete;
    using reply_type = int;
  };
  struct note {
    int n;
    void operator&() const = delete;
  };
  using messages = otpp::message_list<add, note>;
  int init() { return 0; }
  int handle_call(add message, int& sum) { return sum += message.n; }
  otpp::outcome<> handle_cast(note message, int&) { return otpp::outcome<>().then(std::move(message)); }
  asio::awaitable<void> handle_continue(note message, int& sum) {
    sum += message.n;
    co_return;
  }
};

} // namespace

TEST_CASE("call: a message may have an operator & of its own", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<recluse>();
    co_await otpp::cast<recluse::note>(server, 1);
    int sum = co_await otpp::call<recluse::add>(server, 2);
    CHECK(sum == 3);
    co_await server.stop();
  });
}

TEST_CASE("call: with no time at all the message is still handled", "[call]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(said);
    kept_caller kept = keep_caller();
    std::error_code error = co_await code_of(otpp::call_for<scribe::keep>(server, 0s, kept));
    CHECK(error == otpp::errc::timeout);
    co_await otpp::call<scribe::ask>(server, 1);
    CHECK(said.text() == "keep ask1");
    co_await server.stop();
  });
}

TEST_CASE("call: a negative timeout sends nothing", "[call]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(said);
    for (otpp::duration timeout : {otpp::duration(-1), otpp::duration::min()}) {
      std::error_code error = co_await code_of(otpp::call_for<scribe::ask>(server, timeout, 1));
      CHECK(error == otpp::errc::timeout);
    }
    std::error_code error =
        co_await code_of(otpp::call_for<scribe::ask>(server, std::chrono::hours::min(), 1));
    CHECK(error == otpp::errc::timeout);
    co_await otpp::call<scribe::ask>(server, 2);
    CHECK(said.text() == "ask2");
    co_await server.stop();
  });
}

TEST_CASE("call: the longest timeouts are long", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    std::array<pending<int>, 4> answers;
    std::array<kept_caller, 4> kept = {keep_caller(), keep_caller(), keep_caller(), keep_caller()};
    otpp::call_for<scribe::keep>(server, otpp::infinite, kept[0], answers[0].token());
    otpp::call_for<scribe::keep>(server, otpp::infinite - 1ns, kept[1], answers[1].token());
    otpp::call_for<scribe::keep>(server, std::chrono::hours::max(), kept[2], answers[2].token());
    otpp::call_for<scribe::keep>(server, std::chrono::duration<double>(1e300), kept[3], answers[3].token());
    std::error_code tick = co_await code_of(otpp::call_for<scribe::drop>(server, 0s));
    CHECK(tick); // the deadlines have been looked at
    for (std::size_t n = 0; n != 4; ++n) {
      CHECK_FALSE(answers[n].is_done());
      REQUIRE(kept[n]->has_value());
      CHECK((*kept[n])->reply(static_cast<int>(n)));
      int value = co_await answers[n].get();
      CHECK(value == static_cast<int>(n));
    }
    co_await server.stop();
  });
}

TEST_CASE("call: five seconds are the default", "[call]") {
  static_assert(otpp::default_timeout == 5s);
  asio::io_context context;
  kept_caller kept = keep_caller();
  pending<int> answer;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        auto server = co_await otpp::start<scribe>(journal());
        otpp::call<scribe::keep>(server, kept, answer.token());
      },
      [](std::exception_ptr) {});
  context.run_for(50ms); // as long as a call waits it is work
  CHECK_FALSE(context.stopped());
  CHECK_FALSE(answer.is_done());
}

TEST_CASE("call: one coroutine waits for three answers at once", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    std::array<kept_caller, 3> kept = {keep_caller(), keep_caller(), keep_caller()};
    std::array<pending<int>, 3> answers;
    for (std::size_t n = 0; n != 3; ++n) {
      otpp::call<scribe::keep>(server, kept[n], answers[n].token());
    }
    co_await otpp::call<scribe::ask>(server, 0);
    CHECK((*kept[2])->reply(2));
    CHECK((*kept[0])->reply(0));
    CHECK((*kept[1])->reply(1));
    for (std::size_t n = 0; n != 3; ++n) {
      int value = co_await answers[n].get();
      CHECK(value == static_cast<int>(n));
    }
    co_await server.stop();
  });
}

TEST_CASE("call: a request whose caller gave up is still handled", "[call]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(said);
    event go_on;
    bool held = otpp::try_cast<scribe::hold>(server, go_on);
    CHECK(held);
    std::error_code error = co_await code_of(otpp::call_for<scribe::ask>(server, 1ms, 1));
    CHECK(error == otpp::errc::timeout);
    CHECK(said.text() == "hold");
    go_on.happen();
    co_await otpp::call<scribe::ask>(server, 2);
    CHECK(said.text() == "hold held ask1 ask2");
    co_await server.stop();
  });
}

TEST_CASE("call: what one sender sends is handled in that order, of whatever kind", "[call]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(otpp::named("call-order"), said);
    std::string expected;
    pending<int> last;
    for (int n = 0; n != 50; ++n) {
      std::string word = "n" + std::to_string(n);
      bool cast = otpp::try_cast<scribe::note>(server, word);
      bool sent = otpp::try_send<scribe::note>("call-order", word);
      CHECK(cast);
      CHECK(sent);
      last = pending<int>();
      otpp::call<scribe::ask>(server, n, last.token());
      co_await otpp::cast<scribe::note>(server, "z");
      expected += (n ? " " : "") + word + " info-" + word + " ask" + std::to_string(n) + " z";
    }
    co_await otpp::call<scribe::ask>(server, 50);
    CHECK(said.text() == expected + " ask50");
    co_await server.stop();
  });
}

TEST_CASE("call: a handler answers with an exception, and the server goes on", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    std::exception_ptr failure = co_await failure_of(otpp::call<scribe::refuse>(server));
    CHECK(text_of(failure) == "boom");
    int after = co_await otpp::call<scribe::ask>(server, 1);
    CHECK(after == 1);
    co_await server.stop();
  });
}

namespace {

// A server that calls itself in every way.
struct narcissus {
  struct get {
    using reply_type = int;
  };
  struct call_self {
    int how;
    using reply_type = std::error_code;
  };
  struct in_background_too {
    using reply_type = int;
  };
  using messages = otpp::message_list<get, call_self>;

  static constexpr otpp::server_name<narcissus> name{"narcissus"};

  int init() { return 1; }
  int handle_call(get, int& n) { return n; }

  asio::awaitable<std::error_code> handle_call(call_self m, int&) {
    std::error_code error;
    switch (m.how) {
      case 0: error = co_await code_of(otpp::call<get>(otpp::self<narcissus>())); break;
      case 1: error = co_await code_of(otpp::call<get>(name)); break;
      case 2: error = co_await code_of(otpp::call<get>("narcissus")); break;
      case 3: error = co_await code_of(otpp::call_for<get>(name, otpp::infinite)); break;
      case 4: error = co_await code_of(deeper(3)); break;
      default: error = co_await code_of(otpp::call_for<get>(name, 0s)); break;
    }
    co_return error;
  }

  static asio::awaitable<void> deeper(int levels) {
    if (levels != 0) {
      co_await deeper(levels - 1);
    } else {
      co_await otpp::call<get>(name);
    }
  }
};

} // namespace

TEST_CASE("call: a server that calls itself hears it at once", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<narcissus>(otpp::named("narcissus"));
    for (int how = 0; how != 6; ++how) {
      CAPTURE(how);
      std::error_code error = co_await otpp::call<narcissus::call_self>(server, how);
      CHECK(error == otpp::errc::calling_self);
    }
    int after = co_await otpp::call<narcissus::get>(server);
    CHECK(after == 1);
    co_await server.stop();
  });
}

namespace {

// Asks another server from inside a handler.
struct middleman {
  struct ask {
    using reply_type = int;
  };
  otpp::server_ref<counter> init(otpp::server_ref<counter> other) { return other; }
  asio::awaitable<int> handle_call(ask, otpp::server_ref<counter>& other) {
    int answer = co_await otpp::call<counter::add>(other, 1);
    co_return answer * 10;
  }
};

} // namespace

TEST_CASE("call: a handler may call another server", "[call]") {
  auto body = []() -> asio::awaitable<void> {
    auto other = co_await otpp::start<counter>(0);
    auto server = co_await otpp::start<middleman>(other);
    int first = co_await otpp::call<middleman::ask>(server);
    int second = co_await otpp::call<middleman::ask>(server);
    CHECK(first == 10);
    CHECK(second == 20);
    co_await server.stop();
    co_await other.stop();
  };
  run(body);
  std::size_t steps = abandon_at_every_step(body);
  CHECK(steps > 1);
}

TEST_CASE(
    "call: a call that is answered in the turn in which it is made costs its executor nothing", "[call]") {
  struct client {
    struct ask_often {
      otpp::server_ref<counter> server;
      int times;
    };
    int init() { return 0; }
    asio::awaitable<void> handle_cast(ask_often m, int& answers) {
      for (int n = 0; n != m.times; ++n) {
        co_await otpp::call<counter::get>(m.server);
        ++answers;
      }
    }
  };
  auto steps_of = [](int calls) {
    asio::io_context context;
    auto on_it = otpp::options().on(context.get_executor());
    auto server = otpp::start<counter>(on_it, 0, asio::use_future);
    auto asking = otpp::start<client>(on_it, asio::use_future);
    context.run();
    CHECK(otpp::try_cast<client::ask_often>(asking.get(), server.get(), calls));
    context.restart();
    return context.run();
  };
  CHECK(steps_of(10) == steps_of(0));
}

namespace {

struct unlisted {
  struct get {
    using reply_type = int;
  };
  using messages = otpp::message_list<>;
  int init() { return 1; }
  int handle_call(get, int& n) { return n; }
};

} // namespace

TEST_CASE("call: by name, a message that is not on the list is refused before it is sent", "[call]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<unlisted>(otpp::named("call-unlisted"));
    otpp::error error = co_await error_of(otpp::call<unlisted::get>("call-unlisted"));
    CHECK(error.code() == otpp::errc::bad_message);
    CHECK(std::string(error.what()).find("get") != std::string::npos);
    CHECK(std::string(error.what()).find("call-unlisted") != std::string::npos);

    constexpr otpp::server_name<counter> other_type{"call-unlisted"};
    error = co_await error_of(otpp::call<counter::get>(other_type));
    CHECK(error.code() == otpp::errc::bad_message);

    int by_reference = co_await otpp::call<unlisted::get>(server);
    CHECK(by_reference == 1);
    co_await server.stop();
  });
}

namespace {

// Has run what it is given, on another thread, when it returns: whatever the library posts overtakes the
// rest of the function that posts it.
class hasty_executor {
 public:
  explicit hasty_executor(asio::execution_context& context) noexcept : context_(&context) {}

  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  hasty_executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

  template <class Function>
  void execute(Function&& function) const {
    std::thread(std::forward<Function>(function)).join();
  }

  friend bool operator==(const hasty_executor& a, const hasty_executor& b) noexcept {
    return a.context_ == b.context_;
  }
  [[maybe_unused]] friend bool operator!=(const hasty_executor& a, const hasty_executor& b) noexcept {
    return !(a == b);
  }

 private:
  asio::execution_context* context_;
};

} // namespace

TEST_CASE("call: what is sent after a timeout comes after the call that timed out", "[call]") {
  asio::io_context home;
  asio::io_context context;
  std::future<otpp::server_ref<counter>> started =
      otpp::start<counter>(otpp::options().on(context.get_executor()), 0, asio::use_future);
  context.run();
  otpp::server_ref<counter> server = started.get();

  bool timed_out = false;
  auto on_timeout = [&](std::exception_ptr error, int) {
    timed_out = error && otpp::try_cast<counter::set>(server, 100);
  };
  otpp::call_for<counter::add>(
      server, 0s, 1, asio::bind_executor(asio::any_io_executor(hasty_executor(home)), on_timeout));
  CHECK(timed_out);

  int count = 0;
  otpp::call<counter::get>(server, [&](std::exception_ptr, int n) { count = n; });
  context.restart();
  context.run();
  CHECK(count == 100); // 1, then 100; were it 101, the call would have been overtaken
}

TEST_CASE("call: what is sent after a stop that timed out comes too late", "[call]") {
  asio::io_context home;
  asio::io_context context;
  std::future<otpp::server_ref<counter>> started =
      otpp::start<counter>(otpp::options().on(context.get_executor()), 0, asio::use_future);
  context.run();
  otpp::server_ref<counter> server = started.get();

  bool was_answered = false;
  std::exception_ptr ending;
  auto on_timeout = [&](std::exception_ptr) {
    otpp::call<counter::get>(server, [&](std::exception_ptr error, int) {
      was_answered = true;
      ending = error;
    });
  };
  server.stop(
      otpp::exit_reason::normal(), 0s,
      asio::bind_executor(asio::any_io_executor(hasty_executor(home)), on_timeout));
  context.restart();
  context.run();
  CHECK(was_answered);
  CHECK(ending); // it was behind the stop
}
