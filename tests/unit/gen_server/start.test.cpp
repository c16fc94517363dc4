// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/start.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/registry/registry.hpp>

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
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

namespace {

enum class how { works, throws, throws_later, ignores, stops, stops_with_boom, fails_by_reason };

// A server whose init does what it is told, and in which everything is written down.
struct starter {
  struct note {
    std::string word;
  };
  struct ask {
    using reply_type = int;
  };
  using messages = otpp::message_list<note, ask>;

  struct state {
    journal said;
  };

  asio::awaitable<otpp::init_result<state>> init(how what, journal said, event go_on) {
    said.add("init");
    if (what == how::throws) {
      throw boom();
    }
    co_await go_on.wait();
    said.add("ready");
    switch (what) {
      case how::throws_later: throw boom();
      case how::ignores: co_return otpp::init_result<state>(otpp::ignore);
      case how::stops: co_return otpp::init_result<state>(otpp::stop(otpp::exit_reason::shutdown()));
      case how::stops_with_boom: co_return otpp::init_result<state>(otpp::stop(boom()));
      case how::fails_by_reason: co_return otpp::init_result<state>(otpp::stop(otpp::exit_reason::killed()));
      default: break;
    }
    state made{said};
    co_return otpp::init_result<state>(std::move(made));
  }
  int handle_call(ask, state& s) {
    s.said.add("ask");
    return 1;
  }
  void handle_cast(note m, state& s) { s.said.add(m.word); }
  void handle_info(note m, state& s) { s.said.add("info-" + m.word); }
  void terminate(const otpp::exit_reason&, state& s) { s.said.add("terminate"); }
};

// The same without coroutines.
struct plain_starter {
  otpp::init_result<int> init(how what) {
    switch (what) {
      case how::throws: throw boom();
      case how::ignores: return otpp::ignore;
      case how::stops: return otpp::stop(otpp::exit_reason::shutdown());
      case how::stops_with_boom: return otpp::stop(boom());
      default: return 5;
    }
  }
  int handle_call(counter::get, int& n) { return n; }
};

asio::awaitable<void> start_and_stop() {
  auto server =
      co_await otpp::start<starter>(otpp::named("start-abandon"), how::works, journal(), happened());
  co_await otpp::call<starter::ask>(server);
  co_await server.stop();
}

} // namespace

TEST_CASE("start: completes when init has returned", "[start]") {
  run([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    journal said;
    event go_on;
    auto starting = in_background(executor, otpp::start<starter>(how::works, said, go_on));
    co_await until([&] { return go_on.is_awaited(); });
    co_await some_steps();
    CHECK_FALSE(starting.is_done());
    go_on.happen();
    auto server = co_await starting.get();
    CHECK(said.text() == "init ready");
    co_await server.stop();
  });
}

TEST_CASE("start: leaves nothing behind wherever it ends", "[start]") {
  run(start_and_stop);
  std::size_t steps = abandon_at_every_step(start_and_stop);
  CHECK(steps > 1);
}

TEST_CASE("start: what is sent to the name during init is handled after it", "[start]") {
  run([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    journal said;
    event go_on;
    auto starting =
        in_background(executor, otpp::start<starter>(otpp::named("start-early"), how::works, said, go_on));
    co_await until([&] { return go_on.is_awaited(); });
    co_await otpp::cast<starter::note>("start-early", "one");
    co_await otpp::send<starter::note>("start-early", "two");
    pending<int> answer;
    otpp::call<starter::ask>("start-early", answer.token());
    std::error_code error = co_await code_of(otpp::call_for<starter::ask>("start-early", 1ms));
    CHECK(error == otpp::errc::timeout); // its time runs during init
    CHECK(said.text() == "init");
    go_on.happen();
    auto server = co_await starting.get();
    int asked = co_await answer.get();
    CHECK(asked == 1);
    co_await server.stop();
    CHECK(said.text() == "init ready one info-two ask ask terminate");
  });
}

TEST_CASE("start: who called a server whose init fails hears why", "[start]") {
  run([]() -> asio::awaitable<void> {
    crash_log reports;
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    journal said;
    event go_on;
    auto starting = in_background(
        executor, otpp::start<starter>(otpp::named("start-early"), how::throws_later, said, go_on));
    co_await until([&] { return go_on.is_awaited(); });
    pending<int> answer;
    otpp::call<starter::ask>("start-early", answer.token());
    go_on.happen();
    otpp::error error = co_await error_of(answer.get());
    std::exception_ptr failure = co_await failure_of(starting.get());
    CHECK(error.code() == otpp::errc::exited);
    CHECK(text_of(error.reason().exception()) == "boom");
    CHECK(text_of(failure) == "boom");
    CHECK(said.text() == "init ready");
  });
}

TEST_CASE("start: a name that is taken: init is not run, and the old server stays", "[start]") {
  run([]() -> asio::awaitable<void> {
    journal first;
    journal second;
    auto server = co_await otpp::start<starter>(otpp::named("start-taken"), how::works, first, happened());
    std::error_code error =
        co_await code_of(otpp::start<starter>(otpp::named("start-taken"), how::works, second, happened()));
    CHECK(error == otpp::errc::name_taken);
    CHECK(second.text().empty());
    std::optional<otpp::server_ref<starter>> found = otpp::whereis<starter>("start-taken");
    REQUIRE(found.has_value());
    CHECK(*found == server);
    int answer = co_await otpp::call<starter::ask>("start-taken");
    CHECK(answer == 1);
    co_await server.stop();
  });
}

TEST_CASE("start: a name of no bytes, or of more than 255, is refused", "[start]") {
  run([]() -> asio::awaitable<void> {
    for (std::size_t length : {0u, 256u, 1000000u}) {
      journal said;
      std::exception_ptr failure = co_await failure_of(
          otpp::start<starter>(otpp::named(std::string(length, 'n')), how::works, said, happened()));
      CHECK_THROWS_AS(std::rethrow_exception(failure), std::invalid_argument);
      CHECK(said.text().empty());
    }
    auto server = co_await otpp::start<counter>(otpp::named(std::string(255, 'n')), 3);
    int answer = co_await otpp::call<counter::get>(std::string(255, 'n'));
    CHECK(answer == 3);
    co_await server.stop();
  });
}

namespace {

// Starts, which must fail as expected, and looks around at once.
asio::awaitable<void> fail_to_start(otpp::options options, how what) {
  journal said;
  std::exception_ptr failure =
      co_await failure_of(otpp::start<starter>(std::move(options), what, said, happened()));
  CHECK_FALSE(otpp::whereis<starter>("start-fails"));
  CHECK(said.text() == (what == how::throws ? "init" : "init ready"));
  switch (what) {
    case how::throws:
    case how::throws_later:
    case how::stops_with_boom: CHECK_THROWS_AS(std::rethrow_exception(failure), boom); break;
    case how::ignores: try { std::rethrow_exception(failure);
      } catch (const otpp::error& error) {
        CHECK(error.code() == otpp::errc::ignored);
      }
      break;
    default: try { std::rethrow_exception(failure);
      } catch (const otpp::error& error) {
        CHECK(error.code() == otpp::errc::exited);
        CHECK(
            error.reason() ==
            (what == how::stops ? otpp::exit_reason::shutdown() : otpp::exit_reason::killed()));
      }
  }
}

} // namespace

TEST_CASE("start: a failed start says why, frees the name, and can be repeated", "[start]") {
  for (how what :
       {how::throws, how::throws_later, how::ignores, how::stops, how::stops_with_boom,
        how::fails_by_reason}) {
    CAPTURE(static_cast<int>(what));
    crash_log reports;
    run([what]() -> asio::awaitable<void> {
      for (int time = 0; time != 5; ++time) {
        co_await fail_to_start(otpp::named("start-fails"), what);
        co_await fail_to_start(otpp::options(), what);
      }
      journal said;
      auto server = co_await otpp::start<starter>(otpp::named("start-fails"), how::works, said, happened());
      co_await server.stop();
      CHECK(said.text() == "init ready terminate");
    });
    CHECK(reports.texts().empty()); // start's own caller has been told
  }
}

TEST_CASE("start: an init that is a plain function fails in the same ways", "[start]") {
  run([]() -> asio::awaitable<void> {
    for (int time = 0; time != 5; ++time) {
      std::exception_ptr failure =
          co_await failure_of(otpp::start<plain_starter>(otpp::named("start-plain"), how::throws));
      CHECK_THROWS_AS(std::rethrow_exception(failure), boom);
      failure =
          co_await failure_of(otpp::start<plain_starter>(otpp::named("start-plain"), how::stops_with_boom));
      CHECK_THROWS_AS(std::rethrow_exception(failure), boom);
      std::error_code error =
          co_await code_of(otpp::start<plain_starter>(otpp::named("start-plain"), how::ignores));
      CHECK(error == otpp::errc::ignored);
      error = co_await code_of(otpp::start<plain_starter>(otpp::named("start-plain"), how::stops));
      CHECK(error == otpp::errc::exited);
      CHECK_FALSE(otpp::whereis<plain_starter>("start-plain"));
    }
    auto server = co_await otpp::start<plain_starter>(otpp::named("start-plain"), how::works);
    int answer = co_await otpp::call<counter::get>(server);
    CHECK(answer == 5);
    co_await server.stop();
  });
}

TEST_CASE("start: a hundred that ignore leave no name", "[start]") {
  run([]() -> asio::awaitable<void> {
    for (int time = 0; time != 100; ++time) {
      std::error_code error =
          co_await code_of(otpp::start<plain_starter>(otpp::named("start-ignored"), how::ignores));
      REQUIRE(error == otpp::errc::ignored);
      REQUIRE_FALSE(otpp::whereis<plain_starter>("start-ignored"));
    }
  });
}

TEST_CASE("start: a stop during init is handled after it", "[start]") {
  run([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    journal said;
    event go_on;
    auto starting =
        in_background(executor, otpp::start<starter>(otpp::named("start-stopped"), how::works, said, go_on));
    co_await until([&] { return go_on.is_awaited(); });
    std::optional<otpp::server_ref<starter>> found = otpp::whereis<starter>("start-stopped");
    REQUIRE(found.has_value());
    pending<> stopped;
    found->stop(stopped.token());
    co_await some_steps();
    CHECK_FALSE(stopped.is_done());
    go_on.happen();
    auto server = co_await starting.get();
    co_await stopped.get();
    CHECK(said.text() == "init ready terminate");
    CHECK(server.has_ended());
    CHECK_FALSE(otpp::whereis<starter>("start-stopped"));
  });
}

TEST_CASE("start: a stop during an init that fails reports that", "[start]") {
  run([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    journal said;
    event go_on;
    auto starting = in_background(
        executor, otpp::start<starter>(otpp::named("start-stopped"), how::throws_later, said, go_on));
    co_await until([&] { return go_on.is_awaited(); });
    std::optional<otpp::server_ref<starter>> found = otpp::whereis<starter>("start-stopped");
    REQUIRE(found.has_value());
    pending<> stopped;
    found->stop(stopped.token());
    pending<otpp::exit_reason> joined;
    found->join(joined.token());
    go_on.happen();
    otpp::error error = co_await error_of(stopped.get());
    otpp::exit_reason why = co_await joined.get();
    std::exception_ptr failure = co_await failure_of(starting.get());
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason() == why);
    CHECK(why.exception() == failure);
    CHECK(said.text() == "init ready");
  });
}

TEST_CASE("start: who cancels the start cancels an init that waits", "[start]") {
  for (auto type : {asio::cancellation_type::terminal, asio::cancellation_type::total}) {
    run([type]() -> asio::awaitable<void> {
      asio::any_io_executor executor = co_await asio::this_coro::executor;
      journal said;
      event never;
      asio::cancellation_signal cancel;
      pending<> starting;
      asio::co_spawn(
          executor,
          [](journal into, event go_on) -> asio::awaitable<void> {
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            co_await otpp::start<starter>(otpp::named("start-cancelled"), how::works, into, go_on);
          }(said, never),
          asio::bind_cancellation_slot(cancel.slot(), starting.token()));
      co_await until([&] { return never.is_awaited(); });
      cancel.emit(type);
      std::error_code error = co_await starting.code();
      CHECK(error == asio::error::operation_aborted);
      CHECK_FALSE(never.is_awaited());
      CHECK_FALSE(otpp::whereis<starter>("start-cancelled"));
      CHECK(said.text() == "init");
      auto server =
          co_await otpp::start<starter>(otpp::named("start-cancelled"), how::works, said, happened());
      co_await server.stop();
    });
  }
}

TEST_CASE("start: arguments are kept until init has them", "[start]") {
  struct reader {
    std::string init(std::string text, std::unique_ptr<int> n) { return text + std::to_string(*n); }
    std::size_t handle_call(counter::get, std::string& text) { return text.size(); }
  };
  run([]() -> asio::awaitable<void> {
    auto number = std::make_unique<int>(7);
    auto starting = otpp::start<reader>(
        std::string("an argument that is long enough to be on the heap"), std::move(number));
    auto server = co_await std::move(starting);
    int size = co_await otpp::call<counter::get>(server);
    CHECK(size == 50);
    co_await server.stop();
  });
}

namespace {

// A state that can do nothing but be where it is.
struct rooted {
  explicit rooted(int n) : number(n) {}
  rooted(const rooted&) = delete;
  rooted& operator=(const rooted&) = delete;
  int number;
  const rooted* self = this;
};

struct tree {
  struct where {
    using reply_type = const void*;
  };
  rooted init(int n) { return rooted(n); }
  const void* handle_call(where, rooted& state) { return state.self == &state ? &state : nullptr; }
};

// Data members of the callbacks class, and coroutines with locals of their own.
struct slow_adder {
  struct add {
    std::shared_ptr<int> n;
    using reply_type = int;
  };
  asio::awaitable<int> handle_call(add m, int& sum) {
    std::shared_ptr<int> mine = m.n;
    auto twice = [mine, &sum]() -> asio::awaitable<int> {
      std::shared_ptr<int> inner = mine;
      co_await asio::post(asio::use_awaitable);
      sum += *inner;
      co_await asio::post(asio::use_awaitable);
      sum += *inner;
      co_return sum;
    };
    auto work = twice();
    int result = co_await std::move(work);
    co_return result;
  }
  int init() { return 0; }
};

struct over_aligned {
  struct alignas(64) block {
    explicit block(int n) : number(n) {}
    int number;
  };
  struct put {
    int n;
    using reply_type = bool;
  };
  block init() { return block(1); }
  bool handle_call(put m, block& state) {
    state.number = m.n;
    return reinterpret_cast<std::uintptr_t>(&state) % 64 == 0;
  }
};

} // namespace

TEST_CASE("start: the state never moves, and need not be movable", "[start]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<tree>(1);
    const void* first = co_await otpp::call<tree::where>(server);
    const void* second = co_await otpp::call<tree::where>(server);
    CHECK(first != nullptr);
    CHECK(first == second);
    co_await server.stop();
  });
}

TEST_CASE("start: a state with a large alignment gets it", "[start]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<over_aligned>();
    for (int n = 0; n != 5; ++n) {
      bool is_aligned = co_await otpp::call<over_aligned::put>(server, n);
      CHECK(is_aligned);
    }
    co_await server.stop();
  });
}

TEST_CASE("start: handlers are given by type, and are coroutines with captures of their own", "[start]") {
  auto number = std::make_shared<int>(4);
  auto body = [number]() -> asio::awaitable<void> {
    std::optional<otpp::server_ref<slow_adder>> kept;
    {
      auto server = co_await otpp::start<slow_adder>();
      kept = server;
    }
    int first = co_await otpp::call<slow_adder::add>(*kept, number);
    int second = co_await otpp::call<slow_adder::add>(*kept, number);
    CHECK(first == 8);
    CHECK(second == 16);
    co_await kept->stop();
  };
  run(body);
  CHECK(abandon_at_every_step(body) > 1);
  CHECK(number.use_count() == 2); // here and in the body
}

TEST_CASE("start: a server runs where the options say", "[start]") {
  struct traveler {
    struct where {
      using reply_type = std::thread::id;
    };
    int init() { return 0; }
    std::thread::id handle_call(where, int&) { return std::this_thread::get_id(); }
  };
  asio::thread_pool pool(1);
  run([&pool]() -> asio::awaitable<void> {
    auto here = co_await otpp::start<traveler>();
    auto there = co_await otpp::start<traveler>(otpp::options().on(pool.get_executor()));
    std::thread::id near = co_await otpp::call<traveler::where>(here);
    std::thread::id far = co_await otpp::call<traveler::where>(there);
    std::thread::id again = co_await otpp::call<traveler::where>(there);
    CHECK(near == std::this_thread::get_id());
    CHECK(far != near);
    CHECK(far == again);
    co_await there.stop();
    co_await here.stop();
    CHECK(near == std::this_thread::get_id());
  });
  pool.join();
}

TEST_CASE("start: a handler starts a server beside its own", "[start]") {
  struct parent {
    struct breed {
      using reply_type = otpp::server_ref<counter>;
    };
    int init() { return 0; }
    asio::awaitable<otpp::server_ref<counter>> handle_call(breed, int& count) {
      auto child = co_await otpp::start<counter>(++count);
      int number = co_await otpp::call<counter::get>(child);
      CHECK(number == count);
      co_return child;
    }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<parent>();
    auto first = co_await otpp::call<parent::breed>(server);
    auto second = co_await otpp::call<parent::breed>(server);
    co_await server.stop();
    int one = co_await otpp::call<counter::get>(first);
    int two = co_await otpp::call<counter::get>(second);
    CHECK(one == 1);
    CHECK(two == 2);
    co_await first.stop();
    co_await second.stop();
  });
}

TEST_CASE("start: a future of a start that fails throws what init threw", "[start]") {
  asio::io_context context;
  auto starting =
      otpp::start<plain_starter>(otpp::options().on(context.get_executor()), how::throws, asio::use_future);
  context.run();
  CHECK_THROWS_AS(starting.get(), boom);
}

namespace {

struct counted_life {
  counted_life() { ++alive; }
  ~counted_life() { --alive; }

  int init() { return 0; }

  static inline int alive = 0;
};

} // namespace

TEST_CASE("start: a start that has failed already is not cancelled, and leaves nothing", "[start]") {
  asio::io_context context;
  asio::cancellation_signal cancel;
  std::error_code said;
  auto first = []() -> asio::awaitable<void> { co_await otpp::start<counted_life>(otpp::named("one")); };
  auto second = [&]() -> asio::awaitable<void> {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    try {
      co_await otpp::start<counted_life>(otpp::named("one"));
    } catch (const otpp::error& error) {
      said = error.code();
    }
  };
  asio::co_spawn(context, first(), [](std::exception_ptr) {});
  context.run();
  context.restart();
  CHECK(counted_life::alive == 1);
  asio::co_spawn(context, second(), asio::bind_cancellation_slot(cancel.slot(), [](std::exception_ptr) {}));
  context.run_one(); // it has failed, and does not know yet
  cancel.emit(asio::cancellation_type::terminal);
  context.run();
  CHECK(said == otpp::errc::name_taken);
  CHECK(counted_life::alive == 1);
}
