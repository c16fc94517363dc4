// SPDX-License-Identifier: BSL-1.0

// Workloads of otpp.cpp on what is built on servers, each beside the server itself: a state machine, a pool, priority.

#include "workload.hpp"

#include <otpp/gen_statem.hpp>
#include <otpp/otpp.hpp>
#include <otpp/pool.hpp>

#include <asio.hpp>

#include <benchmark/benchmark.h>

namespace {

using namespace workload;

struct counter {
  struct add {
    int n;
    using reply_type = int;
  };
  struct note {
    int n;
  };
  struct urgent_note {
    int n;
  };

  int init() { return 0; }
  otpp::outcome<int> handle_call(add request, int& count) { return count += request.n; }
  void handle_cast(note message, int& count) { count += message.n; }
  void handle_cast(urgent_note message, int& count) { count += message.n; }
};

enum class side { left, right };

/// Each call changes its state.
struct swing : otpp::gen_statem<swing, otpp::states<side::left, side::right>, int> {
  struct add {
    int n;
    using reply_type = int;
  };

  state_type init() { return {side::left, 0}; }
  transition<int> handle_event(add request, otpp::in_state<side::left>, int& count) {
    return next_state(side::right).reply(count += request.n);
  }
  transition<int> handle_event(add request, otpp::in_state<side::right>, int& count) {
    return next_state(side::left).reply(count += request.n);
  }
};

template <class M, class Server>
asio::awaitable<void> calls(benchmark::State& state, const Server& server) {
  for (auto _ : state) {
    int count = co_await otpp::call_for<M>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
}

asio::awaitable<void> calls_to_a_server(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  co_await calls<counter::add>(state, server);
}

asio::awaitable<void> calls_to_a_state_machine(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<swing>(otpp::options().on(home));
  co_await calls<swing::add>(state, server);
}

asio::awaitable<void> calls_to_a_pool(benchmark::State& state, asio::any_io_executor) {
  auto workers = co_await otpp::start_pool<counter>(otpp::pool_options(4));
  co_await calls<counter::add>(state, workers);
  co_await workers.stop();
}

BENCHMARK(inside<one_context, calls_to_a_server>)->Name("W1_outcome")->UseRealTime();
BENCHMARK(inside<one_context, calls_to_a_state_machine>)->Name("W1_statem")->UseRealTime();
BENCHMARK(inside<one_context, calls_to_a_pool>)->Name("W1_pool")->UseRealTime();

template <class M>
asio::awaitable<void> bursts(benchmark::State& state, otpp::server_ref<counter> server) {
  for (auto _ : state) {
    for (int i = 0; i < burst; ++i) {
      otpp::try_cast<M>(server, 1);
    }
    int count = co_await otpp::call_for<counter::add>(server, otpp::infinite, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, burst);
}

asio::awaitable<void> bursts_without_priority(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home));
  co_await bursts<counter::note>(state, server);
}

asio::awaitable<void> bursts_beside_priority(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home).priority<counter::urgent_note>());
  co_await bursts<counter::note>(state, server);
}

asio::awaitable<void> bursts_with_priority(benchmark::State& state, asio::any_io_executor home) {
  auto server = co_await otpp::start<counter>(otpp::options().on(home).priority<counter::urgent_note>());
  co_await bursts<counter::urgent_note>(state, server);
}

BENCHMARK(inside<one_context, bursts_without_priority>)->Name("W3_1b_try")->UseRealTime();
BENCHMARK(inside<one_context, bursts_beside_priority>)->Name("W3_1b_beside")->UseRealTime();
BENCHMARK(inside<one_context, bursts_with_priority>)->Name("W3_1b_priority")->UseRealTime();

} // namespace
