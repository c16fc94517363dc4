// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/server/stop_request.hpp> // the header under test comes first
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/gen_server/stop.hpp>
#include <otpp/process/self.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/request.hpp>
#include <otpp/sys.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// A server whose end takes as long as the test wants, and can fail.
struct dying {
  struct crash {};
  struct ask {
    using reply_type = int;
  };
  struct quit {
    using reply_type = int;
  };
  using messages = otpp::message_list<crash, ask, quit>;

  struct state {
    journal said;
    event go_on;
    bool fails;
    std::optional<otpp::server_ref<counter>> friend_to_call;

    state(journal where, event until, bool fail, std::optional<otpp::server_ref<counter>> other)
        : said(std::move(where)), go_on(std::move(until)), fails(fail), friend_to_call(std::move(other)) {}
    state(state&& other) noexcept
        : said(other.said),
          go_on(other.go_on),
          fails(other.fails),
          friend_to_call(other.friend_to_call),
          is_original(std::exchange(other.is_original, false)) {}
    state& operator=(state&&) = delete;
    ~state() {
      if (is_original) {
        said.add("destroyed");
      }
    }
    bool is_original = true;
  };

  state init(journal said, event go_on, bool fails) {
    return state(std::move(said), std::move(go_on), fails, std::nullopt);
  }
  void handle_cast(crash, state&) { throw boom(); }
  int handle_call(ask, state& s) {
    s.said.add("ask");
    return 1;
  }
  otpp::outcome<int> handle_call(quit, state& s) {
    s.said.add("quit");
    return otpp::stop(otpp::exit_reason::normal(), 7);
  }
  asio::awaitable<void> terminate(const otpp::exit_reason& reason, state& s) {
    s.said.add("terminate:" + reason.message());
    co_await s.go_on.wait();
    s.said.add("terminated");
    if (s.fails) {
      throw std::runtime_error("second");
    }
  }
};

asio::awaitable<void> start_work_and_stop() {
  journal said;
  auto server = co_await otpp::start<scribe>(otpp::named("stop-abandon"), said);
  pending<int> first;
  otpp::call<scribe::ask>(server, 1, first.token());
  pending<otpp::exit_reason> joined;
  server.join(joined.token());
  co_await server.stop();
  otpp::exit_reason why = co_await joined.get();
  CHECK(why == otpp::exit_reason::normal());
  CHECK(said.text() == "ask1 terminate:normal");
}

} // namespace

TEST_CASE("stop: leaves nothing behind wherever it ends", "[stop]") {
  run(start_work_and_stop);
  std::size_t steps = abandon_at_every_step(start_work_and_stop);
  CHECK(steps > 1);
}

TEST_CASE("stop: what was sent before is handled first", "[stop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(said);
    co_await otpp::cast<scribe::note>(server, "a");
    pending<int> answer;
    otpp::call<scribe::ask>(server, 1, answer.token());
    co_await otpp::send<scribe::note>(server, "b");
    co_await server.stop();
    int value = co_await answer.get();
    CHECK(value == 1);
    CHECK(said.text() == "a ask1 info-b terminate:normal");
  });
}

TEST_CASE("stop: what its sender has in line for room is handled first", "[stop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(otpp::options().mailbox_limit(2), said);
    std::vector<otpp::request_handle<int>> asked;
    for (int n = 1; n != 6; ++n) {
      asked.push_back(otpp::send_request<scribe::ask>(server, n));
    }
    co_await server.stop();
    CHECK(said.text() == "ask1 ask2 ask3 ask4 ask5 terminate:normal");
    for (auto& one : asked) {
      int answer = co_await one.receive();
      CHECK(answer > 0);
    }
  });
}

TEST_CASE("stop: ahead it comes before what is queued, which is told or counted", "[stop]") {
  for (std::size_t limit : {std::size_t(0), std::size_t(2)}) {
    run([limit]() -> asio::awaitable<void> {
      crash_log reports;
      journal said;
      event go_on;
      auto server = co_await otpp::start<scribe>(otpp::options().mailbox_limit(limit), said);
      pending<int> running;
      otpp::call<scribe::wait>(server, go_on, running.token());
      co_await until([&] { return go_on.is_awaited(); });
      co_await otpp::cast<scribe::note>(server, "a");
      co_await otpp::cast<scribe::note>(server, "b");
      pending<int> queued; // with the limit it waits for room
      otpp::call<scribe::ask>(server, 1, queued.token());
      pending<> stopped;
      server.stop(otpp::exit_reason::shutdown(), otpp::ahead, stopped.token());
      co_await some_steps();
      CHECK_FALSE(stopped.is_done()); // the handler that runs is not disturbed
      go_on.happen();
      co_await stopped.get();
      int answer = co_await running.get();
      CHECK(answer == 1);
      otpp::error error = co_await error_of(queued.get());
      CHECK(error.code() == otpp::errc::exited);
      CHECK(error.reason() == otpp::exit_reason::shutdown());
      CHECK(said.text() == "wait waited terminate:shutdown");
      CHECK(reports.dropped() == 2);
    });
  }
}

TEST_CASE("stop: ahead, of servers that sleep, start, are suspended or have much to do", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    journal said;
    auto sleeping = co_await otpp::start<scribe>(said);
    co_await sleeping.stop(otpp::ahead);
    CHECK(said.text() == "terminate:normal");
    auto suspended = co_await otpp::start<scribe>(journal());
    co_await otpp::suspend(suspended);
    co_await otpp::pid(suspended).stop(otpp::exit_reason::normal(), 1s, otpp::ahead);
    auto busy = co_await otpp::start<scribe>(journal());
    for (int n = 0; n != 200; ++n) { // more than a turn
      co_await otpp::cast<scribe::note>(busy, "x");
    }
    pending<> stopped;
    busy.stop(otpp::ahead, stopped.token());
    std::error_code code = co_await code_of(busy.stop(otpp::exit_reason::shutdown()));
    CHECK(code == otpp::errc::exited);
    co_await stopped.get();
    CHECK(reports.dropped() == 200);
    pending<otpp::server_ref<dying>> starting;
    asio::any_io_executor executor = co_await asio::this_coro::executor; // not on the threads of the system's
    otpp::start<dying>(
        otpp::named("stop-ahead"), said, happened(), false, asio::bind_executor(executor, starting.token()));
    auto named = otpp::whereis<dying>("stop-ahead");
    REQUIRE(named);
    co_await named->stop(otpp::ahead);
    co_await starting.get();
    CHECK(said.text() == "terminate:normal terminate:normal terminated destroyed");
    code = co_await code_of(named->stop(otpp::ahead));
    CHECK(code == otpp::errc::no_process);
  });
}

TEST_CASE("stop: it succeeds if the server ended with exactly that reason", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    {
      auto server = co_await otpp::start<scribe>(journal());
      co_await server.stop();
    }
    {
      journal said;
      auto server = co_await otpp::start<scribe>(said);
      co_await server.stop(otpp::exit_reason::shutdown());
      otpp::exit_reason why = co_await server.join();
      CHECK(why == otpp::exit_reason::shutdown());
      CHECK(said.text() == "terminate:shutdown");
    }
    CHECK(reports.texts().empty());
    {
      otpp::exit_reason reason{boom()};
      auto server = co_await otpp::start<scribe>(journal());
      co_await server.stop(reason, 1s);
      otpp::exit_reason why = co_await server.join();
      CHECK(why == reason);
      CHECK(why.exception() == reason.exception());
    }
    CHECK(reports.texts().size() == 1); // not a clean reason
  });
}

TEST_CASE("stop: it says which other reason ended the server first", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    auto server = co_await otpp::start<scribe>(journal());
    co_await otpp::cast<scribe::crash_later>(server);
    otpp::error error = co_await error_of(server.stop());
    CHECK(error.code() == otpp::errc::exited);
    CHECK(text_of(error.reason().exception()) == "boom");

    auto other = co_await otpp::start<scribe>(journal());
    pending<int> quit;
    otpp::call<scribe::leave>(other, otpp::exit_reason::normal(), quit.token());
    error = co_await error_of(other.stop(otpp::exit_reason::shutdown()));
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason() == otpp::exit_reason::normal());
  });
}

TEST_CASE("stop: of a server that has ended it is no_process", "[stop]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    co_await server.stop();
    CHECK(server.has_ended());
    std::error_code error = co_await code_of(server.stop());
    CHECK(error == otpp::errc::no_process);
    error = co_await code_of(server.stop(otpp::exit_reason::normal(), 1s));
    CHECK(error == otpp::errc::no_process);
  });
}

TEST_CASE("stop: by any address, as a verb of its own", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log crashes;
    otpp::registry names;
    journal said;
    event go_on;
    go_on.happen();
    for (int way = 0; way != 9; ++way) {
      otpp::options how = way == 4 ? otpp::named("s").in(names) : otpp::named("s");
      auto server = co_await otpp::start<dying>(how, said, go_on, false);
      otpp::pid who = server;
      pending<void> done;
      switch (way) {
        case 0: co_await otpp::stop("s"); break;
        case 1: co_await otpp::stop(std::string("s"), otpp::exit_reason::shutdown()); break;
        case 2: co_await otpp::stop(otpp::server_name<dying>("s"), otpp::exit_reason::normal(), 5s); break;
        case 3: co_await otpp::stop(who, otpp::exit_reason(boom()), otpp::infinite); break;
        case 4: co_await otpp::stop(otpp::via<otpp::registry, dying>(names, "s")); break;
        case 5: co_await otpp::stop("s", otpp::ahead); break;
        case 6: co_await otpp::stop("s", otpp::exit_reason::shutdown(), otpp::ahead); break;
        case 7: co_await otpp::stop("s", otpp::exit_reason::shutdown(), 5s, otpp::ahead); break;
        default: otpp::stop(server, done.token()); co_await done.get();
      }
      CHECK(who.has_ended());
    }
    CHECK(said.text().find("terminate:shutdown") != std::string::npos);
    std::error_code code = co_await code_of(otpp::stop("s"));
    CHECK(code == otpp::errc::no_process);
    code = co_await code_of(otpp::stop(otpp::pid(), otpp::exit_reason::shutdown(), 1s));
    CHECK(code == otpp::errc::no_process);
    auto other = co_await otpp::start<counter>(otpp::named("s"), 1);
    code = co_await code_of(otpp::stop(otpp::server_name<dying>("s")));
    CHECK(code == otpp::errc::bad_message);
    CHECK_FALSE(other.has_ended());
    co_await otpp::stop("s");
  });
}

TEST_CASE("stop: a negative timeout stops nothing", "[stop]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    std::error_code error = co_await code_of(server.stop(otpp::exit_reason::normal(), -1s));
    CHECK(error == otpp::errc::timeout);
    int answer = co_await otpp::call<counter::get>(server);
    CHECK(answer == 0);
    co_await server.stop();
  });
}

TEST_CASE("stop: a handler that does not return outlasts the timeout, and the end comes later", "[stop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<scribe>(otpp::named("stop-slow"), said);
    event go_on;
    pending<int> answer;
    otpp::call<scribe::wait>(server, go_on, answer.token());
    std::error_code error = co_await code_of(server.stop(otpp::exit_reason::normal(), 2ms));
    CHECK(error == otpp::errc::timeout);
    CHECK_FALSE(server.has_ended());
    CHECK(otpp::whereis<scribe>("stop-slow"));
    go_on.happen();
    otpp::exit_reason why = co_await server.join();
    CHECK(why == otpp::exit_reason::normal());
    int value = co_await answer.get();
    CHECK(value == 1);
    CHECK(said.text() == "wait waited terminate:normal");
    CHECK_FALSE(otpp::whereis<scribe>("stop-slow"));
  });
}

TEST_CASE("stop: two at once, and one more while it terminates, end once", "[stop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await otpp::start<dying>(said, go_on, false);
    pending<> first;
    pending<> second;
    pending<> third;
    server.stop(first.token());
    server.stop(second.token());
    co_await until([&] { return go_on.is_awaited(); });
    server.stop(third.token());
    co_await some_steps();
    CHECK_FALSE(first.is_done());
    CHECK_FALSE(second.is_done());
    CHECK_FALSE(third.is_done());
    go_on.happen();
    co_await first.get();
    co_await second.get();
    co_await third.get();
    CHECK(said.text() == "terminate:normal terminated destroyed");
  });
}

namespace {

struct suicidal {
  struct stop_self {
    using reply_type = std::error_code;
  };
  struct join_self {
    using reply_type = std::error_code;
  };
  struct stop_unawaited {
    pending<> stopped;
  };
  int init() { return 0; }
  asio::awaitable<std::error_code> handle_call(stop_self, int&) {
    auto me = otpp::self<suicidal>();
    std::error_code error = co_await code_of(me.stop());
    co_return error;
  }
  asio::awaitable<std::error_code> handle_call(join_self, int&) {
    auto me = otpp::self<suicidal>();
    std::error_code error = co_await code_of(me.join());
    co_return error;
  }
  void handle_cast(stop_unawaited m, int&) {
    otpp::self<suicidal>().stop(otpp::exit_reason::shutdown(), m.stopped.token());
  }
};

} // namespace

TEST_CASE("stop: a handler cannot wait for its own server's end", "[stop]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<suicidal>();
    std::error_code error = co_await otpp::call<suicidal::stop_self>(server);
    CHECK(error == otpp::errc::calling_self);
    error = co_await otpp::call<suicidal::join_self>(server);
    CHECK(error == otpp::errc::calling_self);
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("stop: a handler can stop its own server without waiting", "[stop]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<suicidal>();
    pending<> stopped;
    co_await otpp::cast<suicidal::stop_unawaited>(server, stopped);
    otpp::exit_reason why = co_await server.join();
    CHECK(why == otpp::exit_reason::shutdown());
    co_await stopped.get();
  });
}

TEST_CASE("stop: terminate's own failure is the reason, with the first one inside", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    journal said;
    {
      auto server = co_await otpp::start<dying>(otpp::named("stop-twice"), said, happened(), true);
      otpp::error error = co_await error_of(server.stop());
      CHECK(error.code() == otpp::errc::exited);
      CHECK(text_of(error.reason().exception()) == "second");
      REQUIRE(error.reason().previous() != nullptr);
      CHECK(*error.reason().previous() == otpp::exit_reason::normal());
      CHECK_FALSE(otpp::whereis<dying>("stop-twice"));
    }
    CHECK(reports.texts().size() == 1);
    {
      auto server = co_await otpp::start<dying>(otpp::named("stop-twice"), said, happened(), true);
      co_await otpp::cast<dying::crash>(server);
      pending<int> queued;
      otpp::call<dying::ask>(server, queued.token());
      otpp::exit_reason why = co_await server.join();
      CHECK(text_of(why.exception()) == "second");
      REQUIRE(why.previous() != nullptr);
      CHECK(text_of(why.previous()->exception()) == "boom");
      CHECK(why.message().find("boom") != std::string::npos);
      std::error_code error = co_await queued.code();
      CHECK(error == otpp::errc::exited);
      CHECK_FALSE(otpp::whereis<dying>("stop-twice"));
    }
    CHECK(reports.texts().size() == 2);
  });
}

TEST_CASE("stop: the answer of a stop is given even if terminate fails", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    auto server = co_await otpp::start<dying>(journal(), happened(), true);
    int answer = co_await otpp::call<dying::quit>(server);
    otpp::exit_reason why = co_await server.join();
    CHECK(answer == 7);
    CHECK(text_of(why.exception()) == "second");
  });
}

TEST_CASE("stop: a call while the server terminates ends with it", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    journal said;
    event go_on;
    auto server = co_await otpp::start<dying>(otpp::named("stop-late"), said, go_on, false);
    pending<> stopped;
    server.stop(otpp::exit_reason::shutdown(), stopped.token());
    co_await until([&] { return go_on.is_awaited(); });
    CHECK_FALSE(server.has_ended());
    pending<int> by_reference;
    pending<int> by_name;
    otpp::call<dying::ask>(server, by_reference.token());
    otpp::call<dying::ask>("stop-late", by_name.token());
    bool taken = otpp::try_cast<dying::crash>(server);
    CHECK(taken);
    co_await some_steps();
    CHECK_FALSE(by_reference.is_done());
    CHECK_FALSE(by_name.is_done());
    go_on.happen();
    otpp::error error = co_await error_of(by_reference.get());
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason() == otpp::exit_reason::shutdown());
    error = co_await error_of(by_name.get());
    CHECK(error.code() == otpp::errc::exited);
    co_await stopped.get();
    CHECK(said.text() == "terminate:shutdown terminated destroyed");
    CHECK(reports.dropped() == 1); // the cast
    taken = otpp::try_cast<dying::crash>(server);
    CHECK_FALSE(taken);
  });
}

namespace {

// Its terminate waits, and works with another server.
struct diligent {
  struct crash {};
  struct state {
    journal said;
    otpp::server_ref<counter> other;
  };
  state init(journal said, otpp::server_ref<counter> other) { return state{said, other}; }
  void handle_cast(crash, state&) { throw boom(); }
  asio::awaitable<void> terminate(const otpp::exit_reason&, state& s) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer soon(executor, 1ms);
    co_await soon.async_wait(asio::use_awaitable);
    int n = co_await otpp::call<counter::add>(s.other, 1);
    s.said.add("saved" + std::to_string(n));
  }
};

} // namespace

TEST_CASE("stop: terminate can wait, whatever ended the server", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    journal said;
    auto other = co_await otpp::start<counter>(0);
    auto first = co_await otpp::start<diligent>(said, other);
    co_await first.stop();
    auto second = co_await otpp::start<diligent>(said, other);
    co_await otpp::cast<diligent::crash>(second);
    otpp::exit_reason why = co_await second.join();
    CHECK(text_of(why.exception()) == "boom");
    auto third = co_await otpp::start<diligent>(said, other);
    asio::cancellation_signal cancel;
    pending<> stopped;
    third.stop(asio::bind_cancellation_slot(cancel.slot(), stopped.token()));
    cancel.emit(asio::cancellation_type::terminal);
    std::error_code error = co_await stopped.code();
    CHECK(error == asio::error::operation_aborted); // the wait; the server ends all the same
    why = co_await third.join();
    CHECK(why == otpp::exit_reason::normal());
    CHECK(said.text() == "saved1 saved2 saved3");
    co_await other.stop();
  });
}

TEST_CASE("stop: the end has one order, and nobody sees it before the name is free", "[stop]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await otpp::start<dying>(otpp::named("stop-order"), said, go_on, false);
    auto on_end = [&said](std::string who) {
      return [&said, who = std::move(who)](std::exception_ptr error, auto&&...) {
        bool is_free = !otpp::whereis<dying>("stop-order");
        said.add(who + (error ? "-error" : "-ok") + (is_free ? "" : "-NAME-IS-THERE"));
      };
    };
    server.join(on_end("join"));
    otpp::call<dying::quit>(server, on_end("quit"));
    otpp::call<dying::ask>(server, on_end("queued"));
    pending<> stopped;
    server.stop(stopped.token());
    co_await until([&] { return go_on.is_awaited(); });
    // Registered until terminate is done, so that no second one can start.
    std::error_code error =
        co_await code_of(otpp::start<dying>(otpp::named("stop-order"), said, go_on, false));
    CHECK(error == otpp::errc::name_taken);
    CHECK(said.text() == "quit terminate:normal");
    go_on.happen();
    error = co_await stopped.code();
    CHECK_FALSE(error);
    co_await some_steps();
    CHECK(said.text() == "quit terminate:normal terminated destroyed queued-error quit-ok join-ok");
  });
}

TEST_CASE("stop: who got the last answer can start the next server at once", "[stop]") {
  run([]() -> asio::awaitable<void> {
    for (int time = 0; time != 20; ++time) {
      auto server = co_await otpp::start<dying>(otpp::named("stop-again"), journal(), happened(), false);
      int answer = co_await otpp::call<dying::quit>(server);
      REQUIRE(answer == 7);
      REQUIRE(server.has_ended());
      std::error_code error = co_await code_of(otpp::call<dying::ask>("stop-again"));
      REQUIRE(error == otpp::errc::no_process);
      error = co_await code_of(otpp::call<dying::ask>(server));
      REQUIRE(error == otpp::errc::no_process);
    }
  });
}

TEST_CASE("stop: the state is destroyed after terminate and before the name is free", "[stop]") {
  struct watcher {
    struct state {
      std::shared_ptr<std::string> seen;
      explicit state(std::shared_ptr<std::string> to) : seen(std::move(to)) {}
      state(state&&) noexcept = default;
      state& operator=(state&&) = delete;
      ~state() {
        if (seen) {
          *seen += otpp::whereis<watcher>("stop-state") ? "destroyed-named" : "destroyed-nameless";
        }
      }
    };
    state init(std::shared_ptr<std::string> seen) { return state(std::move(seen)); }
    void terminate(const otpp::exit_reason&, state& s) { *s.seen += "terminate "; }
  };
  run([]() -> asio::awaitable<void> {
    auto seen = std::make_shared<std::string>();
    auto server = co_await otpp::start<watcher>(otpp::named("stop-state"), seen);
    co_await server.stop();
    CHECK(*seen == "terminate destroyed-named");
    CHECK(seen.use_count() == 1);
  });
}

TEST_CASE("join: says why, to many, before and after the end", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    auto server = co_await otpp::start<scribe>(journal());
    std::array<pending<otpp::exit_reason>, 3> early;
    for (auto& one : early) {
      server.join(one.token());
    }
    co_await some_steps();
    CHECK_FALSE(early[0].is_done());
    std::exception_ptr failure = co_await failure_of(otpp::call<scribe::crash>(server));
    CHECK(failure);
    otpp::exit_reason late = co_await server.join();
    CHECK(text_of(late.exception()) == "boom");
    for (auto& one : early) {
      otpp::exit_reason why = co_await one.get();
      CHECK(why == late);
    }
    otpp::exit_reason again = co_await server.join();
    CHECK(again == late);
  });
}

TEST_CASE("join: the exception of a handler keeps its identity", "[stop]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    otpp::exit_reason mine{boom()};
    auto server = co_await otpp::start<scribe>(journal());
    otpp::error error = co_await error_of(otpp::call<scribe::leave>(server, mine));
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason().exception() == mine.exception());
    otpp::exit_reason why = co_await server.join();
    CHECK(why.exception() == mine.exception());
  });
}

TEST_CASE("join: who is cancelled waits no more, and the server goes on", "[stop]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    asio::cancellation_signal cancel;
    pending<otpp::exit_reason> joined;
    server.join(asio::bind_cancellation_slot(cancel.slot(), joined.token()));
    cancel.emit(asio::cancellation_type::total);
    std::error_code error = co_await joined.code();
    CHECK(error == asio::error::operation_aborted);
    int answer = co_await otpp::call<counter::add>(server, 1);
    CHECK(answer == 1);
    co_await server.stop();
    CHECK(joined.times() == 1);
  });
}
