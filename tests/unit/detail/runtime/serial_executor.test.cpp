// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/runtime/serial_executor.hpp> // the header under test comes first
#include <otpp/detail/util/access.hpp>

#include <otpp/otpp.hpp>

#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/defer.hpp>
#include <asio/dispatch.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <future>
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

// What the handlers of one server, and their children, do not share with anybody: no atomics but those
// that notice when they do.
struct shared_data {
  std::atomic<int> inside{0};
  int overlaps = 0;
  int visits = 0;
};

class visit {
 public:
  explicit visit(shared_data& data) : data_(data) {
    if (data_.inside++ != 0) {
      ++data_.overlaps;
    }
    int before = data_.visits;
    for (int spin = 0; spin != 50; ++spin) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    data_.visits = before + 1;
  }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;
  ~visit() { --data_.inside; }

 private:
  shared_data& data_;
};

struct worker_bee {
  struct plain {
    using reply_type = int;
  };
  struct slow {
    using reply_type = int;
  };
  struct spawning {
    using reply_type = int;
  };
  struct parallel {
    using reply_type = int;
  };
  struct ping {};
  struct info {};
  struct look {
    using reply_type = std::pair<int, int>;
  };

  std::shared_ptr<shared_data> init(std::shared_ptr<shared_data> data) {
    visit here(*data);
    return data;
  }

  int handle_call(plain, std::shared_ptr<shared_data>& data) {
    visit here(*data);
    return 1;
  }

  // A coroutine that goes away and comes back in every way there is.
  asio::awaitable<int> handle_call(slow, std::shared_ptr<shared_data>& data) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    touch(*data);
    co_await asio::post(executor, asio::use_awaitable);
    touch(*data);
    co_await asio::dispatch(executor, asio::use_awaitable);
    touch(*data);
    co_await asio::defer(executor, asio::use_awaitable);
    touch(*data);
    asio::steady_timer timer(executor, 0ms);
    co_await timer.async_wait(asio::use_awaitable);
    touch(*data);
    co_return 5;
  }

  static asio::awaitable<void> child(std::shared_ptr<shared_data> data) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    for (int n = 0; n != 3; ++n) {
      touch(*data);
      co_await asio::post(executor, asio::use_awaitable);
    }
  }

  asio::awaitable<int> handle_call(spawning, std::shared_ptr<shared_data>& data) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    touch(*data);
    for (int n = 0; n != 3; ++n) {
      asio::co_spawn(executor, child(data), forget);
    }
    std::shared_ptr<shared_data> own = data;
    asio::post(executor, [own] { touch(*own); });
    co_return 11;
  }

  static asio::awaitable<int> part(shared_data& data, int value) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    touch(data);
    asio::steady_timer timer(executor, 0ms);
    co_await timer.async_wait(asio::use_awaitable);
    touch(data);
    co_return value;
  }

  asio::awaitable<int> handle_call(parallel, std::shared_ptr<shared_data>& data) {
    using namespace asio::experimental::awaitable_operators;
    touch(*data);
    auto both = part(*data, 1) && part(*data, 2);
    auto parts = co_await std::move(both);
    touch(*data);
    co_return std::get<0>(parts) + std::get<1>(parts) + 3;
  }

  void handle_cast(ping, std::shared_ptr<shared_data>& data) { touch(*data); }
  void handle_info(info, std::shared_ptr<shared_data>& data) { touch(*data); }
  asio::awaitable<void> handle_continue(ping, std::shared_ptr<shared_data>& data) {
    touch(*data);
    co_return;
  }
  std::pair<int, int> handle_call(look, std::shared_ptr<shared_data>& data) {
    return {data->visits, data->overlaps};
  }
  void terminate(const otpp::exit_reason&, std::shared_ptr<shared_data>& data) { touch(*data); }

 private:
  static void touch(shared_data& data) { visit here(data); }
};

using bee_ref = otpp::server_ref<worker_bee>;

template <class M>
asio::awaitable<void> use(bee_ref server, int rounds, std::atomic<int>& visits) {
  for (int n = 0; n != rounds; ++n) {
    int touched = co_await otpp::call<M>(server);
    visits += touched;
    co_await otpp::cast<worker_bee::ping>(server);
    co_await otpp::send<worker_bee::info>(server);
    visits += 2;
  }
}

} // namespace

TEST_CASE("serial_executor: callbacks and their children never run at the same time", "[serial_executor]") {
  constexpr int rounds = 300;
  asio::thread_pool pool(4);
  auto data = std::make_shared<shared_data>();
  std::future<bee_ref> started =
      otpp::start<worker_bee>(otpp::options().on(pool.get_executor()), data, asio::use_future);
  bee_ref server = started.get();
  std::atomic<int> visits{1};
  std::atomic<int> left{8};
  auto gone = [&](std::exception_ptr error) { left -= error ? 100 : 1; };
  for (int n = 0; n != 2; ++n) {
    asio::co_spawn(pool, use<worker_bee::plain>(server, rounds, visits), gone);
    asio::co_spawn(pool, use<worker_bee::slow>(server, rounds, visits), gone);
    asio::co_spawn(pool, use<worker_bee::spawning>(server, rounds, visits), gone);
    asio::co_spawn(pool, use<worker_bee::parallel>(server, rounds, visits), gone);
  }
  bool in_time = eventually([&] { return left <= 0; });
  CHECK(in_time);
  // What was spawned last may still be on its way.
  bool all_seen = eventually([&] {
    std::future<std::pair<int, int>> seen = otpp::call<worker_bee::look>(server, asio::use_future);
    return seen.get().first == visits;
  });
  std::future<void> stopped = server.stop(asio::use_future);
  CHECK_NOTHROW(stopped.get());
  pool.join();
  CHECK(left == 0);
  CHECK(all_seen);
  CHECK(data->overlaps == 0);
  CHECK(data->visits == visits + 1); // and terminate
}

// ---- what a handler sees ----

namespace {

struct mirror {
  struct same {
    using reply_type = bool;
  };
  struct is_serial {
    using reply_type = bool;
  };
  struct nothing_inline {
    using reply_type = bool;
  };
  struct ask_from_child {
    using reply_type = bool;
  };
  struct child_result {
    using reply_type = int;
  };
  struct number {
    using reply_type = int;
  };
  struct self_from_child {
    using reply_type = bool;
  };

  struct state {
    std::optional<asio::any_io_executor> executor;
    std::error_code child_error;
    int child_answer = 0;
    std::optional<otpp::caller<int>> waiting;
  };

  asio::awaitable<state> init() {
    state made;
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    made.executor = executor;
    co_return std::move(made);
  }

  asio::awaitable<bool> handle_call(same, state& s) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    bool equal = executor == *s.executor;
    asio::any_io_executor nested = co_await executor_inside();
    co_return equal&& nested == executor;
  }

  static asio::awaitable<asio::any_io_executor> executor_inside() {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_return executor;
  }

  asio::awaitable<bool> handle_call(is_serial, state&) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_return executor.target_type() == typeid(otpp::detail::serial_executor);
  }

  asio::awaitable<bool> handle_call(nothing_inline, state&) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto inside = std::make_shared<bool>(true);
    auto was_inside = std::make_shared<bool>(false);
    auto count = std::make_shared<int>(0);
    auto note = [inside, was_inside, count] {
      *was_inside = *was_inside || *inside;
      ++*count;
    };
    asio::post(executor, note);
    asio::dispatch(executor, note);
    asio::defer(executor, note);
    *inside = false;
    co_await asio::post(executor, asio::use_awaitable);
    co_return !*was_inside && *count == 3;
  }

  static asio::awaitable<void> ask_own_server(otpp::server_ref<mirror> server, state& s) {
    try {
      int answer = co_await otpp::call<number>(server);
      s.child_answer = answer;
    } catch (const otpp::error& e) {
      s.child_error = e.code();
    }
    if (s.waiting) {
      s.waiting->reply(s.child_answer);
      s.waiting.reset();
    }
  }

  asio::awaitable<bool> handle_call(ask_from_child, state& s) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, ask_own_server(otpp::self<mirror>(), s), forget);
    co_return true;
  }

  void handle_call(child_result, otpp::caller<int> from, state& s) {
    if (s.child_answer != 0 || s.child_error) {
      from.reply(s.child_error ? -s.child_error.value() : s.child_answer);
    } else {
      s.waiting.emplace(std::move(from));
    }
  }

  int handle_call(number, state&) { return 42; }

  static asio::awaitable<void> look_at_self(std::uint64_t id, std::shared_ptr<bool> is_same) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    *is_same = otpp::self<mirror>().id() == id;
  }

  asio::awaitable<bool> handle_call(self_from_child, state&) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto is_same = std::make_shared<bool>(false);
    auto child = look_at_self(otpp::self<mirror>().id(), is_same);
    co_await asio::co_spawn(executor, std::move(child), asio::use_awaitable);
    co_return *is_same;
  }
};

template <class M>
asio::awaitable<void> expect_yes() {
  auto server = co_await otpp::start<mirror>();
  bool yes = co_await otpp::call<M>(server);
  CHECK(yes);
  co_await server.stop();
}

} // namespace

TEST_CASE("serial_executor: is the same in every handler of a server", "[serial_executor]") {
  run(expect_yes<mirror::same>);
}

TEST_CASE("serial_executor: is what this_coro::executor gives in a handler", "[serial_executor]") {
  run(expect_yes<mirror::is_serial>);
}

TEST_CASE("serial_executor: runs nothing before it returns", "[serial_executor]") {
  run(expect_yes<mirror::nothing_inline>);
}

TEST_CASE("serial_executor: self is known in what a handler spawned", "[serial_executor]") {
  run(expect_yes<mirror::self_from_child>);
}

TEST_CASE("serial_executor: what a handler spawned may call the handler's own server", "[serial_executor]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mirror>();
    bool spawned = co_await otpp::call<mirror::ask_from_child>(server);
    CHECK(spawned);
    int answer = co_await otpp::call<mirror::child_result>(server);
    CHECK(answer == 42);
    co_await server.stop();
  });
}

TEST_CASE("serial_executor: two servers have two, which differ", "[serial_executor]") {
  run([]() -> asio::awaitable<void> {
    auto one = co_await otpp::start<mirror>();
    auto two = co_await otpp::start<mirror>();
    otpp::detail::serial_executor first(*otpp::detail::access::core(one));
    otpp::detail::serial_executor second(*otpp::detail::access::core(two));
    otpp::detail::serial_executor again(*otpp::detail::access::core(one));
    CHECK(first == again);
    CHECK(first != second);
    CHECK(asio::query(first, asio::execution::blocking) == asio::execution::blocking.never);
    co_await one.stop();
    co_await two.stop();
  });
}

// ---- what the executor does with what nobody runs any more ----

TEST_CASE("serial_executor: work for a server that has ended still runs", "[serial_executor]") {
  // As with a closed socket: its owner is gone, and whoever waited still hears of it.
  int ran = 0;
  asio::io_context context;
  std::optional<otpp::server_ref<mirror>> server;
  asio::co_spawn(
      context,
      [](std::optional<otpp::server_ref<mirror>>& opened) -> asio::awaitable<void> {
        auto started = co_await otpp::start<mirror>();
        opened = started;
        co_await started.stop();
      }(server),
      forget);
  settle(context);
  REQUIRE(server);
  REQUIRE(server->has_ended());
  asio::post(otpp::detail::serial_executor(*otpp::detail::access::core(*server)), [&] { ++ran; });
  CHECK(ran == 0);
  settle(context);
  CHECK(ran == 1);
}

TEST_CASE("serial_executor: work is thrown away, not run, when its context is gone", "[serial_executor]") {
  std::atomic<int> alive{0};
  int ran = 0;
  std::optional<otpp::detail::serial_executor> executor;
  {
    asio::io_context context;
    std::optional<otpp::server_ref<mirror>> server;
    asio::co_spawn(
        context,
        [](std::optional<otpp::server_ref<mirror>>& opened) -> asio::awaitable<void> {
          auto started = co_await otpp::start<mirror>();
          opened = started;
        }(server),
        forget);
    settle(context);
    REQUIRE(server);
    executor.emplace(*otpp::detail::access::core(*server));
    asio::post(*executor, [&ran, here = counted_in(alive)] { ++ran; });
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
  // The executor outlives its context as a shell: what comes now is thrown away at once.
  executor->execute([&ran, here = counted_in(alive)] { ++ran; });
  CHECK(alive == 0);
  CHECK(ran == 0);
}

// ---- between the steps ----

namespace {

struct gate_keeper {
  struct enter {
    using reply_type = int;
  };
  struct count {
    using reply_type = int;
  };

  struct state {
    int entered = 0;
    int posted = 0;
  };

  state init() { return {}; }

  // While this handler waits, no other handler runs, but what was posted to its executor does.
  asio::awaitable<int> handle_call(enter, state& s) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    int before = ++s.entered;
    int posted = s.posted;
    asio::post(executor, [&s] { ++s.posted; });
    asio::steady_timer timer(executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    bool alone = s.entered == before && s.posted == posted + 1;
    co_return alone ? 1 : 0;
  }

  int handle_call(count, state& s) { return s.entered; }
};

asio::awaitable<void> enter_often(otpp::server_ref<gate_keeper> server, int& alone) {
  for (int n = 0; n != 5; ++n) {
    int was_alone = co_await otpp::call<gate_keeper::enter>(server);
    alone += was_alone;
  }
}

} // namespace

TEST_CASE(
    "serial_executor: while a handler waits, posted work runs and other handlers do not",
    "[serial_executor]") {
  int alone = 0;
  asio::io_context context;
  std::future<otpp::server_ref<gate_keeper>> started =
      otpp::start<gate_keeper>(otpp::options().on(context.get_executor()), asio::use_future);
  context.poll();
  otpp::server_ref<gate_keeper> server = started.get();
  for (int n = 0; n != 4; ++n) {
    asio::co_spawn(context, enter_often(server, alone), forget);
  }
  context.restart();
  context.run();
  CHECK(alone == 20);
}

namespace {

// Its handlers end on the pool's thread, all of them.
struct wanderer {
  struct add {
    int n;
    using reply_type = int;
  };
  struct later {
    int n;
    using reply_type = int;
  };
  struct fail {
    using reply_type = int;
  };
  struct note {
    int n;
  };
  struct hint {
    int n;
  };

  asio::awaitable<int> init(asio::thread_pool* away, std::atomic<int>* ended) {
    pool = away;
    terminated = ended;
    co_await go();
    co_return 0;
  }
  asio::awaitable<int> handle_call(add request, int& count) {
    co_await go();
    co_return count += request.n;
  }
  asio::awaitable<void> handle_call(later request, otpp::caller<int> from, int& count) {
    co_await go();
    count += request.n;
    from.reply(count);
  }
  asio::awaitable<otpp::outcome<int>> handle_call(fail, int&) {
    co_await go();
    throw std::runtime_error("far from home");
  }
  asio::awaitable<void> handle_cast(note message, int& count) {
    co_await go();
    count += message.n;
  }
  asio::awaitable<void> handle_info(hint message, int& count) {
    co_await go();
    count += message.n;
  }
  asio::awaitable<void> terminate(const otpp::exit_reason&, int&) {
    co_await go();
    ++*terminated;
  }

  asio::awaitable<void> go() {
    co_await asio::post(asio::bind_executor(pool->get_executor(), asio::use_awaitable));
  }

  asio::thread_pool* pool = nullptr;
  std::atomic<int>* terminated = nullptr;
};

} // namespace

TEST_CASE("serial_executor: a handler that ends on another executor comes home", "[serial_executor]") {
  asio::thread_pool pool(1);
  std::atomic<int> terminated{0};
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<wanderer>(&pool, &terminated);
    int expected = 0;
    int wrong = 0;
    for (int n = 0; n != 300; ++n) {
      int first = co_await otpp::call<wanderer::add>(server, 1);
      int second = co_await otpp::call<wanderer::later>(server, 1);
      co_await otpp::cast<wanderer::note>(server, 1);
      co_await otpp::send<wanderer::hint>(server, 1);
      wrong += first == expected + 1 && second == expected + 2 ? 0 : 1;
      expected += 4;
    }
    CHECK(wrong == 0);
    std::string said;
    try {
      co_await otpp::call<wanderer::fail>(server);
    } catch (const otpp::error& error) {
      said = error.reason().message();
    }
    CHECK(said == "far from home");
    CHECK(terminated == 1);
  });
}
