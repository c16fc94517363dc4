// SPDX-License-Identifier: BSL-1.0

// What the parts cost of which any such library is made: no workload can be cheaper than its parts.

#include "workload.hpp"

#include <asio.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace {

using namespace std::chrono_literals;
using namespace workload;

// Posts itself as long as the measurement goes on.
template <class Executor>
struct repost {
  Executor executor;
  benchmark::State& state;

  void operator()() const {
    if (state.KeepRunning()) {
      asio::post(executor, *this);
    }
  }
};

template <class Executor>
void post(benchmark::State& state) {
  asio::io_context context(1);
  Executor executor = context.get_executor();
  asio::post(executor, repost<Executor>{executor, state});
  context.run();
  count_operations(state, 1);
}

// To another thread and back.
struct ping_pong {
  asio::io_context& here;
  asio::io_context& there;
  benchmark::State& state;

  void operator()() const {
    if (state.KeepRunning()) {
      asio::post(there, [*this] { asio::post(here, *this); });
    } else {
      here.stop();
      there.stop();
    }
  }
};

void post_round_trip(benchmark::State& state) {
  asio::io_context here(1);
  asio::io_context there(1);
  auto guard_here = asio::make_work_guard(here);
  auto guard_there = asio::make_work_guard(there);
  std::thread thread([&] { there.run(); });
  asio::post(here, ping_pong{here, there, state});
  here.run();
  thread.join();
  count_operations(state, 1);
}

BENCHMARK(post<asio::io_context::executor_type>)->Name("post")->UseRealTime();
BENCHMARK(post<asio::any_io_executor>)->Name("post_any_io_executor")->UseRealTime();
BENCHMARK(post_round_trip)->UseRealTime();

asio::awaitable<int> add_one(int n) { co_return n + 1; }

asio::awaitable<void> await_frames(benchmark::State& state, asio::any_io_executor) {
  int n = 0;
  for (auto _ : state) {
    n = co_await add_one(n);
    benchmark::DoNotOptimize(n);
  }
  count_operations(state, 1);
}

asio::awaitable<void> arm_timers(benchmark::State& state, asio::any_io_executor home) {
  asio::steady_timer timer(home);
  int armed = 0;
  for (auto _ : state) {
    timer.expires_after(5s);
    timer.async_wait([](std::error_code) {});
    timer.cancel();
    if (++armed == 64) { // let the cancelled handlers go
      armed = 0;
      co_await asio::post(home, asio::use_awaitable);
    }
  }
  count_operations(state, 1);
}

BENCHMARK(inside<one_context, await_frames>)->Name("awaitable_frame")->UseRealTime();
BENCHMARK(inside<one_context, arm_timers>)->Name("timer_arm_cancel")->UseRealTime();

void malloc_128(benchmark::State& state) {
  for (auto _ : state) {
    void* block = std::malloc(128);
    benchmark::DoNotOptimize(block);
    std::free(block);
  }
  count_operations(state, 1);
}

void atomic_add(benchmark::State& state) {
  std::atomic<int> n = 0;
  for (auto _ : state) {
    n.fetch_add(1);
  }
  benchmark::DoNotOptimize(n);
  count_operations(state, 1);
}

void find_name(benchmark::State& state) {
  std::unordered_map<std::string, int> names;
  std::shared_mutex mutex;
  for (int i = 0; i < named_servers; ++i) {
    names["server_name_" + std::to_string(i)] = i;
  }
  const std::string name = "server_name_500";
  // Without a second thread the C library leaves the locking out.
  std::atomic<bool> done = false;
  std::thread other([&] { done.wait(false); });
  for (auto _ : state) {
    std::shared_lock lock(mutex);
    int found = names.find(name)->second;
    benchmark::DoNotOptimize(found);
  }
  done = true;
  done.notify_one();
  other.join();
  count_operations(state, 1);
}

BENCHMARK(malloc_128)->UseRealTime();
BENCHMARK(atomic_add)->UseRealTime();
BENCHMARK(find_name)->UseRealTime();

} // namespace
