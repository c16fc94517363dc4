// SPDX-License-Identifier: BSL-1.0

// send_request and request_set.

#include <otpp/request/send_request.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/self.hpp>
#include <otpp/request/multi_call.hpp>
#include <otpp/request/request_set.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

namespace {

// Answers at once, later, never, or with an error.
struct desk {
  struct twice {
    int n;
    using reply_type = int;
  };
  struct keep { // answers when `release` comes
    int n;
    using reply_type = int;
  };
  struct release {
    int count = 1;
    using reply_type = bool; // did it reach anybody?
  };
  struct refuse {
    using reply_type = int;
  };
  struct forget_it {
    using reply_type = int;
  };
  struct nothing {
    using reply_type = void;
  };
  struct heavy { // an answer whose move may throw
    heavy() = default;
    heavy(heavy&&) noexcept(false) {}
    int n = 3;
  };
  struct ask_heavy {
    using reply_type = heavy;
  };
  struct ask_myself {
    using reply_type = int; // the code of the error
  };
  struct ask_another {
    otpp::server_ref<desk> whom;
    using reply_type = int;
  };
  using messages = otpp::message_list<twice, keep>;
  struct state {
    std::vector<std::pair<int, otpp::caller<int>>> kept;
  };

  state init() { return {}; }
  int handle_call(twice m, state&) { return 2 * m.n; }
  void handle_call(keep m, otpp::caller<int> from, state& s) { s.kept.emplace_back(m.n, std::move(from)); }
  bool handle_call(release m, state& s) {
    bool reached = false;
    for (int i = 0; i != m.count && !s.kept.empty(); ++i) { // newest first
      reached = s.kept.back().second.reply(s.kept.back().first);
      s.kept.pop_back();
    }
    return reached;
  }
  otpp::outcome<int> handle_call(refuse, state&) { return otpp::fail(std::runtime_error("refused")); }
  void handle_call(forget_it, otpp::caller<int>, state&) {}
  void handle_call(nothing, state&) {}
  heavy handle_call(ask_heavy, state&) { return {}; }
  asio::awaitable<int> handle_call(ask_myself, state&) {
    auto request = otpp::send_request<twice>(otpp::self<desk>(), 1);
    std::error_code code = co_await code_of(request.wait(1h));
    co_return code.value();
  }
  asio::awaitable<int> handle_call(ask_another m, state&) {
    auto first = otpp::send_request<twice>(m.whom, 1);
    auto second = otpp::send_request<twice>(m.whom, 10);
    int two = co_await second.receive(1s);
    int one = co_await first.receive(1s);
    co_return one + two;
  }
};

using desk_ref = otpp::server_ref<desk>;

asio::awaitable<bool> release(desk_ref server, int count = 1) {
  return otpp::call<desk::release>(server, count);
}

} // namespace

TEST_CASE("send_request: requests go out at once, and their answers wait", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>(otpp::named("sr-desk"));
    auto first = otpp::send_request<desk::twice>(server, 1);
    auto second = otpp::send_request<desk::twice>(otpp::server_name<desk>("sr-desk"), 2);
    auto third = otpp::send_request(std::string("sr-desk"), desk::twice{3});
    desk::ask_heavy named;
    auto fourth = otpp::send_request(server, named);
    auto fifth = otpp::send_request<desk::nothing>(server);
    int three = co_await third.wait();
    int two = co_await second.receive(1s);
    int one = co_await first.wait(0ms);
    desk::heavy four = co_await fourth.receive();
    co_await fifth.wait();
    CHECK(one == 2);
    CHECK(two == 4);
    CHECK(three == 6);
    CHECK(four.n == 3);
    CHECK_FALSE(first.is_open());
    co_await server.stop();
  });
}

TEST_CASE("send_request: an unknown name is no error, but the response", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto nobody = otpp::send_request<desk::twice>("sr-nobody", 1);
    CHECK(nobody.is_open());
    std::error_code code = co_await code_of(nobody.receive(1s));
    CHECK(code == otpp::errc::no_process);
    auto server = co_await otpp::start<desk>(otpp::named("sr-desk"));
    auto unlisted = otpp::send_request<desk::refuse>("sr-desk");
    code = co_await code_of(unlisted.wait());
    CHECK(code == otpp::errc::bad_message);
    co_await server.stop();
    auto ended = otpp::send_request<desk::twice>(server, 1);
    code = co_await code_of(ended.wait());
    CHECK(code == otpp::errc::no_process);
  });
}

TEST_CASE("send_request: what a call ends with is the response", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    auto refused = otpp::send_request<desk::refuse>(server);
    std::exception_ptr why = co_await failure_of(refused.wait());
    CHECK(text_of(why) == "refused");
    auto forgotten = otpp::send_request<desk::forget_it>(server);
    std::error_code code = co_await code_of(forgotten.wait());
    CHECK(code == otpp::errc::no_reply);
    auto kept = otpp::send_request<desk::keep>(server, 1);
    co_await server.stop(otpp::exit_reason::shutdown());
    otpp::error ended = co_await error_of(kept.wait());
    CHECK(ended.code() == otpp::errc::exited);
    CHECK(ended.reason() == otpp::exit_reason::shutdown());
  });
}

TEST_CASE("send_request: after a wait in vain the request can be waited for again", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    auto request = otpp::send_request<desk::keep>(server, 7);
    for (int n = 0; n != 3; ++n) {
      otpp::error late = co_await error_of(request.wait(0ms));
      CHECK(late.code() == otpp::errc::timeout);
      CHECK(std::string(late.what()).find("send_request of") != std::string::npos);
      CHECK(std::string(late.what()).find("desk") != std::string::npos);
    }
    std::error_code code = co_await code_of(request.wait(-1s));
    CHECK(code == otpp::errc::timeout);
    bool reached = co_await release(server);
    CHECK(reached);
    int seven = co_await request.wait(otpp::infinite);
    CHECK(seven == 7);
    std::exception_ptr again = co_await failure_of(request.wait());
    CHECK(text_of(again).find("there is no request") != std::string::npos);
    otpp::request_handle<int> none;
    again = co_await failure_of(none.receive(1s));
    CHECK(text_of(again).find("there is no request") != std::string::npos);
    co_await server.stop();
  });
}

TEST_CASE("send_request: of a server whose context has gone it says what a call says", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto elsewhere = std::make_unique<asio::io_context>();
    otpp::options there = otpp::options().on(elsewhere->get_executor());
    std::future<otpp::server_ref<desk>> started = otpp::start<desk>(there, asio::use_future);
    elsewhere->run();
    std::vector<otpp::server_ref<desk>> gone{started.get()};
    elsewhere.reset();
    std::error_code of_call = co_await code_of(otpp::call<desk::twice>(gone.front(), 1));
    CHECK(of_call == otpp::errc::no_process);
    auto request = otpp::send_request<desk::twice>(gone.front(), 1);
    std::error_code of_request = co_await code_of(request.receive());
    CHECK(of_request == otpp::errc::no_process);
    auto all = co_await otpp::multi_call<desk::twice>(gone, 1s, 1);
    CHECK(code_of(all[0].error()) == otpp::errc::no_process);
  });
}

TEST_CASE("send_request: after receive in vain the request is abandoned", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    auto request = otpp::send_request<desk::keep>(server, 7);
    std::error_code code = co_await code_of(request.receive(0ms));
    CHECK(code == otpp::errc::timeout);
    CHECK_FALSE(request.is_open());
    bool reached = co_await release(server);
    CHECK_FALSE(reached);
    std::exception_ptr again = co_await failure_of(request.wait(1h));
    CHECK(text_of(again).find("there is no request") != std::string::npos);
    co_await server.stop();
  });
}

TEST_CASE("send_request: destroying the handle abandons the request", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    auto request = otpp::send_request<desk::keep>(server, 1);
    co_await until([&] { return true; });
    request = otpp::send_request<desk::keep>(server, 2);
    auto other = std::move(request);
    CHECK_FALSE(request.is_open());
    bool second = co_await release(server);
    CHECK(second);
    bool first = co_await release(server);
    CHECK_FALSE(first);
    int two = co_await other.wait();
    CHECK(two == 2);
    auto unanswered = otpp::send_request<desk::keep>(server, 3);
    unanswered.abandon();
    CHECK_FALSE(unanswered.is_open());
  }); // and run() ends: nothing is waited for
}

TEST_CASE("send_request: poll takes what is there, and never waits", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    auto request = otpp::send_request<desk::keep>(server, 5);
    CHECK_FALSE(request.poll());
    co_await release(server);
    co_await some_steps();
    std::optional<otpp::response<int>> answer = request.poll();
    REQUIRE(answer);
    CHECK(answer->value() == 5);
    CHECK_FALSE(answer->error());
    CHECK_FALSE(request.poll());
    auto refused = otpp::send_request<desk::refuse>(server);
    co_await some_steps();
    answer = refused.poll();
    REQUIRE(answer);
    CHECK_FALSE(answer->has_value());
    CHECK_THROWS_AS(answer->value(), std::runtime_error);
    CHECK_THROWS_AS(otpp::response<int>().value(), std::logic_error);
    co_await server.stop();
  });
}

TEST_CASE("send_request: a time of the request's own makes its response a timeout", "[send_request]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      auto begin = one.now();
      auto server = co_await otpp::start<desk>();
      desk::keep message{1};
      auto request = otpp::send_request(server, message, 2s);
      auto never_sent = otpp::send_request(server, message, -1s);
      otpp::error late = co_await error_of(never_sent.wait());
      CHECK(late.code() == otpp::errc::timeout);
      std::error_code code = co_await code_of(request.wait(1s));
      CHECK(code == otpp::errc::timeout);
      CHECK(request.is_open());
      code = co_await code_of(request.wait());
      CHECK(code == otpp::errc::timeout);
      CHECK_FALSE(request.is_open());
      CHECK(one.now() - begin == 2s);
      bool reached = co_await release(server, 2);
      CHECK_FALSE(reached);
    });
    one.run();
  });
}

TEST_CASE(
    "send_request: where a mailbox is full requests stand in line, unless they are dropped",
    "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>(otpp::options().mailbox_limit(1));
    std::vector<otpp::request_handle<int>> requests;
    for (int n = 0; n != 5; ++n) {
      requests.push_back(otpp::send_request<desk::keep>(server, n));
    }
    requests[2].abandon();
    auto last = otpp::send_request<desk::release>(server, 4);
    bool reached = co_await last.wait(1s);
    CHECK(reached);
    CHECK_FALSE(requests[2].poll());
    int four = co_await requests[4].wait(1s);
    int zero = co_await requests[0].wait(1s);
    CHECK(four == 4);
    CHECK(zero == 0);
    co_await server.stop();
  });
}

TEST_CASE("send_request: a handler that waits for its own server hears it at once", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    int code = co_await otpp::call<desk::ask_myself>(server);
    CHECK(code == static_cast<int>(otpp::errc::calling_self));
    auto other = co_await otpp::start<desk>();
    int both = co_await otpp::call<desk::ask_another>(server, other);
    CHECK(both == 22);
    co_await server.stop();
  });
}

TEST_CASE("send_request: cancellation ends the wait, and with receive the request", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    for (bool abandons : {false, true}) {
      auto request = otpp::send_request<desk::keep>(server, 4);
      asio::cancellation_signal signal;
      ending how;
      auto token = asio::bind_cancellation_slot(
          signal.slot(), [&](std::exception_ptr error, int) { how.write(std::move(error)); });
      abandons ? request.receive(token) : request.wait(token);
      co_await some_steps();
      CHECK(how.times == 0);
      signal.emit(asio::cancellation_type::terminal);
      co_await until([&] { return how.times == 1; });
      CHECK(how.code == asio::error::operation_aborted);
      CHECK(request.is_open() == !abandons);
      bool reached = co_await release(server);
      CHECK(reached == !abandons);
    }
    co_await server.stop();
  });
}

TEST_CASE("send_request: a wait needs no handle, and a second wait ends the first", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    ending alone;
    otpp::send_request<desk::keep>(server, 4).wait([&](std::exception_ptr error, int n) {
      alone.value = n;
      alone.write(std::move(error));
    });
    ending first;
    ending second;
    auto request = otpp::send_request<desk::keep>(server, 5);
    request.wait([&](std::exception_ptr error, int) { first.write(std::move(error)); });
    request.wait([&](std::exception_ptr error, int n) {
      second.value = n;
      second.write(std::move(error));
    });
    co_await until([&] { return first.times == 1; });
    CHECK(first.code == asio::error::operation_aborted);
    co_await release(server, 2);
    co_await until([&] { return alone.times == 1 && second.times == 1; });
    CHECK(alone.value == 4);
    CHECK(second.value == 5);
    otpp::send_request<desk::keep>(server, 6).wait(0ms, forget); // in vain, and so abandoned
    co_await some_steps();
    bool reached = co_await release(server);
    CHECK_FALSE(reached);
  });
}

TEST_CASE("send_request: the response comes also when the server's context is destroyed", "[send_request]") {
  explore(orders::all(2), [](world& one) {
    std::optional<otpp::testing::context> other(one);
    std::optional<desk_ref> server;
    one.spawn_on(*other, "operator", [&]() -> asio::awaitable<void> {
      desk_ref made = co_await otpp::start<desk>();
      server = made;
    });
    one.run_in_order();
    std::optional<otpp::request_handle<int>> kept = otpp::send_request<desk::keep>(*server, 1);
    std::error_code code;
    one.spawn("client", [&]() -> asio::awaitable<void> {
      auto request = otpp::send_request<desk::keep>(*server, 1);
      auto unawaited = otpp::send_request<desk::keep>(*server, 1);
      code = co_await code_of(request.wait(otpp::infinite));
    });
    one.may("the handle is dropped", [&] { kept.reset(); });
    one.may("the server's context is destroyed", [&] { other.reset(); });
    one.may_destroy_main_context();
    one.run();
    other.reset();
    one.run();
    bool told = code == otpp::errc::exited || code == otpp::errc::no_process;
    one.check(told || !one.has_main_context(), "not told");
    if (kept) {
      std::optional<otpp::response<int>> answer = kept->poll();
      one.check(answer.has_value() && answer->error(), "no response");
    }
  });
}

TEST_CASE("send_request: in every order a request has one response", "[send_request]") {
  explore(orders::all(2), [](world& one) {
    one.set_turn_limit(1);
    std::optional<desk_ref> server;
    int answers = 0;
    bool reached = false;
    one.spawn("client", [&]() -> asio::awaitable<void> {
      desk_ref made = co_await otpp::start<desk>();
      server = made;
      auto request = otpp::send_request<desk::keep>(made, 9);
      while (answers == 0) {
        std::error_code code = co_await code_of(request.wait(1ms));
        if (code == otpp::errc::timeout) {
          continue;
        }
        one.check(!code && !request.is_open(), "another error");
        ++answers;
      }
    });
    one.spawn("releaser", [&]() -> asio::awaitable<void> {
      co_await until([&] { return server.has_value(); });
      while (!reached) {
        reached = co_await otpp::call_for<desk::release>(*server, otpp::infinite);
      }
    });
    one.run();
    one.check(answers == 1 && reached, "no answer");
  });
}

TEST_CASE("send_request: from any thread, and to any context", "[send_request]") {
  asio::thread_pool pool(2);
  auto server = otpp::start<desk>(otpp::options().on(pool.get_executor()), asio::use_future).get();
  for (int n = 0; n != 200; ++n) {
    auto dropped = otpp::send_request<desk::keep>(server, n);
    auto request = otpp::send_request<desk::twice>(server, n);
    auto kept = otpp::send_request<desk::keep>(server, n);
    if (n % 3 == 0) {
      dropped.abandon();
    }
    CHECK(request.wait(asio::use_future).get() == 2 * n);
    otpp::call<desk::release>(server, 2, forget);
    CHECK(kept.receive(10s, asio::use_future).get() == n);
  }
  server.stop(asio::use_future).get();
  pool.join();
}

// ---- request_set ----

TEST_CASE("send_request: of a set the first answer comes first, with its label", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    otpp::request_set<std::string, int> set;
    set.add("kept", otpp::send_request<desk::keep>(server, 1));
    set.add("twice", otpp::send_request<desk::twice>(server, 2));
    set.add("nobody", otpp::send_request<desk::twice>("sr-nobody", 2));
    CHECK(set.size() == 3);
    auto nobody = co_await set.next(0ms); // was there when it was put in
    CHECK(nobody.label == "nobody");
    CHECK(code_of(nobody.answer.error()) == otpp::errc::no_process);
    auto twice = co_await set.next();
    CHECK(twice.label == "twice");
    CHECK(twice.answer.value() == 4);
    CHECK(set.size() == 1);
    std::error_code code = co_await code_of(set.next(0ms));
    CHECK(code == otpp::errc::timeout);
    code = co_await code_of(set.next(-1ms));
    CHECK(code == otpp::errc::timeout);
    CHECK(set.size() == 1);
    co_await release(server);
    auto kept = co_await set.next(1s);
    CHECK(kept.label == "kept");
    CHECK(std::move(kept.answer).value() == 1);
    CHECK(set.empty());
    std::exception_ptr empty = co_await failure_of(set.next(1s));
    CHECK(text_of(empty).find("no request in the set") != std::string::npos);
    CHECK_THROWS_AS(set.add("none", otpp::request_handle<int>()), std::invalid_argument);
    co_await server.stop();
  });
}

TEST_CASE("send_request: a set that is destroyed abandons its requests, and ends a wait", "[send_request]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    asio::any_io_executor here = co_await asio::this_coro::executor;
    ending replaced;
    ending ended;
    {
      otpp::request_set<int, int> set;
      set.add(1, otpp::send_request<desk::keep>(server, 1));
      set.add(2, otpp::send_request<desk::keep>(server, 2));
      set.next(asio::bind_executor(
          here, [&](std::exception_ptr error, auto&&) { replaced.write(std::move(error)); }));
      set.next(1h, asio::bind_executor(here, [&](std::exception_ptr error, auto&&) {
                 ended.write(std::move(error));
               }));
      co_await some_steps();
      otpp::request_set<int, int> moved = std::move(set);
      CHECK(moved.size() == 2);
      CHECK(set.size() == 0);
    }
    co_await until([&] { return replaced.times == 1 && ended.times == 1; });
    CHECK(replaced.code == asio::error::operation_aborted);
    CHECK(ended.code == asio::error::operation_aborted);
    bool reached = co_await release(server);
    CHECK_FALSE(reached);
  });
}

TEST_CASE("send_request: in every order a set returns each response once", "[send_request]") {
  explore(orders::all(2), [](world& one) {
    otpp::testing::context other(one);
    std::optional<desk_ref> there;
    one.spawn_on(other, "operator", [&]() -> asio::awaitable<void> {
      desk_ref made = co_await otpp::start<desk>();
      there = made;
    });
    one.run_in_order();
    int seen = 0;
    auto& client = one.spawn("client", [&]() -> asio::awaitable<void> {
      desk_ref here = co_await otpp::start<desk>();
      otpp::request_set<int, int> set;
      set.add(1, otpp::send_request<desk::twice>(here, 1));
      set.add(2, otpp::send_request<desk::twice>(*there, 2));
      set.add(4, otpp::send_request<desk::keep>(*there, 4));
      while (!set.empty()) {
        std::error_code timeout;
        try {
          auto next = co_await set.next(1ms);
          seen += next.label;
          one.check(next.answer.has_value() == (next.label != 4), "a wrong response");
        } catch (const otpp::error& error) {
          timeout = error.code();
        }
        if (timeout && set.size() == 1 && !there->has_ended()) {
          co_await there->stop();
        }
      }
    });
    one.may("the client is cancelled", [&] {
      if (one.has_main_context()) {
        client.cancel();
      }
    });
    one.may_destroy_main_context();
    one.run();
    one.check(!one.has_main_context() || seen == 7 || client.has_ended(), "lost");
  });
}

TEST_CASE("send_request: nothing leaks when the context goes at any step", "[send_request]") {
  auto body = []() -> asio::awaitable<void> {
    auto server = co_await otpp::start<desk>();
    auto request = otpp::send_request<desk::keep>(server, 1);
    co_await code_of(request.wait(1ms));
    otpp::request_set<std::string, int> set;
    set.add("kept", std::move(request));
    set.add("twice", otpp::send_request<desk::twice>(server, 2));
    co_await set.next(1s);
    co_await release(server);
    co_await set.next(1s);
    auto heavy = otpp::send_request<desk::ask_heavy>(server);
    co_await heavy.receive(1s);
    co_await server.stop();
  };
  CHECK(abandon_at_every_step(body) > 1);
}
