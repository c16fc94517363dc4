// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/caller.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/reply.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

static_assert(!std::is_copy_constructible_v<otpp::caller<int>>);
static_assert(!std::is_copy_assignable_v<otpp::caller<int>>);
static_assert(std::is_nothrow_move_constructible_v<otpp::caller<int>>);
static_assert(std::is_same_v<otpp::caller<int>::reply_type, int>);

namespace {

// Calls, and waits until the test has the caller in hand.
asio::awaitable<pending<int>> call_and_keep(otpp::server_ref<scribe> server, kept_caller kept) {
  pending<int> answer;
  otpp::call<scribe::keep>(server, kept, answer.token());
  co_await until([&kept] { return kept->has_value(); });
  co_return answer;
}

// Waits in its handler until another server's caller is answered.
struct asker {
  struct ask {
    otpp::server_ref<scribe> whom;
    kept_caller where;
    using reply_type = int;
  };
  int init() { return 0; }
  asio::awaitable<int> handle_call(ask m, int&) {
    int answer = co_await otpp::call_for<scribe::keep>(m.whom, otpp::infinite, m.where);
    co_return answer;
  }
};

asio::awaitable<void> answer_later() {
  auto server = co_await otpp::start<scribe>(journal());
  kept_caller kept = keep_caller();
  pending<int> answer = co_await call_and_keep(server, kept);
  co_await otpp::call<scribe::ask>(server, 2); // it serves others meanwhile
  CHECK_FALSE(answer.is_done());
  CHECK((*kept)->is_waiting());
  CHECK((*kept)->reply(41));
  int value = co_await answer.get();
  CHECK(value == 41);
  CHECK(answer.times() == 1);
  co_await server.stop();
}

} // namespace

TEST_CASE("caller: answers later", "[caller]") { run(answer_later); }

TEST_CASE("caller: leaves nothing behind wherever it ends", "[caller]") {
  std::size_t steps = abandon_at_every_step(answer_later);
  CHECK(steps > 1);
}

TEST_CASE("caller: the second answer reaches nobody", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    pending<int> answer = co_await call_and_keep(server, kept);
    CHECK((*kept)->reply(1));
    CHECK_FALSE((*kept)->reply(2));
    CHECK_FALSE((*kept)->fail(boom()));
    CHECK_FALSE((*kept)->is_waiting());
    kept->reset();
    int value = co_await answer.get();
    CHECK(value == 1);
    CHECK(answer.times() == 1);
    co_await server.stop();
  });
}

TEST_CASE("caller: what was moved from answers nobody", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    pending<int> answer = co_await call_and_keep(server, kept);
    otpp::caller<int> taken = std::move(**kept);
    CHECK_FALSE((*kept)->is_waiting());
    CHECK_FALSE((*kept)->reply(1));
    kept->reset();
    CHECK(taken.is_waiting());
    CHECK(taken.reply(2));
    int value = co_await answer.get();
    CHECK(value == 2);
    co_await server.stop();
  });
}

TEST_CASE("caller: who is dropped hears it at once", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    // By the handler.
    std::error_code error = co_await code_of(otpp::call_for<scribe::drop>(server, otpp::infinite));
    CHECK(error == otpp::errc::no_reply);
    // Later, elsewhere.
    kept_caller kept = keep_caller();
    pending<int> answer = co_await call_and_keep(server, kept);
    kept->reset();
    error = co_await answer.code();
    CHECK(error == otpp::errc::no_reply);
    // By assignment over it.
    kept_caller first = keep_caller();
    kept_caller second = keep_caller();
    pending<int> dropped = co_await call_and_keep(server, first);
    pending<int> answered = co_await call_and_keep(server, second);
    **first = std::move(**second);
    error = co_await dropped.code();
    CHECK(error == otpp::errc::no_reply);
    CHECK((*first)->reply(5));
    int value = co_await answered.get();
    CHECK(value == 5);
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

namespace {

struct clumsy {
  struct crash_with_caller { // drops it, by an exception
    using reply_type = int;
  };
  struct crash_later { // the same, after waiting
    using reply_type = int;
  };
  struct promise_nothing { // says no_reply without having a caller
    using reply_type = int;
  };
  struct stop_and_drop { // ends the server with the caller in hand
    using reply_type = int;
  };
  struct drop_later {
    using reply_type = int;
  };
  struct value_beside { // has a caller, and returns the value
    using reply_type = int;
  };
  struct nothing { // answers with void
    bool fails;
    using reply_type = void;
  };
  int init() { return 0; }
  void handle_call(crash_with_caller, otpp::caller<int>, int&) { throw boom(); }
  asio::awaitable<void> handle_call(crash_later, otpp::caller<int>, int&) {
    co_await asio::post(asio::use_awaitable);
    throw boom();
  }
  otpp::outcome<int> handle_call(promise_nothing, int&) { return otpp::no_reply; }
  otpp::outcome<int> handle_call(stop_and_drop, otpp::caller<int>, int&) {
    return otpp::stop(otpp::exit_reason::shutdown());
  }
  asio::awaitable<otpp::no_reply_t> handle_call(drop_later, otpp::caller<int>, int&) {
    co_await asio::post(asio::use_awaitable);
    co_return otpp::no_reply;
  }
  int handle_call(value_beside, otpp::caller<int>, int& n) { return ++n; }
  void handle_call(nothing m, otpp::caller<void> from, int&) {
    if (m.fails) {
      from.fail(std::make_exception_ptr(boom()));
    } else {
      from.reply();
    }
  }
};

} // namespace

TEST_CASE("caller: a handler that throws with it in hand tells the caller why", "[caller]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    auto first = co_await otpp::start<clumsy>();
    otpp::error error = co_await error_of(otpp::call<clumsy::crash_with_caller>(first));
    CHECK(error.code() == otpp::errc::exited);
    CHECK(text_of(error.reason().exception()) == "boom");
    auto second = co_await otpp::start<clumsy>();
    error = co_await error_of(otpp::call<clumsy::crash_later>(second));
    CHECK(error.code() == otpp::errc::exited);
    CHECK(text_of(error.reason().exception()) == "boom");
    auto third = co_await otpp::start<clumsy>();
    error = co_await error_of(otpp::call<clumsy::stop_and_drop>(third));
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason() == otpp::exit_reason::shutdown());
  });
}

TEST_CASE("caller: a handler that drops it, or never had it, gives no_reply", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clumsy>();
    std::error_code error = co_await code_of(otpp::call<clumsy::promise_nothing>(server));
    CHECK(error == otpp::errc::no_reply);
    error = co_await code_of(otpp::call<clumsy::drop_later>(server));
    CHECK(error == otpp::errc::no_reply);
    int value = co_await otpp::call<clumsy::value_beside>(server);
    CHECK(value == 1);
    co_await server.stop();
  });
}

namespace {

struct keeper {
  struct ask {
    using reply_type = int;
  };
  std::optional<otpp::caller<int>> init() { return {}; }
  int handle_call(ask, otpp::caller<int> from, std::optional<otpp::caller<int>>& kept) {
    kept = std::move(from);
    return 5;
  }
};

} // namespace

TEST_CASE("caller: what a handler returns is the answer, though it has kept the caller", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<keeper>();
    int value = co_await otpp::call<keeper::ask>(server);
    CHECK(value == 5);
    co_await server.stop();
  });
}

TEST_CASE("caller: answers a call whose answer is void, or fails it", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clumsy>();
    co_await otpp::call<clumsy::nothing>(server, false);
    std::exception_ptr failure = co_await failure_of(otpp::call<clumsy::nothing>(server, true));
    CHECK(text_of(failure) == "boom");
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("caller: an exception as the answer reaches the caller as it is", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    pending<int> answer = co_await call_and_keep(server, kept);
    auto mine = std::make_exception_ptr(boom());
    CHECK((*kept)->fail(mine));
    std::exception_ptr failure = co_await failure_of(answer.get());
    CHECK(failure == mine);

    kept = keep_caller();
    answer = co_await call_and_keep(server, kept);
    CHECK((*kept)->fail(std::out_of_range("far")));
    failure = co_await failure_of(answer.get());
    CHECK_THROWS_AS(std::rethrow_exception(failure), std::out_of_range);
    co_await server.stop();
  });
}

TEST_CASE("caller: the end of the server ends the call, and a later answer reaches nobody", "[caller]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    for (bool crashes : {false, true}) {
      journal said;
      auto server = co_await otpp::start<scribe>(said);
      kept_caller before = keep_caller();
      kept_caller after = keep_caller();
      pending<int> answered = co_await call_and_keep(server, before);
      pending<int> ended = co_await call_and_keep(server, after);
      CHECK((*before)->reply(1));
      std::exception_ptr stopped;
      if (crashes) {
        stopped = co_await failure_of(otpp::call<scribe::crash>(server));
        CHECK(stopped);
      } else {
        co_await server.stop();
      }
      CHECK_FALSE((*after)->is_waiting());
      CHECK_FALSE((*after)->reply(2));
      int value = co_await answered.get();
      CHECK(value == 1);
      otpp::error error = co_await error_of(ended.get());
      CHECK(error.code() == otpp::errc::exited);
      CHECK(text_of(error.reason().exception()) == (crashes ? "boom" : ""));
      CHECK(ended.times() == 1);
    }
  });
}

TEST_CASE("caller: dropped after the server's end it does nothing", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    pending<int> answer = co_await call_and_keep(server, kept);
    co_await server.stop();
    kept->reset();
    std::error_code error = co_await answer.code();
    CHECK(error == otpp::errc::exited);
    CHECK(answer.times() == 1);
  });
}

TEST_CASE("caller: terminate may still answer, and what it drops hears the reason", "[caller]") {
  struct tidy {
    struct keep {
      using reply_type = int;
    };
    struct state {
      std::optional<otpp::caller<int>> first;
      std::optional<otpp::caller<int>> second;
      std::optional<otpp::caller<int>> third;
    };
    state init() { return {}; }
    void handle_call(keep, otpp::caller<int> from, state& s) {
      (!s.first ? s.first : !s.second ? s.second : s.third).emplace(std::move(from));
    }
    void terminate(const otpp::exit_reason&, state& s) {
      s.first->reply(9);
      s.second.reset();
    }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<tidy>();
    pending<int> first;
    pending<int> second;
    pending<int> third;
    otpp::call<tidy::keep>(server, first.token());
    otpp::call<tidy::keep>(server, second.token());
    otpp::call<tidy::keep>(server, third.token());
    co_await server.stop(otpp::exit_reason::shutdown());
    int answer = co_await first.get();
    CHECK(answer == 9);
    for (auto* one : {&second, &third}) { // the third is dropped with the state
      otpp::error error = co_await error_of(one->get());
      CHECK(error.code() == otpp::errc::exited);
      CHECK(error.reason() == otpp::exit_reason::shutdown());
      CHECK(one->times() == 1);
    }
  });
}

TEST_CASE("caller: any thread may answer, and the caller is resumed where it was", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    for (int n = 0; n != 20; ++n) {
      kept_caller kept = keep_caller();
      pending<int> answer = co_await call_and_keep(server, kept);
      std::thread other([&] { (*kept)->reply(n); });
      int value = co_await answer.get();
      other.join();
      CHECK(value == n);
    }
    co_await server.stop();
  });
}

TEST_CASE("caller: a handler that waits is answered by another thread", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    auto asks = co_await otpp::start<asker>();
    for (int n = 0; n != 20; ++n) {
      kept_caller kept = keep_caller();
      pending<int> answer;
      otpp::call<asker::ask>(asks, server, kept, answer.token());
      co_await until([&kept] { return kept->has_value(); });
      std::thread other([&] { (*kept)->reply(n); });
      int value = co_await answer.get();
      other.join();
      CHECK(value == n);
    }
    co_await asks.stop();
    co_await server.stop();
  });
}

namespace {

struct clerk {
  struct file {
    fragile content;
    using reply_type = int;
  };
  struct alignas(128) wide {
    int n = 1;
    using reply_type = bool;
  };
  int init() { return 0; }
  asio::awaitable<void> handle_call(const file& message, otpp::caller<int> from, int&) {
    fragile own(message.content);
    from.reply(1);
    co_return;
  }
  asio::awaitable<void> handle_call(wide&& message, otpp::caller<bool> from, int&) {
    from.reply(reinterpret_cast<std::uintptr_t>(&message) % 128 == 0);
    co_return;
  }
};

} // namespace

TEST_CASE("caller: a message whose move throws ends the call, whichever move it is", "[caller]") {
  int failed = 0;
  bool worked = false;
  for (int at = 0; !worked; ++at) {
    REQUIRE(at < 20);
    run([at, &failed, &worked]() -> asio::awaitable<void> {
      crash_log reports;
      auto server = co_await otpp::start<clerk>();
      auto moves = std::make_shared<int>(1000);
      clerk::file message{fragile(moves)};
      *moves = at;
      std::exception_ptr failure;
      try {
        auto call = otpp::call(server, message);
        co_await std::move(call);
      } catch (...) {
        failure = std::current_exception();
      }
      *moves = 1000;
      worked = !failure;
      failed += worked ? 0 : 1;
      pending<> stopped;
      server.stop(stopped.token());
      std::error_code ended = co_await stopped.code(); // it may have crashed
      CHECK((!ended || ended == otpp::errc::exited || ended == otpp::errc::no_process));
    });
  }
  CHECK(failed > 2);
}

TEST_CASE("caller: a message with a large alignment gets it in a coroutine, too", "[caller]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>();
    for (int n = 0; n != 5; ++n) {
      pending<bool> answer; // the frame of a coroutine that sends it would not align it
      otpp::call<clerk::wide>(server, answer.token());
      bool is_aligned = co_await answer.get();
      CHECK(is_aligned);
    }
    co_await server.stop();
  });
}

TEST_CASE("caller: may outlive the server, the caller and their context", "[caller]") {
  kept_caller kept = keep_caller();
  {
    asio::io_context context;
    auto body = [kept]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<scribe>(journal());
      co_await otpp::call<scribe::keep>(server, kept);
    };
    pending<> done = in_background(context.get_executor(), body());
    context.poll();
    REQUIRE(kept->has_value());
    CHECK((*kept)->is_waiting());
  }
  CHECK_FALSE((*kept)->is_waiting());
  CHECK_FALSE((*kept)->reply(1));
  kept->reset();
}
