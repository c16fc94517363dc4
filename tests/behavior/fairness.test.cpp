// SPDX-License-Identifier: BSL-1.0

// Long queues, flooded servers, long chains, and many who want one name.

#include <otpp/otpp.hpp>
#include <otpp/sys.hpp>

#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

struct echo {
  struct ask {
    int value;
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(ask m, int&) { return m.value; }
};

constexpr int length = 500'000 / slowdown; // of a long queue

// The quickest of several batches, so that what else this computer does hardly counts.
template <class Address>
asio::awaitable<clock_type::duration> time_of_calls(Address to) {
  clock_type::duration best = clock_type::duration::max();
  for (int batch = 0; batch != 10; ++batch) {
    auto before = clock_type::now();
    for (int n = 0; n != 50; ++n) {
      int answer = co_await otpp::call<echo::ask>(to, n);
      (void)answer;
    }
    best = std::min(best, clock_type::now() - before);
  }
  co_return best;
}

// Has a long queue of its own, and asks somebody else.
struct hoarder {
  struct letter {
    int number;
  };
  struct time_calls {
    otpp::server_ref<echo> to;
    using reply_type = clock_type::duration;
  };
  struct received {
    using reply_type = int;
  };
  int init() { return 0; }
  void handle_cast(letter, int& count) { ++count; }
  asio::awaitable<clock_type::duration> handle_call(time_calls m, int&) {
    clock_type::duration took = co_await time_of_calls(m.to);
    co_return took;
  }
  int handle_call(received, int& count) { return count; }
};

} // namespace

TEST_CASE("fairness: a long queue does not slow the calls that its owner makes", "[fairness]") {
  run([]() -> asio::awaitable<void> {
    auto other = co_await otpp::start<echo>();
    auto server = co_await otpp::start<hoarder>();
    clock_type::duration empty = co_await otpp::call<hoarder::time_calls>(server, other);

    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto timing = std::make_shared<std::optional<clock_type::duration>>();
    // First in the mailbox, so that the queue stays as long as it is while the handler is at work.
    otpp::call_for<hoarder::time_calls>(
        server, otpp::infinite, other,
        asio::bind_executor(
            executor, [timing](std::exception_ptr, clock_type::duration took) { *timing = took; }));
    for (int n = 0; n != length; ++n) {
      otpp::try_cast<hoarder::letter>(server, n);
    }
    int received = co_await otpp::call_for<hoarder::received>(server, otpp::infinite);
    CHECK(received == length);
    REQUIRE(*timing);
    CHECK(**timing < 10 * empty);
    co_await server.stop();
    co_await other.stop();
  });
}

TEST_CASE("fairness: a call behind a long queue is answered in the time that the queue takes", "[fairness]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<hoarder>();
    auto other = co_await otpp::start<echo>();
    clock_type::duration empty = co_await time_of_calls(other);
    for (int n = 0; n != length; ++n) {
      otpp::try_cast<hoarder::letter>(server, n);
    }
    // A call to another server, on the same thread, while this one has all that to do.
    clock_type::duration beside = co_await time_of_calls(other);
    CHECK(beside < 10 * empty + 100ms * slowdown); // 64 messages of the other for each
    int received = co_await otpp::call_for<hoarder::received>(server, otpp::infinite);
    CHECK(received == length);
    co_await server.stop();
    co_await other.stop();
  });
}

// ---- a server that always has messages ----

namespace {

struct flooded {
  struct drop {};
  struct count {
    using reply_type = std::int64_t;
  };
  struct state {
    std::shared_ptr<std::atomic<bool>> finished;
    std::int64_t handled = 0;
  };
  state init(std::shared_ptr<std::atomic<bool>> finished) { return {std::move(finished), 0}; }
  void handle_cast(drop, state& s) {
    ++s.handled;
    if (!*s.finished) {
      otpp::try_cast<drop>(otpp::self<flooded>());
    }
  }
  std::int64_t handle_call(count, state& s) { return s.handled; }
};

// The same with handlers that are coroutines.
struct flooded_slowly {
  struct drop {};
  using state_type = std::shared_ptr<std::atomic<bool>>;
  state_type init(state_type finished) { return finished; }
  asio::awaitable<void> handle_cast(drop, state_type& finished) {
    if (!*finished) {
      otpp::try_cast<drop>(otpp::self<flooded_slowly>());
    }
    co_return;
  }
};

// The same without a mailbox: a server that goes on by itself.
struct restless {
  struct again {};
  using state_type = std::shared_ptr<std::atomic<bool>>;
  struct begin {};
  state_type init(state_type finished) { return finished; }
  otpp::outcome<> handle_cast(begin, state_type&) { return otpp::outcome<>().then(again()); }
  otpp::outcome<> handle_continue(again, state_type& finished) {
    if (*finished) {
      return {};
    }
    return otpp::outcome<>().then(again());
  }
};

asio::awaitable<clock_type::duration> tick(std::shared_ptr<std::atomic<bool>> finished) {
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  clock_type::duration latest = 0ms;
  for (int n = 0; n != 20; ++n) {
    asio::steady_timer timer(executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    latest = std::max(latest, clock_type::now() - timer.expiry());
  }
  *finished = true;
  co_return latest;
}

} // namespace

TEST_CASE("fairness: a ticker ticks beside a flooded server", "[fairness]") {
  run([]() -> asio::awaitable<void> {
    auto finished = std::make_shared<std::atomic<bool>>(false);
    auto server = co_await otpp::start<flooded>(finished);
    for (int n = 0; n != 1000; ++n) {
      co_await otpp::cast<flooded::drop>(server);
    }
    clock_type::duration late = co_await tick(finished);
    CHECK(late < 50ms * slowdown);
    std::int64_t handled = co_await otpp::call<flooded::count>(server);
    CHECK(handled > 5000 / slowdown); // it was flooded
    co_await server.stop();
  });
}

TEST_CASE("fairness: a ticker ticks beside a server flooded with coroutines", "[fairness]") {
  run([]() -> asio::awaitable<void> {
    auto finished = std::make_shared<std::atomic<bool>>(false);
    auto server = co_await otpp::start<flooded_slowly>(finished);
    for (int n = 0; n != 1000; ++n) {
      co_await otpp::cast<flooded_slowly::drop>(server);
    }
    clock_type::duration late = co_await tick(finished);
    CHECK(late < 50ms * slowdown);
    co_await server.stop();
  });
}

TEST_CASE("fairness: a ticker ticks beside a server that goes on by itself", "[fairness]") {
  run([]() -> asio::awaitable<void> {
    auto finished = std::make_shared<std::atomic<bool>>(false);
    auto server = co_await otpp::start<restless>(finished);
    co_await otpp::cast<restless::begin>(server);
    clock_type::duration late = co_await tick(finished);
    CHECK(late < 50ms * slowdown);
    co_await server.stop();
  });
}

TEST_CASE("fairness: a ticker ticks beside an observed server that goes on by itself", "[fairness]") {
  run([]() -> asio::awaitable<void> {
    auto finished = std::make_shared<std::atomic<bool>>(false);
    auto server = co_await otpp::start<restless>(finished);
    co_await otpp::trace(server, [](const otpp::trace_event&) {});
    co_await otpp::cast<restless::begin>(server);
    clock_type::duration late = co_await tick(finished);
    CHECK(late < 50ms * slowdown);
    co_await server.stop();
  });
}

TEST_CASE("fairness: two servers that call each other's casts leave room for a ticker", "[fairness]") {
  struct player {
    struct ball {
      otpp::server_ref<player> to;
      std::shared_ptr<std::atomic<bool>> finished;
    };
    int init() { return 0; }
    void handle_cast(ball m, int& hits) {
      ++hits;
      if (!*m.finished) {
        otpp::try_cast<ball>(m.to, otpp::self<player>(), m.finished);
      }
    }
  };
  run([]() -> asio::awaitable<void> {
    auto finished = std::make_shared<std::atomic<bool>>(false);
    auto one = co_await otpp::start<player>();
    auto two = co_await otpp::start<player>();
    for (int n = 0; n != 100; ++n) {
      co_await otpp::cast<player::ball>(one, two, finished);
    }
    clock_type::duration late = co_await tick(finished);
    CHECK(late < 50ms * slowdown);
    co_await one.stop();
    co_await two.stop();
  });
}

// ---- the stack ----

namespace {

// The lowest and the highest address of a local variable.
struct depth_gauge {
  std::uintptr_t lowest = UINTPTR_MAX;
  std::uintptr_t highest = 0;

  void measure() {
    // Not the address of a local: AddressSanitizer keeps locals on a stack of its own.
    auto address = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    lowest = std::min(lowest, address);
    highest = std::max(highest, address);
  }
  std::size_t range() const { return highest - lowest; }
};

constexpr std::size_t enough_stack = 64 * 1024;
constexpr int hops = 1'000'000 / slowdown;

struct gauged {
  struct ask {
    depth_gauge* gauge;
    using reply_type = int;
  };
  struct ask_slowly {
    depth_gauge* gauge;
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(ask m, int& count) {
    m.gauge->measure();
    return ++count;
  }
  asio::awaitable<int> handle_call(ask_slowly m, int& count) {
    m.gauge->measure();
    co_return ++count;
  }
};

// Asks again from the handler of the answer.
struct asker {
  otpp::server_ref<gauged> server;
  depth_gauge* gauge;
  int* left;

  void operator()(std::exception_ptr, int) const {
    gauge->measure();
    if (--*left != 0) {
      otpp::call<gauged::ask>(server, gauge, asker(*this));
    }
  }
};

} // namespace

namespace {

struct busy {
  struct note {};
  struct promise {
    using reply_type = int;
  };
  std::vector<otpp::caller<int>> init() { return {}; }
  void handle_cast(note, std::vector<otpp::caller<int>>&) {}
  void handle_call(promise, otpp::caller<int> from, std::vector<otpp::caller<int>>& promised) {
    promised.push_back(std::move(from));
  }
};

} // namespace

TEST_CASE("fairness: a call is timed though its server's turn is over before it is taken", "[fairness]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<busy>();
    for (int n = 0; n != 1000; ++n) { // some turns
      otpp::try_cast<busy::note>(server);
    }
    std::error_code error = co_await code_of(otpp::call_for<busy::promise>(server, 20ms));
    CHECK(error == otpp::errc::timeout);
    co_await server.stop();
  });
}

TEST_CASE(
    "fairness: a call is timed though its caller's turn is over before its server's begins", "[fairness]") {
  using shelf = std::shared_ptr<std::vector<otpp::caller<int>>>;
  struct promising {
    struct promise {
      using reply_type = int;
    };
    struct count {
      using reply_type = std::size_t;
    };
    shelf init(shelf promised) { return promised; }
    void handle_call(promise, otpp::caller<int> from, shelf& promised) {
      promised->push_back(std::move(from));
    }
    std::size_t handle_call(count, shelf& promised) { return promised->size(); }
  };
  int answered = 0;
  std::error_code error;
  auto to_fail = [&](std::exception_ptr why, int) {
    try {
      std::rethrow_exception(why);
    } catch (const otpp::error& failure) {
      error = failure.code();
    }
  };
  run([&]() -> asio::awaitable<void> {
    shelf promised = std::make_shared<shelf::element_type>();
    auto server = co_await otpp::start<promising>(promised);
    auto silent = co_await otpp::start<promising>(std::make_shared<shelf::element_type>());
    for (int n = 0; n != 200; ++n) {
      otpp::call<promising::promise>(server, [&](std::exception_ptr, int) { ++answered; });
    }
    co_await otpp::call<promising::count>(server);
    co_await asio::post(asio::use_awaitable);
    std::size_t ready = co_await otpp::call<promising::count>(server);
    REQUIRE(ready == 200); // and this is in the turn in which the server has answered
    otpp::call_for<promising::promise>(silent, 20ms, to_fail);
    for (otpp::caller<int>& one : *promised) { // more than the turn resumes
      one.reply(1);
    }
  });
  CHECK(answered == 200);
  CHECK(error == otpp::errc::timeout);
}

TEST_CASE("fairness: a long chain of calls by one coroutine takes no stack", "[fairness]") {
  depth_gauge gauge;
  struct script {
    static asio::awaitable<void> play(depth_gauge& g) {
      auto server = co_await otpp::start<gauged>();
      int sum = 0;
      for (int n = 0; n != hops / 2; ++n) {
        int answer = co_await otpp::call<gauged::ask>(server, &g);
        sum = answer;
      }
      for (int n = 0; n != hops / 4; ++n) {
        int answer = co_await otpp::call<gauged::ask_slowly>(server, &g);
        sum = answer;
      }
      CHECK(sum == hops / 2 + hops / 4);
      co_await server.stop();
    }
  };
  run([&] { return script::play(gauge); });
  CHECK(gauge.range() < enough_stack);
}

TEST_CASE("fairness: a long chain of calls from callbacks takes no stack", "[fairness]") {
  asio::io_context context;
  std::future<otpp::server_ref<gauged>> started =
      otpp::start<gauged>(otpp::options().on(context.get_executor()), asio::use_future);
  settle(context);
  otpp::server_ref<gauged> server = started.get();
  depth_gauge gauge;
  int left = hops;
  otpp::call<gauged::ask>(server, &gauge, asker{server, &gauge, &left});
  context.restart();
  context.run();
  CHECK(left == 0);
  CHECK(gauge.range() < enough_stack);
}

TEST_CASE("fairness: a chain of replies, each of which frees the next, takes no stack", "[fairness]") {
  // Each call is parked, and each answer starts the next one's.
  struct relay {
    struct next {
      using reply_type = int;
    };
    struct state {
      std::optional<otpp::caller<int>> waiting;
      depth_gauge gauge;
    };
    struct range {
      using reply_type = std::size_t;
    };
    state init() { return {}; }
    void handle_call(next, otpp::caller<int> from, state& s) {
      s.gauge.measure();
      if (s.waiting) {
        s.waiting->reply(1);
      }
      s.waiting.emplace(std::move(from));
    }
    std::size_t handle_call(range, state& s) {
      s.waiting.reset();
      return s.gauge.range();
    }
  };
  struct script {
    static asio::awaitable<void> loop(otpp::server_ref<relay> server, int rounds) {
      for (int n = 0; n != rounds; ++n) {
        try {
          co_await otpp::call<relay::next>(server);
        } catch (const otpp::error&) {
          co_return; // the last, which nobody frees
        }
      }
    }
    static asio::awaitable<void> play() {
      asio::any_io_executor executor = co_await asio::this_coro::executor;
      auto server = co_await otpp::start<relay>();
      asio::co_spawn(executor, loop(server, hops / 4 + 1), forget); // its last frees our last
      co_await loop(server, hops / 4);
      std::size_t range = co_await otpp::call<relay::range>(server);
      CHECK(range < enough_stack);
      co_await server.stop();
    }
  };
  run([] { return script::play(); });
}

TEST_CASE("fairness: a ring of a hundred servers takes no stack", "[fairness]") {
  struct link {
    struct hop {
      int left;
      std::shared_ptr<std::vector<otpp::server_ref<link>>> ring;
      depth_gauge* gauge;
    };
    std::size_t init(std::size_t number) { return number; }
    void handle_cast(hop m, std::size_t& number) {
      m.gauge->measure();
      if (m.left != 0) {
        otpp::server_ref<link> next = (*m.ring)[(number + 1) % m.ring->size()];
        otpp::try_cast<hop>(next, m.left - 1, m.ring, m.gauge);
      } else {
        m.gauge->lowest = std::max<std::uintptr_t>(m.gauge->lowest, 1);
        m.ring->clear();
      }
    }
  };
  asio::io_context context;
  auto ring = std::make_shared<std::vector<otpp::server_ref<link>>>();
  for (std::size_t n = 0; n != 100; ++n) {
    std::future<otpp::server_ref<link>> started =
        otpp::start<link>(otpp::options().on(context.get_executor()), n, asio::use_future);
    settle(context);
    ring->push_back(started.get());
  }
  depth_gauge gauge;
  otpp::try_cast<link::hop>(ring->front(), hops, ring, &gauge);
  context.restart();
  context.run();
  CHECK(ring->empty()); // it has come to its end
  CHECK(gauge.range() < enough_stack);
}

TEST_CASE("fairness: a ring of servers that wait for each other takes no stack", "[fairness]") {
  // A handler calls the next server from a coroutine: the answers come back through all of them.
  struct deep {
    struct ask {
      int left;
      std::shared_ptr<std::vector<otpp::server_ref<deep>>> row;
      depth_gauge* gauge;
      using reply_type = int;
    };
    int init() { return 0; }
    asio::awaitable<int> handle_call(ask m, int&) {
      m.gauge->measure();
      if (m.left == 0) {
        co_return 0;
      }
      otpp::server_ref<deep> next = (*m.row)[static_cast<std::size_t>(m.left - 1)];
      int answer = co_await otpp::call_for<ask>(next, otpp::infinite, m.left - 1, m.row, m.gauge);
      m.gauge->measure();
      co_return answer + 1;
    }
  };
  constexpr int depth = 2000;
  asio::io_context context;
  auto row = std::make_shared<std::vector<otpp::server_ref<deep>>>();
  for (int n = 0; n <= depth; ++n) {
    std::future<otpp::server_ref<deep>> started =
        otpp::start<deep>(otpp::options().on(context.get_executor()), asio::use_future);
    settle(context);
    row->push_back(started.get());
  }
  depth_gauge gauge;
  std::future<int> answer =
      otpp::call_for<deep::ask>(row->back(), otpp::infinite, depth, row, &gauge, asio::use_future);
  context.restart();
  context.run();
  REQUIRE(answer.wait_for(10s) == std::future_status::ready);
  CHECK(answer.get() == depth);
  CHECK(gauge.range() < enough_stack);
}

// ---- one name, many who want it ----

TEST_CASE("fairness: of many who start one name at once exactly one wins", "[fairness]") {
  asio::thread_pool pool(4);
  int wrong = 0;
  for (int round = 0; round != 300 / slowdown + 20; ++round) {
    std::vector<std::thread> threads;
    std::array<std::future<otpp::server_ref<echo>>, 4> starts;
    std::barrier together(4);
    for (std::size_t n = 0; n != starts.size(); ++n) {
      threads.emplace_back([&, n] {
        together.arrive_and_wait();
        starts[n] = otpp::start<echo>(otpp::named("fairness f70").on(pool.get_executor()), asio::use_future);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    int won = 0;
    int taken = 0;
    std::optional<otpp::server_ref<echo>> winner;
    for (auto& start : starts) {
      try {
        winner = start.get();
        ++won;
      } catch (const otpp::error& e) {
        taken += e.code() == otpp::errc::name_taken ? 1 : 0;
      }
    }
    auto found = otpp::whereis<echo>("fairness f70");
    wrong += won == 1 && taken == 3 && found && *found == *winner ? 0 : 1;
    std::future<void> stopped = winner->stop(asio::use_future);
    stopped.get();
    // Whoever has seen it end can start another under its name at once.
    wrong += otpp::whereis<echo>("fairness f70") ? 1 : 0;
  }
  pool.join();
  CHECK(wrong == 0);
}

namespace {

// One operation on one name, and when it was done, on a clock that all threads share.
struct event {
  enum class kind { add, remove, find };
  kind what = kind::find;
  std::size_t server = 0;
  std::size_t result = 0; // add: 1 if it was added; remove: 1 if somebody had it; find: who, plus 1
  std::int64_t begun = 0;
  std::int64_t ended = 0;
};

// Is there an order of these events, in which none comes after one that began when it had ended, that one
// thread alone could have seen?
bool is_linearizable(const std::vector<event>& events, std::vector<bool>& done, std::size_t holder) {
  bool all_done = true;
  for (std::size_t n = 0; n != events.size(); ++n) {
    if (done[n]) {
      continue;
    }
    all_done = false;
    const event& one = events[n];
    bool is_first = true;
    for (std::size_t m = 0; m != events.size(); ++m) {
      is_first = is_first && (done[m] || m == n || events[m].ended > one.begun);
    }
    if (!is_first) {
      continue;
    }
    std::size_t next = holder;
    std::size_t expected = 0;
    switch (one.what) {
      case event::kind::add:
        expected = holder == 0 ? 1 : 0;
        next = holder == 0 ? one.server + 1 : holder;
        break;
      case event::kind::remove:
        expected = holder != 0 ? 1 : 0;
        next = 0;
        break;
      case event::kind::find: expected = holder; break;
    }
    if (expected != one.result) {
      continue;
    }
    done[n] = true;
    if (is_linearizable(events, done, next)) {
      return true;
    }
    done[n] = false;
  }
  return all_done;
}

} // namespace

TEST_CASE("fairness: the check of histories knows a wrong one", "[fairness]") {
  using kind = event::kind;
  // Two who were both added, and nobody removed in between.
  std::vector<event> wrong{{kind::add, 0, 1, 1, 4}, {kind::add, 1, 1, 2, 3}};
  std::vector<bool> done(2, false);
  CHECK_FALSE(is_linearizable(wrong, done, 0));
  // Found before it was added.
  std::vector<event> early{{kind::find, 0, 1, 1, 2}, {kind::add, 0, 1, 3, 4}};
  done.assign(2, false);
  CHECK_FALSE(is_linearizable(early, done, 0));
  std::vector<event> right{{kind::find, 0, 1, 1, 4}, {kind::add, 0, 1, 2, 3}};
  done.assign(2, false);
  CHECK(is_linearizable(right, done, 0));
}

TEST_CASE("fairness: histories of one name can be put in an order", "[fairness]") {
  constexpr std::size_t thread_count = 3;
  constexpr std::size_t steps = 3;
  constexpr int rounds = 5000 / slowdown;
  asio::io_context context;
  std::vector<otpp::server_ref<echo>> servers;
  for (std::size_t n = 0; n != thread_count; ++n) {
    std::future<otpp::server_ref<echo>> started =
        otpp::start<echo>(otpp::options().on(context.get_executor()), asio::use_future);
    settle(context);
    servers.push_back(started.get());
  }
  std::unique_ptr<otpp::registry> names = std::make_unique<otpp::registry>();
  std::atomic<std::int64_t> now{0};
  std::vector<event> events(thread_count * steps);
  int wrong = 0;
  std::barrier begin(thread_count + 1);
  std::barrier end(thread_count + 1);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t != thread_count; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(static_cast<unsigned>(70 + t));
      for (int round = 0; round != rounds; ++round) {
        begin.arrive_and_wait();
        for (std::size_t n = 0; n != steps; ++n) {
          event& one = events[t * steps + n];
          one.what = static_cast<event::kind>(random() % 3);
          one.server = t;
          one.result = 0;
          one.begun = ++now;
          if (one.what == event::kind::add) {
            try {
              otpp::register_name("one", servers[t], *names);
              one.result = 1;
            } catch (const otpp::error&) {
              // name_taken
            }
          } else if (one.what == event::kind::remove) {
            one.result = otpp::unregister_name("one", *names) ? 1 : 0;
          } else if (auto found = otpp::whereis<echo>("one", *names)) {
            one.result = static_cast<std::size_t>(
                std::find(servers.begin(), servers.end(), *found) - servers.begin() + 1);
          }
          one.ended = ++now;
        }
        end.arrive_and_wait();
      }
    });
  }
  for (int round = 0; round != rounds; ++round) {
    begin.arrive_and_wait();
    end.arrive_and_wait();
    std::vector<bool> done(events.size(), false);
    wrong += is_linearizable(events, done, 0) ? 0 : 1;
    otpp::unregister_name("one", *names);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(wrong == 0);
}
