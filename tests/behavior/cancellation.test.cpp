// SPDX-License-Identifier: BSL-1.0

// Per-operation cancellation of every verb, at every stage, with every type of cancellation.

#include <otpp/otpp.hpp>
#include <otpp/process.hpp>
#include <otpp/supervisor.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"

namespace {

using namespace std::chrono_literals;
using type = asio::cancellation_type;
using clock_type = std::chrono::steady_clock;

std::atomic<int> frames{0};
std::atomic<int> letters{0};
std::atomic<int> states{0};

struct desk {
  struct ask {
    using reply_type = int;
  };
  struct park {
    using reply_type = int;
  };
  struct linger {
    using reply_type = int;
  }; // with a coroutine that waits until `release`
  struct answer_all {
    using reply_type = int;
  }; // how many of them still waited
  struct is_waited_for {
    using reply_type = bool;
  };
  struct last_letter {
    using reply_type = int;
  };
  struct release {};
  struct letter {
    explicit letter(int n) : number(n) {}
    int number;
    counted_in alive{letters};
  };

  struct state {
    counted_in alive{states};
    int answered = 0;
    int last = 0;
    std::vector<otpp::caller<int>> parked;
    std::shared_ptr<asio::steady_timer> gate;
  };

  state init(std::shared_ptr<asio::steady_timer> gate) {
    state made;
    made.gate = std::move(gate);
    return made;
  }
  int handle_call(ask, state& s) { return ++s.answered; }
  void handle_call(park, otpp::caller<int> from, state& s) { s.parked.push_back(std::move(from)); }
  asio::awaitable<int> handle_call(linger, state& s) {
    counted_in frame(frames);
    try {
      co_await s.gate->async_wait(asio::use_awaitable);
    } catch (const std::system_error&) {
      // The gate is opened by cancelling the timer.
    }
    co_return ++s.answered;
  }
  int handle_call(answer_all, state& s) {
    int waited = 0;
    for (otpp::caller<int>& from : s.parked) {
      waited += from.reply(1) ? 1 : 0;
    }
    s.parked.clear();
    return waited;
  }
  bool handle_call(is_waited_for, state& s) { return s.parked.back().is_waiting(); }
  int handle_call(last_letter, state& s) { return s.last; }
  void handle_cast(letter m, state& s) { s.last = m.number; }
  void handle_info(letter m, state& s) { s.last = m.number; }
};

using desk_ref = otpp::server_ref<desk>;

// A server, a context to run it, and one cancellable operation.
struct office {
  asio::io_context context;
  std::shared_ptr<asio::steady_timer> gate = std::make_shared<asio::steady_timer>(context, 1h);
  asio::cancellation_signal signal;
  ending how;
  std::optional<desk_ref> opened;

  explicit office(std::size_t limit = 0) {
    asio::co_spawn(context, open(*this, limit), forget);
    settle(context);
    REQUIRE(opened);
  }

  static asio::awaitable<void> open(office& self, std::size_t limit) {
    otpp::options how = otpp::options().mailbox_limit(limit);
    desk_ref server = co_await otpp::start<desk>(how, self.gate);
    self.opened = server;
  }

  desk_ref server() const { return *opened; }

  // A completion handler that is cancelled by the signal and noted in `how`.
  auto token() {
    return asio::bind_cancellation_slot(
        signal.slot(),
        asio::bind_executor(context, [this](std::exception_ptr error, auto&&...) { how.write(error); }));
  }

  void open_gate() {
    gate->cancel();
    settle(context);
  }

  // Asks the server something that it can answer only if it is unharmed and free.
  template <class M = desk::ask>
  int ask() {
    std::future<typename M::reply_type> answer = otpp::call<M>(server(), asio::use_future);
    settle(context);
    REQUIRE(answer.wait_for(10s) == std::future_status::ready);
    return answer.get();
  }

  // The operation has been cancelled, and only that.
  void check_cancelled() {
    CHECK(how.times == 0); // not inside of emit
    settle(context);
    CHECK(how.times == 1);
    CHECK(how.code == asio::error::operation_aborted);
  }

  // Nothing is left to wait for.
  void check_run_returns() {
    auto before = clock_type::now();
    context.restart();
    context.run_for(5s);
    CHECK(context.stopped());
    CHECK(clock_type::now() - before < 1s);
    CHECK(how.times == 1);
  }
};

void check_nothing_is_left() {
  CHECK(frames == 0);
  CHECK(letters == 0);
  CHECK(states == 0);
}

} // namespace

TEST_CASE("cancellation: a call that nobody has seen yet", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  {
    office o;
    otpp::call<desk::ask>(o.server(), o.token());
    o.signal.emit(how);
    o.check_cancelled();
    CHECK(o.ask() == 2); // the message stayed, and was handled
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a call that waits behind another", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  {
    office o;
    otpp::call<desk::linger>(o.server(), asio::bind_executor(o.context, [](std::exception_ptr, int) {}));
    otpp::call<desk::ask>(o.server(), o.token());
    settle(o.context);
    REQUIRE(frames == 1);
    o.signal.emit(how);
    o.check_cancelled();
    o.open_gate();
    CHECK(o.ask() == 3);
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a call that is being handled", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  {
    office o;
    otpp::call<desk::linger>(o.server(), o.token());
    settle(o.context);
    REQUIRE(frames == 1);
    o.signal.emit(how);
    o.check_cancelled();
    CHECK(frames == 1); // the handler goes on: it is the caller who is cancelled
    o.open_gate();
    CHECK(frames == 0);
    CHECK(o.how.times == 1); // the late answer is harmless
    CHECK(o.ask() == 2);
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a call that is parked", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  {
    office o;
    otpp::call_for<desk::park>(o.server(), otpp::infinite, o.token());
    settle(o.context);
    CHECK(o.ask<desk::is_waited_for>());
    o.signal.emit(how);
    o.check_cancelled();
    CHECK_FALSE(o.ask<desk::is_waited_for>());
    CHECK(o.ask<desk::answer_all>() == 0);
    CHECK(o.ask() == 1);
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a call that waits for room in the mailbox", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  {
    office o(1);
    otpp::call<desk::linger>(o.server(), asio::bind_executor(o.context, [](std::exception_ptr, int) {}));
    settle(o.context);
    REQUIRE(frames == 1);
    otpp::call<desk::ask>(o.server(), asio::bind_executor(o.context, [](std::exception_ptr, int) {}));
    otpp::call<desk::ask>(o.server(), o.token()); // there is no room for this one
    settle(o.context);
    CHECK_FALSE(otpp::try_cast<desk::letter>(o.server(), 1));
    o.signal.emit(how);
    o.check_cancelled();
    o.open_gate();
    CHECK(o.ask() == 3); // linger, one ask, this: what was cancelled in line was not let in
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a cast and a send that wait for room in the mailbox", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  bool is_cast = GENERATE(true, false);
  {
    office o(1);
    otpp::call<desk::linger>(o.server(), asio::bind_executor(o.context, [](std::exception_ptr, int) {}));
    settle(o.context);
    REQUIRE(otpp::try_cast<desk::letter>(o.server(), 1));
    if (is_cast) {
      otpp::cast<desk::letter>(o.server(), 2, o.token());
    } else {
      otpp::send<desk::letter>(o.server(), 2, o.token());
    }
    settle(o.context);
    CHECK(o.how.times == 0);
    CHECK(letters == 2);
    o.signal.emit(how);
    o.check_cancelled();
    CHECK(letters == 1); // then nothing was sent
    o.open_gate();
    CHECK(o.ask<desk::last_letter>() == 1);
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: the first in line for room is cancelled, the second gets in", "[cancellation]") {
  {
    office o(1);
    ending second;
    otpp::call<desk::linger>(o.server(), asio::bind_executor(o.context, [](std::exception_ptr, int) {}));
    settle(o.context);
    REQUIRE(otpp::try_cast<desk::letter>(o.server(), 1));
    otpp::cast<desk::letter>(o.server(), 2, o.token());
    otpp::cast<desk::letter>(o.server(), 3, asio::bind_executor(o.context, [&](std::exception_ptr error) {
                               second.write(error);
                             }));
    settle(o.context);
    o.signal.emit(type::terminal);
    o.check_cancelled();
    CHECK(second.times == 0);
    o.open_gate();
    CHECK(second.times == 1);
    CHECK_FALSE(second.code);
    CHECK(o.ask<desk::last_letter>() == 3);
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a cast that was taken is not taken back", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  {
    office o;
    otpp::cast<desk::letter>(o.server(), 7, o.token());
    o.signal.emit(how);
    settle(o.context);
    CHECK(o.how.times == 1);
    CHECK_FALSE(o.how.code);
    CHECK(o.ask<desk::last_letter>() == 7);
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a wait for the end", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  {
    office o;
    o.server().join(o.token());
    settle(o.context);
    CHECK(o.how.times == 0);
    o.signal.emit(how);
    o.check_cancelled();
    CHECK_FALSE(o.server().has_ended());
    CHECK(o.ask() == 1);
    std::future<void> stopped = o.server().stop(asio::use_future);
    settle(o.context);
    CHECK_NOTHROW(stopped.get()); // with a watcher in its list that has given up
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a stop is cancelled, the server ends all the same", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  bool before_it_is_seen = GENERATE(true, false);
  {
    office o;
    if (!before_it_is_seen) {
      otpp::call<desk::linger>(o.server(), asio::bind_executor(o.context, [](std::exception_ptr, int) {}));
    }
    o.server().stop(o.token());
    if (!before_it_is_seen) {
      settle(o.context);
    }
    o.signal.emit(how);
    o.check_cancelled();
    o.open_gate();
    CHECK(o.server().has_ended());
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a wait for a name", "[cancellation]") {
  type how = GENERATE(type::terminal, type::partial, type::total);
  bool registry_goes_first = GENERATE(true, false);
  {
    office o;
    auto names = std::make_unique<otpp::registry>();
    std::error_code code;
    int completions = 0;
    asio::co_spawn(
        o.context,
        [](otpp::registry& in) -> asio::awaitable<void> {
          auto server = co_await otpp::wait_for_name<desk>("nobody", otpp::infinite, in);
          (void)server;
        }(*names),
        asio::bind_cancellation_slot(o.signal.slot(), [&](std::exception_ptr error) {
          code = code_of(error);
          ++completions;
        }));
    settle(o.context);
    CHECK(completions == 0);
    o.signal.emit(how);
    settle(o.context);
    // A coroutine of co_spawn lets only terminal cancellation through, unless it says otherwise.
    if (how == type::terminal) {
      CHECK(completions == 1);
      CHECK(code == asio::error::operation_aborted);
    } else {
      CHECK(completions == 0);
      o.signal.emit(type::terminal);
      settle(o.context);
      CHECK(completions == 1);
    }
    if (registry_goes_first) {
      names.reset();
    } else {
      otpp::register_name("nobody", o.server(), *names); // the name comes too late
      settle(o.context);
    }
    CHECK(completions == 1);
    o.how.times = 1;
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: what is answered already is not cancelled", "[cancellation]") {
  {
    office o;
    otpp::call<desk::park>(o.server(), o.token());
    settle(o.context);
    std::future<int> answered = otpp::call<desk::answer_all>(o.server(), asio::use_future);
    // One step at a time, until the server has answered and the caller has not been resumed, if there
    // is such a moment; then, or else afterwards, the signal comes too late.
    o.context.restart();
    while (answered.wait_for(0s) != std::future_status::ready && o.context.poll_one() != 0) {
    }
    settle(o.context);
    o.signal.emit(type::terminal);
    settle(o.context);
    CHECK(o.how.times == 1);
    CHECK_FALSE(o.how.code);
    o.check_run_returns();
  }
  check_nothing_is_left();
}

TEST_CASE("cancellation: a reply from another thread races the cancellation", "[cancellation]") {
  int won_by_reply = 0;
  int won_by_signal = 0;
  int wrong = 0;
  for (int round = 0; round != 2000 / slowdown; ++round) {
    asio::io_context context;
    asio::cancellation_signal signal;
    ending how;
    std::optional<otpp::caller<int>> kept;
    struct lender {
      struct lend {
        std::optional<otpp::caller<int>>* to;
        using reply_type = int;
      };
      int init() { return 0; }
      void handle_call(lend m, otpp::caller<int> from, int&) { m.to->emplace(std::move(from)); }
    };
    std::optional<otpp::server_ref<lender>> server;
    asio::co_spawn(
        context,
        [](std::optional<otpp::server_ref<lender>>& opened) -> asio::awaitable<void> {
          auto started = co_await otpp::start<lender>();
          opened = started;
        }(server),
        forget);
    settle(context);
    otpp::call<lender::lend>(
        *server, &kept,
        asio::bind_cancellation_slot(
            signal.slot(), asio::bind_executor(context, [&](std::exception_ptr error, int value) {
              how.value = value;
              how.write(error);
            })));
    settle(context);
    std::atomic<bool> go{false};
    bool reached = false;
    std::thread replier([&] {
      while (!go) {
      }
      reached = kept->reply(1);
    });
    go = true;
    for (int spin = 0; spin != (round % 100) * 10; ++spin) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    signal.emit(type::terminal);
    replier.join();
    settle(context);
    bool cancelled = how.code == asio::error::operation_aborted;
    wrong += how.times == 1 && cancelled != reached && (cancelled || how.value == 1) ? 0 : 1;
    (cancelled ? won_by_signal : won_by_reply) += 1;
    kept.reset();
  }
  CHECK(wrong == 0);
  CHECK(won_by_reply + won_by_signal == 2000 / slowdown);
}

// ---- start ----

namespace {

std::atomic<int> terminations{0};

struct slow_start {
  // Waits `steps` times; ends what it waits for when it is cancelled, as any coroutine does.
  asio::awaitable<int> init(int steps) {
    counted_in frame(frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (int n = 0; n != steps; ++n) {
      co_await asio::post(executor, asio::use_awaitable);
    }
    asio::steady_timer timer(executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
    co_return 1;
  }
  void terminate(const otpp::exit_reason&, int&) { ++terminations; }
};

struct stubborn_start {
  struct ask {
    using reply_type = int;
  };
  // Takes no notice of a cancellation.
  asio::awaitable<int> init() {
    co_await asio::this_coro::throw_if_cancelled(false);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    asio::error_code error;
    try {
      co_await timer.async_wait(asio::use_awaitable);
    } catch (const std::system_error&) {
      error = asio::error::operation_aborted;
    }
    co_return error ? 2 : 1;
  }
  int handle_call(ask, int& s) { return s; }
  void terminate(const otpp::exit_reason&, int&) { ++terminations; }
};

template <class Callbacks, class... Args>
asio::awaitable<void> start_named(std::optional<otpp::server_ref<Callbacks>>& opened, Args... args) {
  otpp::options how = otpp::named("cancellation start");
  auto server = co_await otpp::start<Callbacks>(how, args...);
  opened.emplace(server);
}

} // namespace

TEST_CASE("cancellation: a start ends with what its init throws, and its name is free", "[cancellation]") {
  int after = GENERATE(0, 1, 2, 3, 4, 5, 6, 7, 8);
  terminations = 0;
  asio::io_context context;
  asio::cancellation_signal signal;
  ending how;
  std::optional<otpp::server_ref<slow_start>> opened;
  bool name_was_free = false;
  asio::co_spawn(
      context, start_named(opened, 3),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr error) {
        name_was_free = !otpp::whereis<slow_start>("cancellation start");
        how.write(error);
      }));
  for (int step = 0; step != after; ++step) {
    context.poll_one();
  }
  signal.emit(type::terminal);
  auto before = clock_type::now();
  context.restart();
  context.run_for(5s);
  CHECK(context.stopped());
  CHECK(clock_type::now() - before < 1s);
  CHECK(how.times == 1);
  CHECK(how.code == asio::error::operation_aborted);
  CHECK(name_was_free);
  CHECK_FALSE(opened);
  CHECK(terminations == 0);
  CHECK(frames == 0);
}

TEST_CASE("cancellation: each type of cancellation reaches an init", "[cancellation]") {
  type kind = GENERATE(type::terminal, type::partial, type::total);
  asio::io_context context;
  asio::cancellation_signal signal;
  std::future<otpp::server_ref<slow_start>> started = otpp::start<slow_start>(
      otpp::named("cancellation start").on(context.get_executor()), 0,
      asio::bind_cancellation_slot(signal.slot(), asio::use_future));
  settle(context);
  REQUIRE(frames == 1);
  signal.emit(kind);
  settle(context);
  REQUIRE(started.wait_for(10s) == std::future_status::ready);
  std::error_code code;
  try {
    started.get();
  } catch (...) {
    code = code_of(std::current_exception());
  }
  CHECK(code == asio::error::operation_aborted);
  CHECK(frames == 0);
  CHECK_FALSE(otpp::whereis<slow_start>("cancellation start"));
}

TEST_CASE("cancellation: an init that takes no notice starts the server", "[cancellation]") {
  asio::io_context context;
  asio::cancellation_signal signal;
  std::optional<otpp::server_ref<stubborn_start>> opened;
  asio::co_spawn(
      context,
      [](std::optional<otpp::server_ref<stubborn_start>>& to) -> asio::awaitable<void> {
        co_await asio::this_coro::throw_if_cancelled(false);
        auto server = co_await otpp::start<stubborn_start>();
        to = server;
      }(opened),
      asio::bind_cancellation_slot(signal.slot(), forget));
  settle(context);
  REQUIRE_FALSE(opened);
  signal.emit(type::terminal);
  settle(context);
  REQUIRE(opened);
  std::future<int> answer = otpp::call<stubborn_start::ask>(*opened, asio::use_future);
  settle(context);
  CHECK(answer.get() == 2);
}

// ---- the state of the handlers' own coroutine ----

namespace {

struct nervous {
  struct nap {
    using reply_type = bool;
  };
  asio::awaitable<int> init() {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    try {
      co_await timer.async_wait(asio::use_awaitable);
    } catch (const std::system_error&) {
      // Cancelled, and starts all the same.
    }
    co_return 0;
  }
  // Would throw at once if the cancellation of the start were still in force.
  asio::awaitable<bool> handle_call(nap, int&) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 0ms);
    co_await timer.async_wait(asio::use_awaitable);
    asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() == type::none;
  }
};

} // namespace

TEST_CASE("cancellation: a cancelled start leaves no trace in later handlers", "[cancellation]") {
  asio::io_context context;
  asio::cancellation_signal signal;
  std::future<otpp::server_ref<nervous>> started = otpp::start<nervous>(
      otpp::options().on(context.get_executor()),
      asio::bind_cancellation_slot(signal.slot(), asio::use_future));
  settle(context);
  signal.emit(type::terminal);
  settle(context);
  REQUIRE(started.wait_for(10s) == std::future_status::ready);
  otpp::server_ref<nervous> server = started.get();
  std::future<bool> napped = otpp::call<nervous::nap>(server, asio::use_future);
  context.restart();
  context.run();
  CHECK(napped.get());
}

TEST_CASE("cancellation: a cancelled coroutine that calls is resumed once", "[cancellation]") {
  // terminal, the type that a coroutine lets through; in each stage of the call.
  int steps = GENERATE(0, 1, 2, 3, 4);
  {
    office o;
    auto body = [](desk_ref server) -> asio::awaitable<void> {
      counted_in frame(frames);
      int answer = co_await otpp::call_for<desk::park>(server, otpp::infinite);
      (void)answer;
    };
    asio::co_spawn(
        o.context, body(o.server()),
        asio::bind_cancellation_slot(
            o.signal.slot(), [&o](std::exception_ptr error) { o.how.write(error); }));
    for (int step = 0; step != steps; ++step) {
      o.context.restart();
      o.context.poll_one();
    }
    o.signal.emit(type::terminal);
    settle(o.context);
    CHECK(o.how.times == 1);
    CHECK(o.how.code == asio::error::operation_aborted);
    CHECK(frames == 0);
    CHECK(o.ask<desk::answer_all>() == 0);
    o.check_run_returns();
  }
  check_nothing_is_left();
}

// ---- a handler that is on another executor when it is cancelled ----

namespace {

// Each handler goes on elsewhere, and ends there.
struct traveler {
  struct walk {
    asio::io_context* to;
  };
  struct stumble {
    asio::io_context* to;
  };
  struct linger {
    asio::io_context* to;
  };
  struct fetch {
    asio::io_context* to;
    using reply_type = int;
  };
  struct visit {
    asio::io_context* to;
    using reply_type = void;
  };
  struct borrow {
    asio::io_context* to;
    using reply_type = int;
  };

  int init() { return 0; }

  static asio::awaitable<void> go_to(asio::io_context& to) {
    co_await asio::post(asio::bind_executor(to.get_executor(), asio::use_awaitable));
  }
  asio::awaitable<void> handle_cast(walk m, int&) {
    counted_in frame(frames);
    co_await go_to(*m.to);
  }
  asio::awaitable<void> handle_cast(stumble m, int&) {
    counted_in frame(frames);
    co_await go_to(*m.to);
    throw std::runtime_error("it stumbled");
  }
  // Its second wait is refused there, because it is cancelled.
  asio::awaitable<void> handle_cast(linger m, int&) {
    counted_in frame(frames);
    co_await go_to(*m.to);
    co_await go_to(*m.to);
  }
  asio::awaitable<int> handle_call(fetch m, int&) {
    counted_in frame(frames);
    co_await go_to(*m.to);
    co_return 7;
  }
  asio::awaitable<void> handle_call(visit m, int&) {
    counted_in frame(frames);
    co_await go_to(*m.to);
  }
  asio::awaitable<otpp::outcome<int>> handle_call(borrow m, otpp::caller<int> from, int&) {
    counted_in frame(frames);
    otpp::caller<int> kept = std::move(from);
    co_await go_to(*m.to);
    kept.reply(8);
    co_return otpp::no_reply;
  }
};

using traveler_ref = otpp::server_ref<traveler>;

// A server on one context, whose handler goes to another.
struct journey {
  asio::io_context home;
  asio::io_context elsewhere;
  std::optional<traveler_ref> server;
  ending joined;

  journey() {
    std::future<traveler_ref> started =
        otpp::start<traveler>(otpp::options().on(home.get_executor()), asio::use_future);
    settle(home);
    server = started.get();
    server->join(asio::bind_executor(home, [this](std::exception_ptr error, otpp::exit_reason why) {
      joined.reason = why;
      joined.write(error);
    }));
  }

  // The handler is elsewhere; its server is told to end, and then the handler returns.
  void end_while_it_is_away() {
    settle(home);
    REQUIRE(frames == 1);
    otpp::exit(*server, otpp::exit_reason::shutdown());
    settle(home);
    CHECK(joined.times == 0);
    settle(elsewhere);
    settle(home);
    CHECK(joined.times == 1);
    CHECK(frames == 0);
  }
};

} // namespace

TEST_CASE("cancellation: a handler that is cancelled elsewhere comes home, and its server ends") {
  journey j;
  SECTION("a cast that returns") {
    otpp::cast<traveler::walk>(*j.server, &j.elsewhere, asio::use_future);
    j.end_while_it_is_away();
  }
  SECTION("a cast that throws") {
    otpp::cast<traveler::stumble>(*j.server, &j.elsewhere, asio::use_future);
    j.end_while_it_is_away();
  }
  SECTION("a cast whose next wait is refused") {
    otpp::cast<traveler::linger>(*j.server, &j.elsewhere, asio::use_future);
    j.end_while_it_is_away();
  }
  SECTION("a call") {
    std::future<int> answer = otpp::call<traveler::fetch>(*j.server, &j.elsewhere, asio::use_future);
    j.end_while_it_is_away();
    REQUIRE(answer.wait_for(10s) == std::future_status::ready);
    CHECK(answer.get() == 7);
  }
  SECTION("a call without a value") {
    std::future<void> answer = otpp::call<traveler::visit>(*j.server, &j.elsewhere, asio::use_future);
    j.end_while_it_is_away();
    REQUIRE(answer.wait_for(10s) == std::future_status::ready);
    answer.get();
  }
  SECTION("a call with its caller") {
    std::future<int> answer = otpp::call<traveler::borrow>(*j.server, &j.elsewhere, asio::use_future);
    j.end_while_it_is_away();
    REQUIRE(answer.wait_for(10s) == std::future_status::ready);
    CHECK(answer.get() == 8);
  }
}

TEST_CASE("cancellation: a start that is cancelled while its init is elsewhere ends") {
  struct settler {
    asio::awaitable<int> init(asio::io_context* to) {
      counted_in frame(frames);
      co_await asio::post(asio::bind_executor(to->get_executor(), asio::use_awaitable));
      co_return 1;
    }
  };
  asio::io_context home;
  asio::io_context elsewhere;
  asio::cancellation_signal signal;
  std::future<otpp::server_ref<settler>> started = otpp::start<settler>(
      otpp::options().on(home.get_executor()), &elsewhere,
      asio::bind_cancellation_slot(signal.slot(), asio::use_future));
  settle(home);
  REQUIRE(frames == 1);
  signal.emit(type::terminal);
  settle(home);
  settle(elsewhere);
  settle(home);
  CHECK(frames == 0);
  REQUIRE(started.wait_for(10s) == std::future_status::ready);
  otpp::server_ref<settler> server = started.get(); // it took no notice
  CHECK_FALSE(server.has_ended());
}

TEST_CASE("cancellation: a spawned body that is stopped while it is elsewhere ends") {
  asio::io_context home;
  asio::io_context elsewhere;
  auto body = [](asio::io_context& to) -> asio::awaitable<void> {
    counted_in frame(frames);
    co_await asio::post(asio::bind_executor(to.get_executor(), asio::use_awaitable));
  };
  std::future<otpp::server_ref<otpp::spawned>> spawned =
      otpp::spawn(otpp::options().on(home.get_executor()), body(elsewhere), asio::use_future);
  settle(home);
  REQUIRE(frames == 1);
  otpp::server_ref<otpp::spawned> process = spawned.get();
  ending stopped;
  process.stop(asio::bind_executor(home, [&](std::exception_ptr error) { stopped.write(error); }));
  settle(home);
  CHECK(stopped.times == 0);
  settle(elsewhere);
  settle(home);
  CHECK(stopped.times == 1);
  CHECK(frames == 0);
}

TEST_CASE("cancellation: a supervisor shuts a child down whose handler is elsewhere") {
  struct computer {
    struct compute {};
    asio::io_context* to;
    int init(asio::io_context* other) {
      to = other;
      otpp::send_after<compute>(0ms, otpp::self<computer>());
      return 0;
    }
    asio::awaitable<void> handle_info(compute, int&) {
      counted_in frame(frames);
      co_await asio::post(asio::bind_executor(to->get_executor(), asio::use_awaitable));
    }
  };
  asio::io_context home;
  asio::io_context elsewhere;
  std::future<otpp::server_ref<otpp::supervisor>> started = otpp::start<otpp::supervisor>(
      otpp::options().on(home.get_executor()),
      otpp::supervisor_spec().add(otpp::child<computer>("computer", &elsewhere).shutdown(otpp::infinite)),
      asio::use_future);
  home.restart();
  while (frames == 0 && home.run_one_for(5s) != 0) {
  }
  settle(home);
  REQUIRE(frames == 1);
  otpp::server_ref<otpp::supervisor> top = started.get();
  ending stopped;
  top.stop(asio::bind_executor(home, [&](std::exception_ptr error) { stopped.write(error); }));
  settle(home);
  CHECK(stopped.times == 0);
  settle(elsewhere);
  settle(home);
  CHECK(stopped.times == 1);
  CHECK(frames == 0);
}

namespace {

// What its handlers do to their cancellation state, each in its own way.
struct stubborn {
  struct disable {};
  struct filter {};
  struct swallow {};
  struct fail {};
  struct wait {};

  int init() { return 0; }
  asio::awaitable<void> handle_cast(disable, int&) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  }
  asio::awaitable<void> handle_cast(filter, int&) {
    std::array<char, 100> more{}; // than the state had before
    auto nothing = [more](type) { return more[0] == 0 ? type::none : type::all; };
    co_await asio::this_coro::reset_cancellation_state(nothing, nothing);
  }
  asio::awaitable<void> handle_cast(swallow, int&) { co_await asio::this_coro::throw_if_cancelled(false); }
  asio::awaitable<void> handle_cast(wait, int&) {
    counted_in frame(frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    asio::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    co_await timer.async_wait(asio::use_awaitable); // throws at once, if it is as it should be
  }
};

template <class Message>
void check_that_the_next_handler_is_cancelled() {
  asio::io_context context;
  std::future<otpp::server_ref<stubborn>> started =
      otpp::start<stubborn>(otpp::options().on(context.get_executor()), asio::use_future);
  settle(context);
  otpp::server_ref<stubborn> server = started.get();
  otpp::cast<Message>(server, asio::use_future);
  otpp::cast<stubborn::wait>(server, asio::use_future);
  settle(context);
  REQUIRE(frames == 1);
  otpp::kill(server);
  settle(context);
  CHECK(frames == 0);
  CHECK(server.has_ended());
}

} // namespace

TEST_CASE("cancellation: what a handler does to its cancellation state ends with it") {
  SECTION("that disables it") { check_that_the_next_handler_is_cancelled<stubborn::disable>(); }
  SECTION("that filters it") { check_that_the_next_handler_is_cancelled<stubborn::filter>(); }
  SECTION("that asks not to throw") { check_that_the_next_handler_is_cancelled<stubborn::swallow>(); }
}

// ---- a handler that is on another thread ----

namespace {

// Leaves its state alone while it is away, as a handler that leaves its server has to.
struct clerk {
  struct state {
    counted_in alive{states};
    int computed = 0;
  };
  struct compute {
    asio::thread_pool* on;
    using reply_type = int;
  };
  struct compute_shielded {
    asio::thread_pool* on;
  };

  state init() { return {}; }

  asio::awaitable<int> handle_call(compute m, state& s) {
    counted_in frame(frames);
    co_await asio::post(asio::bind_executor(m.on->get_executor(), asio::use_awaitable));
    co_return s.computed;
  }

  static asio::awaitable<int> compute_there() {
    counted_in frame(frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor);
    for (int step = 0; step != 10; ++step) {
      timer.expires_after(5us);
      co_await timer.async_wait(asio::use_awaitable);
    }
    co_return 1;
  }
  // As docs/guarantees.md says: the handler waits at home, and only its helper is elsewhere.
  asio::awaitable<void> handle_cast(compute_shielded m, state& s) {
    int computed = co_await asio::co_spawn(
        *m.on, compute_there(), asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
    s.computed += computed;
  }
};

} // namespace

TEST_CASE("cancellation: a context goes while a handler is on another thread") {
  asio::thread_pool pool(1);
  for (int round = 0; round != 1000 / slowdown; ++round) {
    asio::io_context context;
    std::future<otpp::server_ref<clerk>> started =
        otpp::start<clerk>(otpp::options().on(context.get_executor()), asio::use_future);
    settle(context);
    otpp::call<clerk::compute>(started.get(), &pool, asio::bind_executor(context, forget));
    settle(context);
    for (int spin = 0; spin != (round % 50) * 20; ++spin) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
  }
  pool.join();
  check_nothing_is_left();
}

TEST_CASE("cancellation: a handler whose helper computes on a pool may be cancelled at any time") {
  asio::thread_pool pool(1);
  for (int round = 0; round != 200 / slowdown; ++round) {
    asio::io_context context;
    auto work = asio::make_work_guard(context);
    std::future<otpp::server_ref<clerk>> started =
        otpp::start<clerk>(otpp::options().on(context.get_executor()), asio::use_future);
    settle(context);
    otpp::server_ref<clerk> server = started.get();
    bool ended = false;
    server.join(asio::bind_executor(context, [&](std::exception_ptr, otpp::exit_reason) {
      ended = true;
      work.reset();
    }));
    otpp::cast<clerk::compute_shielded>(server, &pool, asio::bind_executor(context, forget));
    settle(context);
    for (int spin = 0; spin != (round % 50) * 200; ++spin) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    otpp::exit(server, otpp::exit_reason::shutdown());
    context.restart();
    context.run_for(10s);
    CHECK(ended);
  }
  pool.join();
  check_nothing_is_left();
}
