// SPDX-License-Identifier: BSL-1.0

#include <otpp/process/spawn.hpp>

#include <otpp/address/pid.hpp>
#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/join_all.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/process_ref.hpp>
#include <otpp/process/receive.hpp>
#include <otpp/process/self.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/registry/wait_for_name.hpp>
#include <otpp/testing.hpp>
#include <otpp/timer.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/relative.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct word {
  std::string text;
};
struct number {
  int value;
};
struct done {};

asio::awaitable<void> write_down(journal said) {
  while (true) {
    std::variant<word, done> next = co_await otpp::receive<word, done>();
    if (std::holds_alternative<done>(next)) {
      co_return;
    }
    said.add(std::get<word>(next).text);
  }
}

asio::awaitable<void> prefer_numbers(journal said) {
  number first = co_await otpp::receive<number>();
  said.add(std::to_string(first.value));
  word one = co_await otpp::receive<word>();
  said.add(one.text);
  word two = co_await otpp::receive<word>();
  said.add(two.text);
}

asio::awaitable<void> wait_for_a_word(journal said, otpp::duration timeout) {
  std::error_code code;
  try {
    co_await otpp::receive<word>(timeout);
  } catch (const std::system_error& e) {
    code = e.code();
  }
  said.add(code == otpp::errc::timeout ? "timeout" : code ? code.message() : "word");
}

asio::awaitable<void> trap(journal said) {
  otpp::trap_exit();
  while (true) {
    std::variant<otpp::exit_signal, done> next = co_await otpp::receive<otpp::exit_signal, done>();
    if (std::holds_alternative<done>(next)) {
      co_return;
    }
    said.add("exit:" + std::get<otpp::exit_signal>(next).reason.message());
  }
}

asio::awaitable<void> take_fragile(journal said) {
  std::string result = "whole";
  try {
    co_await otpp::receive<fragile>();
  } catch (const boom&) {
    result = "broken";
  }
  word after = co_await otpp::receive<word>();
  said.add(result + " " + after.text);
}

asio::awaitable<void> throw_boom() {
  co_await otpp::receive<done>();
  throw boom();
}

} // namespace

TEST_CASE("spawn: the guide's mailbox: create, register, send, receive, destroy") {
  run([]() -> asio::awaitable<void> {
    journal said;
    otpp::pid writer = co_await otpp::spawn(otpp::named("spawn writer"), write_down(said));
    co_await otpp::send<word>("spawn writer", "by-name");
    co_await otpp::send<word>(writer, "by-pid");
    co_await otpp::send<done>(writer);
    otpp::exit_reason why = co_await writer.join();
    CHECK(why == otpp::exit_reason::normal());
    CHECK(said.text() == "by-name by-pid");
    std::error_code code = co_await code_of(otpp::send<word>("spawn writer", "late"));
    CHECK(code == otpp::errc::no_process);
  });
}

TEST_CASE("spawn: receive takes the first that fits, and leaves the rest in order") {
  run([]() -> asio::awaitable<void> {
    journal said;
    otpp::server_ref<otpp::spawned> process = co_await otpp::spawn(prefer_numbers(said));
    co_await otpp::send<word>(process, "a");
    co_await otpp::send<word>(process, "b");
    co_await otpp::send<number>(process, 7);
    co_await process.join();
    CHECK(said.text() == "7 a b");
  });
}

TEST_CASE("spawn: a message whose move throws is an exception of receive, whichever move it is") {
  bool worked = false;
  int failed = 0;
  for (int at = 0; !worked; ++at) {
    REQUIRE(at < 20);
    run([at, &worked, &failed]() -> asio::awaitable<void> {
      journal said;
      auto moves = std::make_shared<int>(1000);
      otpp::server_ref<otpp::spawned> process = co_await otpp::spawn(take_fragile(said));
      co_await otpp::send<fragile>(process, moves);
      *moves = at; // it is in the mailbox, and is moved from there
      co_await otpp::send<word>(process, "on");
      co_await process.join();
      worked = said.text() == "whole on";
      failed += said.text() == "broken on" ? 1 : 0;
      CHECK(failed == at + (worked ? 0 : 1));
    });
  }
  CHECK(failed > 0);
}

TEST_CASE("spawn: receive gives up after its timeout, in virtual time") {
  using namespace otpp::testing;
  explore(orders::fifo(), [](world& one) {
    journal said;
    one.spawn("client", [=]() -> asio::awaitable<void> {
      otpp::pid late = co_await otpp::spawn(wait_for_a_word(said, 1h));
      co_await late.join();
      otpp::pid none = co_await otpp::spawn(wait_for_a_word(said, 0s));
      co_await none.join();
      otpp::pid quick = co_await otpp::spawn(wait_for_a_word(said, 1h));
      co_await otpp::send<word>(quick, "now");
      co_await quick.join();
    });
    one.run();
    one.check(said.text() == "timeout timeout word", "a receive has not ended as it should");
  });
}

TEST_CASE("spawn: a body that throws is a crash, and links tell of it") {
  run([]() -> asio::awaitable<void> {
    crash_log log;
    otpp::pid process = co_await otpp::spawn(throw_boom());
    co_await otpp::send<done>(process);
    otpp::exit_reason why = co_await process.join();
    CHECK(why.message() == "boom");
    CHECK(log.texts().size() == 1);
  });
}

TEST_CASE("spawn: stop and exit signals cancel what the body waits for") {
  run([]() -> asio::awaitable<void> {
    journal said;
    otpp::pid one = co_await otpp::spawn(wait_for_a_word(said, otpp::infinite));
    SECTION("stop") { co_await one.stop(otpp::exit_reason::shutdown()); }
    SECTION("exit") { otpp::exit(one, otpp::exit_reason::shutdown()); }
    otpp::exit_reason why = co_await one.join();
    CHECK(why == otpp::exit_reason::shutdown());
    CHECK_FALSE(said.text().empty());
    CHECK(said.text() != "word");
  });
}

TEST_CASE("spawn: a process can trap exits, and gets them by receive") {
  run([]() -> asio::awaitable<void> {
    journal said;
    otpp::pid process = co_await otpp::spawn(trap(said));
    otpp::exit(process, otpp::exit_reason::shutdown());
    auto other = co_await otpp::start<relative>(journal(), relative::exits::end_it);
    co_await otpp::call<relative::join>(other, process);
    co_await other.stop();
    co_await otpp::send<done>(process);
    co_await process.join();
    CHECK(said.text() == "exit:shutdown exit:normal");
  });
}

TEST_CASE("spawn: processes monitor and link each other") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto body = [](journal out) -> asio::awaitable<void> {
      auto child = co_await otpp::spawn_monitor(write_down(out));
      co_await otpp::send<done>(child.server);
      otpp::down end = co_await otpp::receive<otpp::down>();
      out.add(end.ref == child.ref && end.who == otpp::pid(child.server) ? "down" : "another");
      otpp::pid linked = co_await otpp::spawn_link(write_down(out));
      otpp::exit(otpp::self(), otpp::exit_reason::shutdown());
      co_await otpp::receive<done>();
    };
    otpp::pid process = co_await otpp::spawn(body(said));
    otpp::exit_reason why = co_await process.join();
    CHECK(why == otpp::exit_reason::shutdown());
    CHECK(said.text() == "down");
  });
}

TEST_CASE("spawn: a call to a process is refused, a receive elsewhere too") {
  run([]() -> asio::awaitable<void> {
    journal said;
    otpp::pid process = co_await otpp::spawn(write_down(said));
    std::error_code code = co_await code_of(otpp::call<counter::get>(process));
    CHECK(code == otpp::errc::bad_message);
    code = co_await code_of(otpp::receive<word>());
    CHECK(code == otpp::errc::no_process);
    otpp::kill(process);
    co_await process.join();
  });
}

TEST_CASE("spawn: a process that waits keeps no context from ending, and dies with it") {
  auto token = std::make_shared<int>(0);
  {
    asio::io_context context;
    auto body = [](std::shared_ptr<int>) -> asio::awaitable<void> { co_await otpp::receive<word>(); };
    otpp::spawn(otpp::options().on(context.get_executor()), body(token), [](std::exception_ptr, auto) {});
    context.run();
    CHECK(token.use_count() == 2);
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("spawn: a limited mailbox makes its senders wait until receive has taken a message") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto body = [](journal out, event until) -> asio::awaitable<void> {
      co_await until.wait();
      co_await write_down(out);
    };
    otpp::pid process = co_await otpp::spawn(otpp::options().mailbox_limit(2), body(said, go_on));
    co_await otpp::send<word>(process, "1");
    co_await otpp::send<word>(process, "2");
    CHECK_FALSE(otpp::try_send<word>(process, "3"));
    go_on.happen();
    co_await otpp::send<word>(process, "4");
    co_await otpp::send<done>(process);
    co_await process.join();
    CHECK(said.text() == "1 2 4");
  });
}

TEST_CASE("pid: is made from a reference, and back") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("pid test"), 1);
    otpp::pid who = server;
    CHECK(who.as<counter>() == server);
    CHECK_FALSE(who.as<relative>());
    CHECK(who.id() == server.id());
    CHECK(who.describe() == "\"pid test\"");
    CHECK(std::unordered_set<otpp::pid>{who, server}.size() == 1);
    int value = co_await otpp::call<counter::get>(who);
    CHECK(value == 1);
    std::error_code code = co_await code_of(otpp::call<counter::get>(otpp::pid()));
    CHECK(code == otpp::errc::no_process);
    co_await who.stop();
    CHECK(who.has_ended());
    CHECK_FALSE(otpp::pid());
    CHECK(otpp::pid().has_ended());
  });
}

// What is to be said in place of `receive<word>() || timer`, which loses the word if both come at the same time.
TEST_CASE("spawn: no message is lost beside something else that is received", "[explorer]") {
  using namespace otpp::testing;
  report seen = explore(orders::all(2), [](world& one) {
    journal said;
    one.spawn("client", [=]() -> asio::awaitable<void> {
      auto body = [](journal out) -> asio::awaitable<void> {
        otpp::send_after<done>(1ms, otpp::self());
        std::variant<word, done> first = co_await otpp::receive<word, done>();
        if (std::holds_alternative<word>(first)) {
          co_await otpp::receive<done>();
          out.add("word done");
        } else {
          co_await otpp::receive<word>();
          out.add("done word");
        }
      };
      otpp::pid process = co_await otpp::spawn(body(said));
      co_await code_of(otpp::wait_for_name<counter>("spawn-nobody", 1ms));
      co_await otpp::send<word>(process, "");
      co_await process.join();
    });
    one.run();
    one.check(said.text() == "word done" || said.text() == "done word", "one is lost");
  });
  CHECK(seen.is_complete);
  CHECK(seen.schedules > 10);
}

TEST_CASE("spawn: no message is lost between a timeout and a receive", "[explorer]") {
  using namespace otpp::testing;
  report seen = explore(orders::all(2), [](world& one) {
    journal said;
    one.spawn("client", [=]() -> asio::awaitable<void> {
      auto body = [](journal out) -> asio::awaitable<void> {
        co_await wait_for_a_word(out, 1s);
        if (out.text() == "timeout") {
          word late = co_await otpp::receive<word>();
          out.add(late.text);
        }
      };
      otpp::pid process = co_await otpp::spawn(body(said));
      co_await otpp::send<word>(process, "late");
      co_await process.join();
    });
    one.run();
    one.check(said.text() == "word" || said.text() == "timeout late", "the word is lost");
  });
  CHECK(seen.is_complete);
  CHECK(seen.schedules > 10);
}

namespace {

// Goes on after its parent's end until it is told to leave.
asio::awaitable<void> survive(journal said, otpp::pid parent) {
  otpp::trap_exit();
  otpp::exit_signal signal = co_await otpp::receive<otpp::exit_signal>(1s);
  said.add(signal.from == parent ? "parent: " + signal.reason.message() : "another");
  co_await otpp::receive<done>(1s);
  said.add("done");
}

asio::awaitable<void> bear_and_die(journal said, std::optional<otpp::pid>* child) {
  *child = co_await otpp::spawn_link(survive(said, otpp::self()));
  co_await some_steps();
  throw std::runtime_error("boom");
}

} // namespace

TEST_CASE("spawn: a body that traps exits is told of its parent's end, and goes on") {
  crash_log reports;
  run([]() -> asio::awaitable<void> {
    journal said;
    std::optional<otpp::pid> child;
    otpp::pid parent = co_await otpp::spawn(bear_and_die(said, &child));
    co_await parent.join();
    co_await until([&] { return !said.text().empty(); });
    CHECK_FALSE(child->has_ended());
    co_await otpp::send<done>(*child);
    otpp::exit_reason why = co_await child->join();
    CHECK(why == otpp::exit_reason::normal());
    CHECK(said.text() == "parent: boom done");
  });
}

TEST_CASE("spawn: a message that comes during a receive leaves room for the next") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto process = co_await otpp::spawn(otpp::options().mailbox_limit(1), write_down(said));
    for (const char* text : {"a", "b", "c"}) {
      co_await some_steps(); // it waits in receive
      co_await otpp::send<word>(process, text);
    }
    co_await otpp::send<done>(process);
    co_await process.join();
    CHECK(said.text() == "a b c");
  });
}

TEST_CASE("spawn: a mailbox that is full of what nobody receives yet keeps no news from the body") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto body = [](journal where) -> asio::awaitable<void> {
      otpp::trap_exit();
      otpp::exit_signal signal = co_await otpp::receive<otpp::exit_signal>();
      where.add(signal.reason.message());
      co_await prefer_numbers(where);
    };
    auto process = co_await otpp::spawn(otpp::options().mailbox_limit(1), body(said));
    pending<> sent;
    otpp::send<number>(process, 1, sent.token());
    otpp::send<word>(process, "a", sent.token()); // in line
    otpp::send<word>(process, "b", sent.token());
    co_await some_steps();
    otpp::exit(process, otpp::exit_reason::shutdown());
    co_await process.join();
    CHECK(said.text() == "shutdown 1 a b");
  });
}

namespace {

// Spawns the coroutine of a lambda that has gone when it runs. It uses what the lambda has captured.
template <class Verb>
auto say_later(journal said, const std::string& what, Verb verb) {
  auto body = [said, what]() -> asio::awaitable<void> {
    co_await otpp::receive<done>();
    journal out = said;
    out.add(what);
  };
  return verb(body);
}

} // namespace

TEST_CASE("spawn: a function is kept until the coroutine that it starts has ended") {
  run([]() -> asio::awaitable<void> {
    journal said;
    otpp::pid one = co_await say_later(said, "one", [](auto& body) { return otpp::spawn(body); });
    otpp::pid two = co_await say_later(
        said, "two", [](auto& body) { return otpp::spawn(otpp::named("spawn two"), body); });
    auto parent = [said]() -> asio::awaitable<void> {
      otpp::pid three = co_await say_later(said, "three", [](auto& body) { return otpp::spawn_link(body); });
      auto four = co_await say_later(said, "four", [](auto& body) { return otpp::spawn_monitor(body); });
      co_await otpp::send<done>(three);
      co_await three.join();
      co_await otpp::send<done>(four.server);
      co_await otpp::receive<otpp::down>();
    };
    co_await otpp::send<done>(one);
    co_await one.join();
    co_await otpp::send<done>(two);
    co_await two.join();
    otpp::pid last = co_await otpp::spawn(parent);
    co_await last.join();
    CHECK(said.text() == "one two three four");
  });
}

namespace {

asio::awaitable<std::string> repeat() {
  word one = co_await otpp::receive<word>();
  if (one.text.empty()) {
    throw boom();
  }
  co_return one.text + one.text;
}

asio::awaitable<std::unique_ptr<int>> make_seven() { co_return std::make_unique<int>(7); }

} // namespace

TEST_CASE("process_ref: join returns what the coroutine has returned, each time") {
  run([]() -> asio::awaitable<void> {
    otpp::process_ref<std::string> process = co_await otpp::spawn(otpp::named("repeat"), repeat);
    std::string told;
    process.join([&](std::exception_ptr, std::string value) { told = std::move(value); });
    co_await otpp::send<word>(process, "ab"); // an address as any other
    std::string first = co_await process.join();
    std::string second = co_await process.join();
    CHECK(first == "abab");
    CHECK(second == "abab");
    otpp::exit_reason why = co_await otpp::pid(process).join();
    CHECK(why == otpp::exit_reason::normal());
    co_await until([&] { return !told.empty(); });
    CHECK(told == "abab");
    CHECK(process.has_ended());
  });
}

TEST_CASE("process_ref: a value that cannot be copied goes to one join") {
  run([]() -> asio::awaitable<void> {
    otpp::process_ref<std::unique_ptr<int>> process = co_await otpp::spawn(make_seven());
    std::unique_ptr<int> value = co_await process.join();
    CHECK(*value == 7);
    std::error_code code = co_await code_of(process.join());
    CHECK(code == otpp::errc::exited);
  });
}

TEST_CASE("process_ref: join throws what the coroutine has thrown, or says why there is no value") {
  run([]() -> asio::awaitable<void> {
    crash_log log;
    auto parent = []() -> asio::awaitable<std::string> {
      auto child = co_await otpp::spawn_monitor(repeat);
      co_await otpp::send<word>(child.server, "");
      otpp::down end = co_await otpp::receive<otpp::down>();
      std::string thrown;
      try {
        co_await child.server.join();
      } catch (const boom& error) {
        thrown = error.what();
      }
      co_return thrown + " " + end.reason.message();
    };
    auto process = co_await otpp::spawn(parent);
    std::string text = co_await process.join();
    CHECK(text == "boom boom");
    auto killed = co_await otpp::spawn(repeat);
    otpp::kill(killed);
    std::error_code code = co_await code_of(killed.join());
    CHECK(code == otpp::errc::exited);
    code = co_await code_of(otpp::process_ref<std::string>().join());
    CHECK(code == otpp::errc::no_process);
  });
}

TEST_CASE("join_all: returns all reasons, in order") {
  run([]() -> asio::awaitable<void> {
    journal said;
    std::vector<otpp::server_ref<otpp::spawned>> all;
    for (int i = 0; i != 3; ++i) {
      auto one = co_await otpp::spawn(write_down(said));
      all.push_back(one);
    }
    otpp::exit(all[1], otpp::exit_reason::shutdown());
    co_await otpp::send<done>(all[2]);
    co_await otpp::send<done>(all[0]);
    std::vector<otpp::exit_reason> reasons = co_await otpp::join_all(all);
    REQUIRE(reasons.size() == 3);
    CHECK(reasons[0] == otpp::exit_reason::normal());
    CHECK(reasons[1] == otpp::exit_reason::shutdown());
    CHECK(reasons[2] == otpp::exit_reason::normal());
    bool is_told = false;
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto told = [&](std::exception_ptr error, std::vector<otpp::exit_reason> again) {
      is_told = !error && again == reasons;
    };
    otpp::join_all(all, asio::bind_executor(executor, told));
    co_await until([&] { return is_told; });
    std::vector<otpp::pid> nobody{all[0], otpp::pid()};
    std::error_code code = co_await code_of(otpp::join_all(nobody));
    CHECK(code == otpp::errc::no_process);
    auto self = co_await otpp::spawn([]() -> asio::awaitable<bool> {
      std::vector<otpp::pid> me{otpp::self()};
      std::error_code why = co_await code_of(otpp::join_all(me));
      co_return why == otpp::errc::calling_self;
    });
    bool is_refused = co_await self.join();
    CHECK(is_refused);
  });
}
