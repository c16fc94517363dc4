// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/runtime/context_state.hpp> // the header under test comes first

#include <otpp/otpp.hpp>
#include <otpp/request/send_request.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/system_executor.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

std::atomic<int> states{0};
std::atomic<int> callbacks{0};
std::atomic<int> frames{0};
std::atomic<int> terminations{0};

// otpp::callers that are kept outside of every server.
struct shelf {
  std::mutex mutex;
  std::vector<otpp::caller<int>> callers;

  void put(otpp::caller<int> one) {
    std::lock_guard lock(mutex);
    callers.push_back(std::move(one));
  }
  std::vector<otpp::caller<int>> take() {
    std::lock_guard lock(mutex);
    return std::move(callers);
  }
  std::size_t size() {
    std::lock_guard lock(mutex);
    return callers.size();
  }
};

struct keeper {
  struct ask {
    using reply_type = int;
  }; // answered at once
  struct park {
    using reply_type = int;
  }; // kept in the state
  struct lend {
    shelf* to;
    using reply_type = int;
  }; // kept elsewhere
  struct linger {
    using reply_type = int;
  }; // with a coroutine that waits for an hour
  struct relay { // with a coroutine that asks another server
    std::optional<otpp::server_ref<keeper>> to;
    using reply_type = int;
  };
  struct wander {
    asio::io_context* to;
    using reply_type = int;
  }; // with a coroutine that ends elsewhere
  struct note {};

  struct state {
    counted_in alive{states};
    int asked = 0;
    std::vector<otpp::caller<int>> parked;
  };

  keeper() { ++callbacks; }
  keeper(const keeper&) = delete;
  keeper& operator=(const keeper&) = delete;
  ~keeper() { --callbacks; }

  state init() { return {}; }
  int handle_call(ask, state& s) { return ++s.asked; }
  void handle_call(park, otpp::caller<int> from, state& s) { s.parked.push_back(std::move(from)); }
  void handle_call(lend request, otpp::caller<int> from, state&) { request.to->put(std::move(from)); }
  asio::awaitable<int> handle_call(linger, state& s) {
    counted_in frame(frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
    co_return s.asked;
  }
  asio::awaitable<int> handle_call(relay request, state&) {
    counted_in frame(frames);
    int answer = -1;
    try {
      answer = co_await otpp::call<ask>(*request.to);
    } catch (const otpp::error&) {
      // The other's context is gone; this server goes on.
    }
    co_return answer;
  }
  asio::awaitable<int> handle_call(wander request, state& s) {
    counted_in frame(frames);
    co_await asio::post(asio::bind_executor(request.to->get_executor(), asio::use_awaitable));
    co_return ++s.asked;
  }
  void handle_cast(note, state& s) { ++s.asked; }
  void handle_info(note, state& s) { ++s.asked; }
  void terminate(const otpp::exit_reason&, state&) { ++terminations; }
};

using keeper_ref = otpp::server_ref<keeper>;

template <class M, class... Args>
asio::awaitable<void> ask(keeper_ref server, ending& how, Args... args) {
  counted_in frame(frames);
  std::exception_ptr error;
  try {
    int answer = co_await otpp::call_for<M>(server, otpp::infinite, args...);
    how.value = answer;
  } catch (...) {
    error = std::current_exception();
  }
  how.write(error);
}

asio::awaitable<void> open_keeper(std::optional<keeper_ref>& opened, otpp::options how) {
  keeper_ref server = co_await otpp::start<keeper>(std::move(how));
  opened.emplace(server);
}

// Starts a server on a context that nobody runs now.
keeper_ref keeper_on(asio::io_context& context, otpp::options how = {}) {
  std::optional<keeper_ref> opened;
  std::exception_ptr failure;
  asio::co_spawn(
      context, open_keeper(opened, std::move(how)), [&](std::exception_ptr error) { failure = error; });
  settle(context);
  if (failure) {
    std::rethrow_exception(failure);
  }
  REQUIRE(opened);
  return *opened;
}

void check_nothing_is_left() {
  CHECK(states == 0);
  CHECK(callbacks == 0);
  CHECK(frames == 0);
}

// A server whose context is destroyed, and two callers on another one: the first is with the server
// as M has it, the second waits in the mailbox behind it or, where M does not hold the server up, with it.
template <class M, class... Args>
void abandon_a_server_with_callers(Args... args) {
  terminations = 0;
  ending first;
  ending second;
  ending there;
  asio::io_context ours;
  {
    auto theirs = std::make_unique<asio::io_context>();
    keeper_ref server = keeper_on(*theirs, otpp::named("context_state f05"));
    asio::co_spawn(ours, ask<M>(server, first, args...), forget);
    asio::co_spawn(*theirs, ask<M>(server, there, args...), forget);
    settle(*theirs, ours);
    asio::co_spawn(ours, ask<M>(server, second, args...), forget);
    settle(*theirs, ours);
    REQUIRE(first.times == 0);
    REQUIRE(second.times == 0);

    theirs.reset();

    CHECK(states == 0);
    CHECK_FALSE(otpp::whereis<keeper>("context_state f05"));
    CHECK(first.times == 0); // not inside of the destructor, but on its own executor
    settle(ours);
    CHECK(server.has_ended());
  }
  CHECK(first.times == 1);
  CHECK(first.code == otpp::errc::exited);
  CHECK(first.reason == otpp::exit_reason::killed());
  CHECK(second.times == 1);
  CHECK(second.code == otpp::errc::exited);
  CHECK(there.times == 0); // destroyed, with its frame
  CHECK(frames == 0);
  CHECK(terminations == 0);
}

} // namespace

TEST_CASE("context_state: a caller of a parked call learns that the context is gone", "[context_state]") {
  abandon_a_server_with_callers<keeper::park>();
  check_nothing_is_left();
}

TEST_CASE(
    "context_state: callers of a suspended handler, and queued behind it, learn that the context is gone",
    "[context_state]") {
  abandon_a_server_with_callers<keeper::linger>();
  check_nothing_is_left();
}

TEST_CASE(
    "context_state: a caller whose otpp::caller lies elsewhere learns that the context is gone",
    "[context_state]") {
  shelf kept;
  abandon_a_server_with_callers<keeper::lend>(&kept);

  for (otpp::caller<int>& from : kept.take()) {
    CHECK_FALSE(from.is_waiting());
    CHECK_FALSE(from.reply(1));
  }
  check_nothing_is_left();
}

TEST_CASE("context_state: a call that was sent and never seen is answered", "[context_state]") {
  ending how;
  ending stopped;
  ending joined;
  asio::io_context ours;
  {
    asio::io_context theirs;
    keeper_ref server = keeper_on(theirs);
    asio::co_spawn(ours, ask<keeper::ask>(server, how), forget);
    server.stop(asio::bind_executor(ours, [&](std::exception_ptr error) { stopped.write(error); }));
    server.join(asio::bind_executor(ours, [&](std::exception_ptr error, otpp::exit_reason why) {
      joined.reason = why;
      joined.write(error);
    }));
    settle(ours);
  }
  settle(ours);

  CHECK(how.times == 1);
  CHECK(how.code == otpp::errc::exited);
  CHECK(stopped.times == 1);
  CHECK(stopped.code == otpp::errc::exited);
  CHECK(stopped.reason == otpp::exit_reason::killed());
  CHECK(joined.times == 1);
  CHECK_FALSE(joined.code);
  CHECK(joined.reason == otpp::exit_reason::killed());
  check_nothing_is_left();
}

namespace {

struct sleepy_start {
  asio::awaitable<int> init() {
    counted_in frame(frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
    co_return 0;
  }
};

asio::awaitable<void> start_sleepy(asio::io_context& where, ending& how) {
  counted_in frame(frames);
  std::exception_ptr error;
  try {
    otpp::options place = otpp::named("context_state sleepy").on(where.get_executor());
    auto server = co_await otpp::start<sleepy_start>(place);
    how.value = static_cast<int>(server.id());
  } catch (...) {
    error = std::current_exception();
  }
  how.write(error);
}

} // namespace

TEST_CASE("context_state: a start on a context that goes away is answered", "[context_state]") {
  ending how;
  asio::io_context ours;
  {
    asio::io_context theirs;
    asio::co_spawn(ours, start_sleepy(theirs, how), forget);
    settle(theirs, ours);
    REQUIRE(how.times == 0);
    REQUIRE(otpp::whereis<sleepy_start>("context_state sleepy"));
  }
  settle(ours);

  CHECK(how.times == 1);
  CHECK(how.code == otpp::errc::exited);
  CHECK_FALSE(otpp::whereis<sleepy_start>("context_state sleepy"));
  CHECK(frames == 0);
}

TEST_CASE("context_state: a caller's context goes while its server answers", "[context_state]") {
  std::minstd_rand random(11);
  {
    asio::io_context theirs;
    auto work = asio::make_work_guard(theirs);
    std::thread server_thread([&] { theirs.run(); });
    std::future<keeper_ref> started =
        otpp::start<keeper>(otpp::options().on(theirs.get_executor()), asio::use_future);
    keeper_ref server = started.get();

    std::atomic<int> too_often{0};
    for (int round = 0; round != 1000; ++round) {
      std::array<ending, 4> hows;
      {
        asio::io_context ours;
        for (ending& how : hows) {
          asio::co_spawn(ours, ask<keeper::ask>(server, how), forget);
        }
        for (auto steps = random() % 12; steps != 0; --steps) {
          ours.poll_one();
        }
      }
      for (ending& how : hows) {
        too_often += how.times > 1 ? 1 : 0;
        too_often += how.code ? 1 : 0;
      }
    }

    std::future<void> stopped = server.stop(asio::use_future);
    CHECK_NOTHROW(stopped.get());
    work.reset();
    server_thread.join();
    CHECK(too_often == 0);
  }
  check_nothing_is_left();
}

TEST_CASE(
    "context_state: a caller's context goes while another thread answers its otpp::caller",
    "[context_state]") {
  std::minstd_rand random(12);
  asio::io_context theirs;
  keeper_ref server = keeper_on(theirs);
  int too_often = 0;
  std::atomic<bool> go{false};
  std::atomic<bool> finished{false};
  std::atomic<int> answering{0};
  shelf kept;
  std::thread replier([&] {
    while (!finished) {
      if (!go) {
        std::this_thread::yield();
        continue;
      }
      for (otpp::caller<int>& from : kept.take()) {
        from.reply(1);
      }
      go = false;
    }
  });
  for (int round = 0; round != 1000; ++round) {
    std::array<ending, 3> hows;
    {
      asio::io_context ours;
      for (ending& how : hows) {
        asio::co_spawn(ours, ask<keeper::lend>(server, how, &kept), forget);
      }
      settle(theirs, ours);
      go = true;
      for (auto spins = random() % 2000; spins != 0; --spins) {
        std::atomic_signal_fence(std::memory_order_seq_cst);
      }
      ours.restart();
      for (auto steps = random() % 4; steps != 0; --steps) {
        ours.poll_one();
      }
    }
    while (go) {
      std::this_thread::yield();
    }
    for (ending& how : hows) {
      too_often += how.times > 1 ? 1 : 0;
    }
    answering += static_cast<int>(kept.size());
  }
  finished = true;
  replier.join();
  CHECK(too_often == 0);
  CHECK(answering == 0);
  CHECK(frames == 0);
}

TEST_CASE("context_state: a handler on its way home when its context goes", "[context_state]") {
  asio::io_context elsewhere;
  ending how;
  {
    asio::io_context ours;
    keeper_ref server = keeper_on(ours);
    otpp::call_for<keeper::wander>(
        server, otpp::infinite, &elsewhere,
        asio::bind_executor(elsewhere, [&](std::exception_ptr error, int) { how.write(error); }));
    settle(ours);
    CHECK(frames == 1);
    settle(elsewhere); // where the handler ends
    CHECK(how.times == 0);
  }
  settle(elsewhere);
  CHECK(how.times == 1);
  CHECK(how.code == otpp::errc::exited);
  check_nothing_is_left();
}

namespace {

// A callback without an executor. When it is asked for its cancellation slot, the server's context is held by
// its initiation, and nothing has been sent: then the context begins to go.
struct asked_while_it_goes {
  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const {
    begin_to_go();
    return {};
  }
  template <class... Answer>
  void operator()(std::exception_ptr error, Answer&&...) {
    how->write(error);
  }

  std::function<void()> begin_to_go;
  ending* how;
  counted_in alive;
};

} // namespace

TEST_CASE("context_state: what ends at once while its context begins to go", "[context_state]") {
  enum class what { call, stop, wait_for_response, size };
  for (int which = 0; which != static_cast<int>(what::size); ++which) {
    CAPTURE(which);
    ending how;
    std::atomic<int> alive{0};
    auto ours = std::make_unique<asio::io_context>();
    keeper_ref server = keeper_on(*ours);
    auto request = otpp::send_request<keeper::ask>(server);
    settle(*ours); // it is answered
    otpp::detail::intrusive_ptr<otpp::detail::context_state> room =
        otpp::detail::context_state::of(ours->get_executor());
    std::thread destroyer;
    auto begin_to_go = [&] {
      destroyer = std::thread([&] { ours.reset(); });
      while (room->enter()) {
        room->leave();
        std::this_thread::yield();
      }
    };
    asked_while_it_goes handler{begin_to_go, &how, counted_in(alive)};
    switch (static_cast<what>(which)) {
      case what::call: otpp::call_for<keeper::ask>(server, -1ms, std::move(handler)); break;
      case what::stop: server.stop(otpp::exit_reason::normal(), -1ms, std::move(handler)); break;
      default: request.wait(std::move(handler));
    }
    destroyer.join();
    CHECK(how.times == 0); // gone with its context
    // The test's own, moved from, and none besides.
    CHECK(alive == 1);
  }
  check_nothing_is_left();
}

// The executors that callers were on outlive their context, each for itself (AddressSanitizer's).
TEST_CASE("context_state: callers of a context that is gone are let go in any order", "[context_state]") {
  std::array<std::size_t, 3> order = {0, 1, 2};
  do {
    asio::io_context theirs;
    keeper_ref server = keeper_on(theirs);
    shelf kept;
    std::array<ending, 3> hows;
    {
      asio::io_context ours;
      for (ending& how : hows) {
        otpp::call_for<keeper::lend>(
            server, otpp::infinite, &kept,
            asio::bind_executor(
                asio::make_strand(ours), [&](std::exception_ptr error, int) { how.write(error); }));
      }
      settle(theirs);
    }
    std::vector<otpp::caller<int>> callers = kept.take();
    REQUIRE(callers.size() == hows.size());
    for (std::size_t which : order) {
      otpp::caller<int> from = std::move(callers[which]);
      CHECK_FALSE(from.reply(1));
    }
    for (ending& how : hows) {
      CHECK(how.times == 0); // gone with its context
    }
  } while (std::next_permutation(order.begin(), order.end()));
  check_nothing_is_left();
}

TEST_CASE("context_state: an answer waits for a context that was stopped", "[context_state]") {
  asio::io_context theirs;
  asio::io_context ours;
  keeper_ref server = keeper_on(theirs);
  ending how;
  asio::co_spawn(ours, ask<keeper::ask>(server, how), forget);
  ours.poll();
  ours.stop();

  settle(theirs);
  CHECK(ours.run() == 0);
  CHECK(how.times == 0);

  ours.restart();
  ours.run();
  CHECK(how.times == 1);
  CHECK(how.value == 1);
}

TEST_CASE("context_state: an answer for a stopped context goes with it", "[context_state]") {
  ending how;
  {
    asio::io_context theirs;
    keeper_ref server = keeper_on(theirs);
    {
      asio::io_context ours;
      asio::co_spawn(ours, ask<keeper::ask>(server, how), forget);
      ours.poll();
      ours.stop();
      settle(theirs);
    }
    CHECK(how.times == 0);
    CHECK(frames == 0);
  }
  check_nothing_is_left();
}

namespace {

// Two contexts, which may be one, with everything on them that there is: servers, calls in every
// stage, timers, both ways.
struct world {
  explicit world(bool is_one)
      : a(std::make_shared<asio::io_context>()), b(is_one ? a : std::make_shared<asio::io_context>()) {
    asio::co_spawn(*a, fill(*this, *a, "a", "b", a_calls_b), forget);
    asio::co_spawn(*b, fill(*this, *b, "b", "a", b_calls_a), forget);
  }

  // Runs one handler. False if none is ready.
  bool step() {
    for (int attempt = 0; attempt != 2; ++attempt) {
      turn_of_a = !turn_of_a;
      auto& context = turn_of_a ? a : b;
      if (!context) {
        continue;
      }
      context->restart();
      if (context->poll_one() != 0) {
        return true;
      }
    }
    return false;
  }

  using endings = std::deque<std::unique_ptr<ending>>;

  static asio::awaitable<void> wait_long() {
    counted_in frame(frames);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
  }

  template <class M, class... Args>
  void spawn(asio::io_context& where, endings& list, keeper_ref server, Args... args) {
    list.push_back(std::make_unique<ending>());
    asio::co_spawn(where, ask<M>(server, *list.back(), args...), forget);
  }

  // Starts a server for the other context, and then one for its own callers, whom it fills with calls
  // to both.
  static asio::awaitable<void> fill(
      world& self, asio::io_context& here, std::string my_name, std::string their_name,
      endings& calls_there) {
    counted_in frame(frames);
    asio::co_spawn(here, wait_long(), forget);
    keeper_ref visited = co_await otpp::start<keeper>(otpp::named(my_name).in(self.names));
    keeper_ref mine = co_await otpp::start<keeper>();
    keeper_ref theirs = co_await otpp::wait_for_name<keeper>(their_name, otpp::infinite, self.names);
    self.spawn<keeper::park>(here, self.local, mine);
    self.spawn<keeper::park>(here, calls_there, theirs);
    self.spawn<keeper::lend>(here, self.local, mine, &self.kept);
    self.spawn<keeper::lend>(here, calls_there, theirs, &self.kept);
    self.spawn<keeper::relay>(here, calls_there, theirs, std::optional<keeper_ref>(mine));
    self.spawn<keeper::linger>(here, calls_there, theirs);
    self.spawn<keeper::ask>(here, calls_there, theirs); // queued behind it, as are the next
    self.spawn<keeper::relay>(here, self.local, mine, std::optional<keeper_ref>(theirs));
    co_await otpp::cast<keeper::note>(theirs);
    int answer = co_await otpp::call<keeper::ask>(theirs);
    self.local.front()->value = answer;
  }

  otpp::registry names;
  shelf kept;
  endings local;
  endings a_calls_b;
  endings b_calls_a;
  bool turn_of_a = false;
  std::shared_ptr<asio::io_context> a;
  std::shared_ptr<asio::io_context> b;
};

void check_all_exited(const world::endings& calls) {
  for (const auto& how : calls) {
    CHECK(how->times == 1);
    bool is_gone = how->code == otpp::errc::exited || how->code == otpp::errc::no_process;
    CHECK((is_gone || !how->code));
  }
}

} // namespace

TEST_CASE("context_state: one context destroyed after every handler", "[context_state]") {
  terminations = 0;
  std::size_t steps = 0;
  bool more = true;
  for (; more; ++steps) {
    {
      world w(true);
      for (std::size_t k = 0; k != steps && more; ++k) {
        more = w.step();
      }
      w.a.reset();
      w.b.reset();
      CHECK(w.names.names().empty());
    }
    check_nothing_is_left();
  }
  CHECK(terminations == 0);
  CHECK(steps > 5);
}

TEST_CASE("context_state: two contexts destroyed after every handler, in both orders", "[context_state]") {
  terminations = 0;
  bool a_first = GENERATE(true, false);
  bool run_between = GENERATE(true, false);
  std::size_t steps = 0;
  bool more = true;
  for (; more; ++steps) {
    {
      world w(false);
      for (std::size_t k = 0; k != steps && more; ++k) {
        more = w.step();
      }
      (a_first ? w.a : w.b).reset();
      if (run_between) {
        while (w.step()) {
        }
        check_all_exited(a_first ? w.b_calls_a : w.a_calls_b);
      }
      (a_first ? w.b : w.a).reset();
      CHECK(w.names.names().empty());
    }
    check_nothing_is_left();
  }
  CHECK(terminations == 0);
  CHECK(steps > 5);
}

TEST_CASE("context_state: a handle and a name outlive the context", "[context_state]") {
  otpp::registry names;
  std::optional<keeper_ref> kept;
  {
    asio::io_context theirs;
    kept = keeper_on(theirs, otpp::named("context_state f31"));
    otpp::register_name("private", *kept, names);
  }

  CHECK(kept->has_ended());
  CHECK_FALSE(otpp::try_cast<keeper::note>(*kept));
  CHECK_FALSE(otpp::try_send<keeper::note>(*kept));
  CHECK_FALSE(otpp::try_cast<keeper::note>(otpp::server_name<keeper>("context_state f31")));
  CHECK_FALSE(otpp::whereis<keeper>("context_state f31"));
  CHECK_FALSE(otpp::whereis<keeper>("private", names));
  CHECK_THROWS_AS(otpp::register_name("again", *kept, names), otpp::error);
  std::future<int> answer = otpp::call<keeper::ask>(*kept, asio::use_future);
  std::future<void> cast = otpp::cast<keeper::note>(*kept, asio::use_future);
  std::future<void> sent = otpp::send<keeper::note>(*kept, asio::use_future);
  std::future<void> stopped = kept->stop(asio::use_future);
  std::future<otpp::exit_reason> joined = kept->join(asio::use_future);
  std::vector<std::error_code> codes;
  auto note = [&](auto& future) {
    try {
      future.get();
      codes.push_back({});
    } catch (...) {
      codes.push_back(code_of(std::current_exception()));
    }
  };
  note(answer);
  note(cast);
  note(sent);
  note(stopped);
  CHECK(codes == std::vector<std::error_code>(4, otpp::errc::no_process));
  CHECK(joined.get() == otpp::exit_reason::killed());
  kept.reset();
  check_nothing_is_left();
}

TEST_CASE("context_state: a registry may go before the servers in it", "[context_state]") {
  asio::io_context theirs;
  auto names = std::make_unique<otpp::registry>();
  keeper_ref server = keeper_on(theirs, otpp::named("short").in(*names));
  names.reset();

  ending how;
  asio::co_spawn(theirs, ask<keeper::ask>(server, how), forget);
  settle(theirs);
  CHECK(how.value == 1);
}

TEST_CASE("context_state: a server cannot be started on a context that is gone", "[context_state]") {
  // Destroyed by the context's destructor, with the handler that holds it, when the room is closed.
  struct late_starter {
    asio::io_context& where;
    std::error_code& result;
    ~late_starter() {
      otpp::options place = otpp::named("context_state late").on(where.get_executor());
      std::future<keeper_ref> started = otpp::start<keeper>(place, asio::use_future);
      try {
        started.get();
      } catch (...) {
        result = code_of(std::current_exception());
      }
    }
  };
  std::error_code code;
  {
    asio::io_context theirs;
    keeper_on(theirs); // makes the room
    asio::post(theirs, [last = std::make_shared<late_starter>(theirs, code)] {});
  }
  CHECK(code == otpp::errc::no_process);
  CHECK_FALSE(otpp::whereis<keeper>("context_state late"));
  check_nothing_is_left();
}

TEST_CASE("context_state: a call from a context that is gone is dropped", "[context_state]") {
  // As above, but it is the caller's context that goes.
  struct late_caller {
    asio::io_context& where;
    keeper_ref server;
    int& completed;
    std::shared_ptr<int> held;
    ~late_caller() {
      auto count = [&completed = completed, held = held](std::exception_ptr, int) { ++completed; };
      otpp::call<keeper::ask>(server, asio::bind_executor(where.get_executor(), std::move(count)));
    }
  };
  asio::io_context ours;
  keeper_ref server = keeper_on(ours);
  int completed = 0;
  auto held = std::make_shared<int>();
  {
    asio::io_context theirs;
    keeper_on(theirs); // makes the room
    asio::post(theirs, [last = std::make_shared<late_caller>(theirs, server, completed, held)] {});
  }
  CHECK(held.use_count() == 1);
  settle(ours);
  CHECK(completed == 0);
}

namespace {

struct uncounted {
  struct note {};
  int init() { return 0; }
  void handle_cast(note, int& notes) { ++notes; }
};

// Destroyed with the program's statics, long after the contexts of its servers.
struct last_word {
  std::optional<otpp::server_ref<uncounted>> server;
  otpp::registry names;

  ~last_word() {
    if (!server) {
      return;
    }
    bool taken = otpp::try_cast<uncounted::note>(*server);
    bool found = otpp::whereis<uncounted>("context_state f32") || otpp::whereis<uncounted>("f32", names);
    if (taken || found || !server->has_ended()) {
      std::fputs("context_state: a static handle reached a server that is gone\n", stderr);
      std::abort();
    }
  }
};

asio::awaitable<void> keep_for_ever(last_word& kept) {
  auto server = co_await otpp::start<uncounted>(otpp::named("context_state f32"));
  otpp::register_name("f32", server, kept.names);
  kept.server = server;
}

last_word static_handle;

} // namespace

TEST_CASE("context_state: a static handle outlives everything", "[context_state]") {
  asio::io_context theirs;
  asio::co_spawn(theirs, keep_for_ever(static_handle), forget);
  settle(theirs);
  REQUIRE(static_handle.server);
  CHECK(otpp::try_cast<uncounted::note>(*static_handle.server));
}

TEST_CASE("context_state: idle servers do not keep run() from returning", "[context_state]") {
  asio::io_context context;
  std::vector<keeper_ref> servers;
  for (int n = 0; n != 3; ++n) {
    servers.push_back(keeper_on(context));
  }
  ending how;
  asio::co_spawn(context, ask<keeper::ask>(servers[0], how), forget);
  auto before = clock_type::now();
  context.restart();
  context.run();
  CHECK(clock_type::now() - before < 1s);
  CHECK(how.times == 1);
  CHECK_FALSE(servers[0].has_ended());
}

TEST_CASE("context_state: a call in progress keeps run() until it is answered", "[context_state]") {
  asio::io_context theirs;
  asio::io_context ours;
  keeper_ref server = keeper_on(theirs);
  shelf kept;
  ending how;
  asio::co_spawn(ours, ask<keeper::lend>(server, how, &kept), forget);
  settle(theirs, ours);
  REQUIRE(kept.size() == 1);

  ours.restart();
  CHECK(ours.run_for(5ms) == 0);
  CHECK_FALSE(ours.stopped());

  kept.take().front().reply(1);
  auto before = clock_type::now();
  ours.restart();
  ours.run();
  CHECK(clock_type::now() - before < 1s);
  CHECK(how.times == 1);
}

TEST_CASE("context_state: a call within one context keeps run() too", "[context_state]") {
  asio::io_context context;
  keeper_ref server = keeper_on(context);
  shelf kept;
  ending how;
  asio::co_spawn(context, ask<keeper::lend>(server, how, &kept), forget);
  context.restart();
  context.run_for(5ms);
  CHECK_FALSE(context.stopped());
  REQUIRE(kept.size() == 1);
  std::thread replier([one = kept.take()]() mutable { one.front().reply(1); });
  context.restart();
  context.run();
  replier.join();
  CHECK(how.times == 1);
}

namespace {

template <class M>
asio::awaitable<void> ask_shortly(keeper_ref server, otpp::duration patience, ending& how) {
  std::exception_ptr error;
  try {
    int answer = co_await otpp::call_for<M>(server, patience);
    how.value = answer;
  } catch (...) {
    error = std::current_exception();
  }
  how.write(error);
}

} // namespace

TEST_CASE("context_state: a call that timed out lets run() go at once", "[context_state]") {
  asio::io_context theirs;
  asio::io_context ours;
  keeper_ref server = keeper_on(theirs);
  ending how;
  asio::co_spawn(ours, ask_shortly<keeper::park>(server, 1ms, how), forget);
  auto before = clock_type::now();
  ours.run();
  CHECK(clock_type::now() - before < 1s);
  CHECK(how.times == 1);
  CHECK(how.code == otpp::errc::timeout);
  settle(theirs); // the message is handled all the same
  CHECK(how.times == 1);
}

TEST_CASE("context_state: a call that was cancelled lets run() go at once", "[context_state]") {
  asio::io_context theirs;
  asio::io_context ours;
  keeper_ref server = keeper_on(theirs);
  asio::cancellation_signal signal;
  ending how;
  asio::co_spawn(
      ours, ask_shortly<keeper::park>(server, 1h, how), asio::bind_cancellation_slot(signal.slot(), forget));
  asio::post(ours, [&] { signal.emit(asio::cancellation_type::terminal); });
  auto before = clock_type::now();
  ours.run();
  CHECK(clock_type::now() - before < 1s);
  CHECK(how.times == 1);
  CHECK(how.code == asio::error::operation_aborted);
}

TEST_CASE("context_state: timeouts of calls that were answered do not linger", "[context_state]") {
  asio::io_context theirs;
  asio::io_context ours;
  keeper_ref server = keeper_on(theirs);
  std::array<ending, 100> hows;
  for (std::size_t n = 0; n != hows.size(); ++n) {
    asio::co_spawn(ours, ask_shortly<keeper::ask>(server, (n % 2) ? 5s : 1h, hows[n]), forget);
  }
  std::thread server_thread([&] {
    auto work = asio::make_work_guard(theirs);
    theirs.restart();
    theirs.run();
  });
  auto before = clock_type::now();
  ours.run();
  auto took = clock_type::now() - before;
  theirs.stop();
  server_thread.join();
  CHECK(took < 1s);
  int answered = 0;
  for (ending& how : hows) {
    answered += how.times == 1 && !how.code ? 1 : 0;
  }
  CHECK(answered == 100);
}

// ---- any executor ----

namespace {

// A context and an executor of a user's own, with as little in them as Asio allows.
class plain_context : public asio::execution_context {
 public:
  plain_context() : thread_([this] { work(); }) {}
  ~plain_context() {
    {
      std::lock_guard lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
    thread_.join();
    queue_.clear();
    shutdown();
    destroy();
  }

  struct job {
    virtual ~job() = default;
    virtual void run() = 0;
  };

  void submit(std::unique_ptr<job> one) {
    {
      std::lock_guard lock(mutex_);
      queue_.push_back(std::move(one));
    }
    changed_.notify_one();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return finished_ || !queue_.empty(); });
      if (finished_) {
        return;
      }
      std::unique_ptr<job> next = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      next->run();
      next.reset();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<job>> queue_;
  bool finished_ = false;
  std::thread thread_;
};

class plain_executor {
 public:
  explicit plain_executor(plain_context& context, std::shared_ptr<int> held = nullptr) noexcept
      : context_(&context), held_(std::move(held)) {}

  plain_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  plain_executor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

  template <class Function>
  void execute(Function&& function) const {
    using function_type = std::decay_t<Function>;
    struct function_job final : plain_context::job {
      explicit function_job(Function&& f) : function(std::forward<Function>(f)) {}
      void run() override { std::move(function)(); }
      function_type function;
    };
    context_->submit(std::make_unique<function_job>(std::forward<Function>(function)));
  }

  friend bool operator==(const plain_executor& a, const plain_executor& b) noexcept {
    return a.context_ == b.context_;
  }
  [[maybe_unused]] friend bool operator!=(const plain_executor& a, const plain_executor& b) noexcept {
    return !(a == b);
  }

 private:
  plain_context* context_;
  std::shared_ptr<int> held_;
};

// Counts without an atomic, and notices whoever comes in while another is inside.
struct till {
  struct pay {
    using reply_type = int;
  };
  struct pay_slowly {
    using reply_type = int;
  };
  struct tip {};
  struct overlaps {
    using reply_type = int;
  };

  struct state {
    int sum = 0;
    std::atomic<int> inside{0};
    int overlaps = 0;
    explicit state(int start) : sum(start) {}
  };

  struct visit {
    explicit visit(state& s) : inside(s.inside) { s.overlaps += inside++ == 0 ? 0 : 1; }
    ~visit() { --inside; }
    std::atomic<int>& inside;
  };

  std::unique_ptr<state> init() { return std::make_unique<state>(0); }
  int handle_call(pay, std::unique_ptr<state>& s) {
    visit here(*s);
    return ++s->sum;
  }
  asio::awaitable<int> handle_call(pay_slowly, std::unique_ptr<state>& s) {
    visit here(*s);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 0ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_await asio::post(executor, asio::use_awaitable);
    co_return ++s->sum;
  }
  void handle_cast(tip, std::unique_ptr<state>& s) {
    visit here(*s);
    ++s->sum;
  }
  int handle_call(overlaps, std::unique_ptr<state>& s) { return s->overlaps; }
};

asio::awaitable<void> customer(otpp::server_ref<till> server, int rounds, std::atomic<int>& done) {
  for (int n = 0; n != rounds; ++n) {
    co_await otpp::call<till::pay>(server);
    co_await otpp::call<till::pay_slowly>(server);
    co_await otpp::cast<till::tip>(server);
    ++done;
  }
}

// Starts a server on `executor`, and customers beside it. Runs `work` until they have gone.
template <class Work>
void trade_on(const asio::any_io_executor& executor, Work work) {
  constexpr int rounds = 50;
  std::atomic<int> done{0};
  std::atomic<int> left{4};
  auto gone = [&](std::exception_ptr) { --left; };
  std::future<otpp::server_ref<till>> started =
      otpp::start<till>(otpp::options().on(executor), asio::use_future);
  work([&] { return started.wait_for(0s) == std::future_status::ready; });
  otpp::server_ref<till> server = started.get();
  for (int n = 0; n != 4; ++n) {
    asio::co_spawn(executor, customer(server, rounds, done), gone);
  }
  work([&] { return left == 0; });
  CHECK(done == 4 * rounds);
  std::future<int> sum = otpp::call<till::pay>(server, asio::use_future);
  std::future<int> overlaps = otpp::call<till::overlaps>(server, asio::use_future);
  work([&] { return overlaps.wait_for(0s) == std::future_status::ready; });
  CHECK(sum.get() == 4 * rounds * 3 + 1);
  CHECK(overlaps.get() == 0);
  std::future<void> stopped = server.stop(asio::use_future);
  work([&] { return stopped.wait_for(0s) == std::future_status::ready; });
  CHECK_NOTHROW(stopped.get());
}

} // namespace

TEST_CASE("context_state: a server on an io_context", "[context_state]") {
  asio::io_context context;
  trade_on(context.get_executor(), [&](auto finished) {
    bool in_time = eventually([&] {
      context.restart();
      context.poll();
      return finished();
    });
    REQUIRE(in_time);
  });
}

TEST_CASE("context_state: a server on an io_context with four threads", "[context_state]") {
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  std::vector<std::thread> threads;
  for (int n = 0; n != 4; ++n) {
    threads.emplace_back([&] { context.run(); });
  }
  bool in_time = true;
  trade_on(context.get_executor(), [&](auto finished) { in_time = in_time && eventually(finished); });
  work.reset();
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(in_time);
}

TEST_CASE("context_state: a server on a thread_pool", "[context_state]") {
  asio::thread_pool pool(4);
  bool in_time = true;
  trade_on(pool.get_executor(), [&](auto finished) { in_time = in_time && eventually(finished); });
  CHECK(in_time);
  pool.join();
}

TEST_CASE("context_state: a server on a strand of a thread_pool", "[context_state]") {
  asio::thread_pool pool(4);
  bool in_time = true;
  trade_on(asio::make_strand(pool), [&](auto finished) { in_time = in_time && eventually(finished); });
  CHECK(in_time);
  pool.join();
}

TEST_CASE("context_state: a server on a strand of an io_context", "[context_state]") {
  asio::io_context context;
  trade_on(asio::make_strand(context), [&](auto finished) {
    bool in_time = eventually([&] {
      context.restart();
      context.poll();
      return finished();
    });
    REQUIRE(in_time);
  });
}

TEST_CASE("context_state: a server on the system executor", "[context_state]") {
  bool in_time = true;
  trade_on(asio::system_executor(), [&](auto finished) { in_time = in_time && eventually(finished); });
  CHECK(in_time);
}

TEST_CASE("context_state: a server on an executor of the user's own", "[context_state]") {
  plain_context context;
  bool in_time = true;
  trade_on(plain_executor(context), [&](auto finished) { in_time = in_time && eventually(finished); });
  CHECK(in_time);
}

TEST_CASE("context_state: no executor outlives its context, though a handle does", "[context_state]") {
  auto held = std::make_shared<int>();
  std::optional<keeper_ref> server;
  {
    plain_context theirs;
    otpp::options place = otpp::options().on(plain_executor(theirs, held));
    server = otpp::start<keeper>(place, asio::use_future).get();
    place = {};
    CHECK(held.use_count() > 1);
  }
  CHECK(held.use_count() == 1);
  CHECK(server->has_ended());
}

TEST_CASE("context_state: a thread_pool is stopped with a server at work", "[context_state]") {
  for (int round = 0; round != 200 / slowdown; ++round) {
    std::array<ending, 4> hows;
    asio::io_context ours;
    {
      asio::thread_pool pool(2);
      std::future<keeper_ref> started =
          otpp::start<keeper>(otpp::options().on(pool.get_executor()), asio::use_future);
      keeper_ref server = started.get();
      asio::co_spawn(pool, ask<keeper::relay>(server, hows[0], std::optional(server)), forget);
      asio::co_spawn(ours, ask<keeper::ask>(server, hows[1]), forget);
      asio::co_spawn(ours, ask<keeper::linger>(server, hows[2]), forget);
      asio::co_spawn(ours, ask<keeper::ask>(server, hows[3]), forget);
      ours.poll();
      pool.stop();
      pool.join();
    }
    settle(ours);
    CHECK(hows[1].times == 1);
    CHECK(hows[2].times == 1);
    CHECK(hows[2].code == otpp::errc::exited);
    CHECK(hows[3].times == 1);
    check_nothing_is_left();
  }
}

TEST_CASE("context_state: nothing completes inside the function that starts it", "[context_state]") {
  asio::io_context theirs;
  keeper_ref server = keeper_on(theirs);
  std::atomic<int> completed{0};
  bool inside = true;
  bool was_inside = false;
  auto note = [&](std::exception_ptr, auto&&...) {
    was_inside = was_inside || inside;
    ++completed;
  };
  // From a handler of the very context, where everything that may complete at once would.
  asio::post(theirs, [&] {
    otpp::call<keeper::ask>(server, asio::bind_executor(theirs, note));
    otpp::call<keeper::ask>(otpp::server_name<keeper>("nobody"), asio::bind_executor(theirs, note));
    otpp::cast<keeper::note>(server, asio::bind_executor(theirs, note));
    otpp::send<keeper::note>(server, asio::bind_executor(theirs, note));
    server.join(asio::bind_executor(theirs, [&, note](std::exception_ptr e, otpp::exit_reason) { note(e); }));
    server.stop(asio::bind_executor(theirs, note));
    inside = false;
  });
  settle(theirs);
  CHECK_FALSE(was_inside);
  CHECK(completed == 6);
}

TEST_CASE("context_state: a handler on the system executor runs elsewhere", "[context_state]") {
  asio::io_context theirs;
  keeper_ref server = keeper_on(theirs);
  std::thread::id here = std::this_thread::get_id();
  std::promise<std::thread::id> ran_on;
  std::future<std::thread::id> where = ran_on.get_future();
  otpp::call<keeper::ask>(server, asio::bind_executor(asio::system_executor(), [&](std::exception_ptr, int) {
                            ran_on.set_value(std::this_thread::get_id());
                          }));
  settle(theirs);
  REQUIRE(where.wait_for(10s) == std::future_status::ready);
  CHECK(where.get() != here);
}

// ---- three contexts, three threads ----

namespace {

struct ledger {
  struct entry {
    int from;
    int seq;
    using reply_type = bool;
  };
  struct line {
    int from;
    int seq;
  };
  using state = std::vector<int>;

  state init(int senders) { return std::vector<int>(static_cast<std::size_t>(senders), 0); }
  bool handle_call(entry e, state& last) { return in_order(e.from, e.seq, last); }
  void handle_cast(line e, state& last) {
    if (!in_order(e.from, e.seq, last)) {
      last[static_cast<std::size_t>(e.from)] = -1'000'000'000;
    }
  }

 private:
  static bool in_order(int from, int seq, state& last) {
    return std::exchange(last[static_cast<std::size_t>(from)], seq) == seq - 1;
  }
};

struct clerk_result {
  std::atomic<int> disorder{0};
  std::atomic<int> misplaced{0};
  std::atomic<int> done{0};
};

asio::awaitable<void> clerk(
    otpp::server_ref<ledger> server, int from, std::thread::id home, int rounds, clerk_result& result) {
  int seq = 0;
  for (int n = 0; n != rounds; ++n) {
    ++seq;
    co_await otpp::cast<ledger::line>(server, from, seq);
    ++seq;
    bool ordered = co_await otpp::call<ledger::entry>(server, from, seq);
    result.disorder += ordered ? 0 : 1;
    result.misplaced += std::this_thread::get_id() == home ? 0 : 1;
  }
  ++result.done;
}

} // namespace

TEST_CASE("context_state: callers on other contexts keep their order and their thread", "[context_state]") {
  constexpr int rounds = 2000 / slowdown;
  clerk_result result;
  asio::io_context theirs;
  auto work = asio::make_work_guard(theirs);
  std::thread server_thread([&] { theirs.run(); });
  std::future<otpp::server_ref<ledger>> started =
      otpp::start<ledger>(otpp::options().on(theirs.get_executor()), 6, asio::use_future);
  otpp::server_ref<ledger> server = started.get();

  std::vector<std::thread> threads;
  for (int t = 0; t != 2; ++t) {
    threads.emplace_back([&, t] {
      asio::io_context ours;
      for (int n = 0; n != 3; ++n) {
        asio::co_spawn(ours, clerk(server, t * 3 + n, std::this_thread::get_id(), rounds, result), forget);
      }
      ours.run();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  theirs.stop();
  server_thread.join();
  CHECK(result.done == 6);
  CHECK(result.disorder == 0);
  CHECK(result.misplaced == 0);
}

// ---- races of two threads ----

namespace {

asio::awaitable<void> ask_until_it_is_gone(keeper_ref server, std::atomic<int>& bad, std::atomic<int>& left) {
  while (true) {
    std::error_code code;
    try {
      co_await otpp::call<keeper::ask>(server);
    } catch (const std::system_error& e) {
      code = e.code();
    }
    if (code) {
      bad += code == otpp::errc::exited || code == otpp::errc::no_process ? 0 : 1;
      break;
    }
  }
  --left;
}

} // namespace

TEST_CASE(
    "context_state: a server's context goes while another thread asks to be called back", "[context_state]") {
  // A handler without an executor is run on the server's, which must be there to be asked for.
  for (int round = 0; round != 100; ++round) {
    std::optional<asio::io_context> theirs(std::in_place);
    keeper_ref server = keeper_on(*theirs);
    std::atomic<bool> has_begun{false};
    std::thread caller([&] {
      has_begun = true;
      for (int n = 0; n != 30; ++n) {
        otpp::call_for<keeper::ask>(server, otpp::infinite, forget);
      }
    });
    while (!has_begun) {
      std::this_thread::yield();
    }
    theirs.reset();
    caller.join();
  }
  // Those that came too late hear of it on the system's threads, and hold the server until then.
  CHECK(eventually([] { return callbacks == 0; }));
  check_nothing_is_left();
}

TEST_CASE("context_state: a server's context goes while another thread calls", "[context_state]") {
  std::minstd_rand random(13);
  {
    asio::io_context ours;
    auto work = asio::make_work_guard(ours);
    std::thread callers([&] { ours.run(); });
    std::atomic<int> bad{0};
    bool in_time = true;
    for (int round = 0; round != 1000 && in_time; ++round) {
      std::atomic<int> left{3};
      {
        asio::io_context theirs;
        keeper_ref server = keeper_on(theirs);
        for (int n = 0; n != 3; ++n) {
          asio::co_spawn(ours, ask_until_it_is_gone(server, bad, left), forget);
        }
        theirs.restart();
        for (auto steps = random() % 16; steps != 0; --steps) {
          theirs.poll_one();
          theirs.restart();
        }
      }
      in_time = eventually([&] { return left == 0; });
    }
    work.reset();
    in_time ? void() : ours.stop();
    callers.join();
    CHECK(in_time);
    CHECK(bad == 0);
  }
  check_nothing_is_left();
}

TEST_CASE("context_state: a server's context goes while another thread answers", "[context_state]") {
  std::minstd_rand random(14);
  shelf kept;
  int bad = 0;
  for (int round = 0; round != 1000; ++round) {
    std::array<ending, 2> hows;
    asio::io_context ours;
    std::thread replier;
    {
      asio::io_context theirs;
      keeper_ref server = keeper_on(theirs);
      for (ending& how : hows) {
        asio::co_spawn(ours, ask<keeper::lend>(server, how, &kept), forget);
      }
      settle(theirs, ours);
      replier = std::thread([callers = kept.take(), drop = random() % 2]() mutable {
        for (otpp::caller<int>& from : callers) {
          if (drop) {
            otpp::caller<int> dropped(std::move(from));
          } else {
            from.reply(1);
          }
        }
      });
      for (auto spins = random() % 30000; spins != 0; --spins) {
        std::atomic_signal_fence(std::memory_order_seq_cst);
      }
    }
    replier.join();
    settle(ours);
    for (ending& how : hows) {
      bool fits = !how.code || how.code == otpp::errc::exited || how.code == otpp::errc::no_reply;
      bad += how.times == 1 && fits ? 0 : 1;
    }
  }
  CHECK(bad == 0);
  check_nothing_is_left();
}

TEST_CASE("context_state: a server's context goes while another thread starts and stops", "[context_state]") {
  std::minstd_rand random(15);
  for (int round = 0; round != 300; ++round) {
    std::atomic<bool> go{false};
    std::vector<std::future<void>> stops;
    {
      auto theirs = std::make_unique<asio::io_context>();
      keeper_ref one = keeper_on(*theirs);
      keeper_ref two = keeper_on(*theirs, otpp::named("context_state race"));
      std::thread other([&] {
        while (!go) {
        }
        stops.push_back(one.stop(asio::use_future));
        otpp::unregister_name("context_state race");
        stops.push_back(two.stop(asio::use_future));
        otpp::try_cast<keeper::note>(two);
      });
      go = true;
      theirs->restart();
      for (auto steps = random() % 6; steps != 0; --steps) {
        theirs->poll_one();
        theirs->restart();
      }
      theirs.reset();
      other.join();
    }
    int completed = 0;
    for (std::future<void>& stop : stops) {
      completed += stop.wait_for(10s) == std::future_status::ready ? 1 : 0;
    }
    REQUIRE(completed == 2);
    CHECK_FALSE(otpp::whereis<keeper>("context_state race"));
  }
  check_nothing_is_left();
}
