// SPDX-License-Identifier: BSL-1.0

// The workloads of docs/performance.md on otpp. naive.cpp has the same without it.

#include "workload.hpp"

#include <otpp/otpp.hpp>

#include <asio.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace workload;

struct counter {
  struct add {
    int n;
    using reply_type = int;
  };
  struct note {
    int n;
  };

  int init() { return 0; }
  int handle_call(add request, int& count) { return count += request.n; }
  void handle_cast(note message, int& count) { count += message.n; }
};

struct coroutine_counter {
  struct add {
    int n;
    using reply_type = int;
  };

  int init() { return 0; }
  asio::awaitable<int> handle_call(add request, int& count) { co_return count += request.n; }
};

// ---- calls ----

asio::awaitable<void> calls(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  for (auto _ : state) {
    int count = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
}

asio::awaitable<void> calls_as_usual(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  for (auto _ : state) {
    int count = co_await otpp::call<counter::add>(server, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
}

asio::awaitable<void> calls_to_a_coroutine(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<coroutine_counter>(otpp::options().on(home));
  for (auto _ : state) {
    int count = co_await otpp::call_for<coroutine_counter::add>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
}

asio::awaitable<void> calls_by_name(benchmark::State& state, asio::any_io_executor home) {
  for (int i = 0; i < named_servers; ++i) {
    std::string name = "server_name_" + std::to_string(i);
    co_await otpp::start<counter>(otpp::named(std::move(name)).on(home));
  }
  constexpr otpp::server_name<counter> server("server_name_500");
  for (auto _ : state) {
    int count = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
}

asio::awaitable<void> calls_with_timeout(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  for (auto _ : state) {
    int count = co_await otpp::call_for<counter::add>(server, 5s, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
}

BENCHMARK(inside<one_context, calls>)->Name("W1")->UseRealTime();
BENCHMARK(inside<one_context_with_timer, calls>)->Name("W1_timer")->UseRealTime();
BENCHMARK(inside<one_context, calls_as_usual>)->Name("W1_default")->UseRealTime();
BENCHMARK(inside<one_context, calls_to_a_coroutine>)->Name("W1co")->UseRealTime();
BENCHMARK(inside<one_context, calls_by_name>)->Name("W6")->UseRealTime();
BENCHMARK(inside<one_context, calls_with_timeout>)->Name("W7")->UseRealTime();
BENCHMARK(inside<two_contexts, calls>)->Name("W2")->UseRealTime();
BENCHMARK(inside<two_contexts_with_timers, calls>)->Name("W2_timer")->UseRealTime();
BENCHMARK(inside<pool, calls>)->Name("W2pool")->UseRealTime();

// ---- casts ----

asio::awaitable<void> bursts_of_casts(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  for (auto _ : state) {
    for (int i = 0; i < burst; ++i) {
      co_await otpp::cast<counter::note>(server, 1);
    }
    int count = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, burst);
}

asio::awaitable<void> bursts_of_try_casts(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  for (auto _ : state) {
    for (int i = 0; i < burst; ++i) {
      otpp::try_cast<counter::note>(server, 1);
    }
    int count = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, burst);
}

asio::awaitable<void> a_flood_of_casts(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  for (auto _ : state) {
    for (int i = 0; i < many_casts; ++i) {
      co_await otpp::cast<counter::note>(server, 1);
    }
    int count = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, many_casts);
}

BENCHMARK(inside<one_context, bursts_of_casts>)->Name("W3_1b")->UseRealTime();
BENCHMARK(inside<one_context, bursts_of_try_casts>)->Name("W3_1b_try")->UseRealTime();
// Once only: what the allocator has seen before would change the second time.
BENCHMARK(inside<one_context, a_flood_of_casts>)->Name("W3_1")->UseRealTime()->Iterations(1);
BENCHMARK(inside<two_contexts, a_flood_of_casts>)->Name("W3_2")->UseRealTime()->Iterations(1);

// ---- many clients ----

asio::awaitable<void> one_of_many(otpp::server_ref<counter> server) {
  for (int i = 0; i < calls_per_client; ++i) {
    int count = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
}

asio::awaitable<void> many_clients(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  auto executor = co_await asio::this_coro::executor;
  for (int i = 0; i < clients; ++i) {
    asio::co_spawn(executor, one_of_many(server), rethrow);
  }
  count_operations(state, clients * calls_per_client);
}

BENCHMARK(whole<two_contexts, many_clients>)->Name("W4")->UseRealTime();
BENCHMARK(whole<two_contexts_with_timers, many_clients>)->Name("W4_timer")->UseRealTime();
BENCHMARK(whole<pool, many_clients>)->Name("W4pool")->UseRealTime();

// ---- many servers ----

asio::awaitable<void> starts(benchmark::State& state, asio::any_io_executor home) {
  std::vector<otpp::server_ref<counter>> servers;
  servers.reserve(spawned_servers);
  double before = resident_bytes();
  for (auto _ : state) {
    for (int i = 0; i < spawned_servers; ++i) {
      auto server = co_await otpp::start<counter>(otpp::options().on(home));
      int count = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
      benchmark::DoNotOptimize(count);
      servers.push_back(std::move(server));
    }
  }
  count_operations(state, spawned_servers);
  state.counters["bytes"] = (resident_bytes() - before) / spawned_servers;
}

struct ring {
  struct join {
    otpp::server_ref<ring> next;
  };
  struct go {
    int hops;
    using reply_type = int;
  };
  struct token {
    int hops;
    otpp::caller<int> caller;
  };

  using next = std::optional<otpp::server_ref<ring>>;

  next init() { return {}; }
  void handle_cast(join message, next& to) { to = message.next; }
  void handle_call(go request, otpp::caller<int> caller, next& to) {
    otpp::try_cast<token>(*to, request.hops - 1, std::move(caller));
  }
  void handle_cast(token message, next& to) {
    if (message.hops == 0) {
      message.caller.reply(0);
    } else {
      otpp::try_cast<token>(*to, message.hops - 1, std::move(message.caller));
    }
  }
};

asio::awaitable<void> send_round(benchmark::State& state, asio::any_io_executor home) {
  std::vector<otpp::server_ref<ring>> servers;
  for (int i = 0; i < ring_size; ++i) {
    auto server = co_await otpp::start<ring>(otpp::options().on(home));
    servers.push_back(std::move(server));
  }
  for (std::size_t i = 0; i < servers.size(); ++i) {
    co_await otpp::cast<ring::join>(servers[i], servers[(i + 1) % servers.size()]);
  }
  constexpr int hops = ring_size * ring_rounds;
  for (auto _ : state) {
    co_await otpp::call_for<ring::go>(servers.front(), otpp::infinite, hops);
  }
  count_operations(state, hops);
}

// Once only, so that every server is new memory: W5spawn tells the time, W5rss the bytes.
BENCHMARK(inside<one_context, starts>)->Name("W5spawn")->UseRealTime()->Iterations(1);
BENCHMARK(inside<one_context, starts>)->Name("W5rss")->UseRealTime()->Iterations(1);
BENCHMARK(inside<one_context, send_round>)->Name("W5ring")->UseRealTime();

} // namespace
