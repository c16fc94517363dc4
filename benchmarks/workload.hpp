// SPDX-License-Identifier: BSL-1.0

// What otpp.cpp and naive.cpp have in common: where a client and its server run, and what is counted.

#pragma once

#include <asio.hpp>

#include <benchmark/benchmark.h>

#include <unistd.h>

#include <exception>
#include <fstream>
#include <thread>

namespace workload {

// The numbers are those of docs/performance.md and of the programs in peers/.
inline constexpr int burst = 256;
inline constexpr int many_casts = 3'000'000;
inline constexpr int clients = 1000;
inline constexpr int calls_per_client = 1000;
inline constexpr int named_servers = 1000;
inline constexpr int spawned_servers = 100'000;
inline constexpr int ring_size = 1000;
inline constexpr int ring_rounds = 1000;

/// What a client is: it starts a server on `home`, and uses it inside `for (auto _ : state)`.
using client = asio::awaitable<void>(benchmark::State& state, asio::any_io_executor home);

inline void rethrow(std::exception_ptr error) {
  if (error) {
    std::rethrow_exception(error);
  }
}

/// One thread runs the client and the server.
inline void one_context(client& body, benchmark::State& state) {
  asio::io_context context(1);
  asio::co_spawn(context, body(state, context.get_executor()), rethrow);
  context.run();
}

/// The same in a program that has a timer or a socket: there Asio asks the system after each handler whether
/// anything has come. otpp makes a context such a one by itself, naive code need not.
inline void one_context_with_timer(client& body, benchmark::State& state) {
  asio::io_context context(1);
  asio::steady_timer timer(context);
  asio::co_spawn(context, body(state, context.get_executor()), rethrow);
  context.run();
}

/// The client has a thread, and the server has another.
inline void two_contexts(client& body, benchmark::State& state) {
  asio::io_context ours(1);
  asio::io_context theirs(1);
  auto guard = asio::make_work_guard(theirs);
  std::thread thread([&] { theirs.run(); });
  asio::co_spawn(ours, body(state, theirs.get_executor()), rethrow);
  ours.run();
  theirs.stop();
  thread.join();
}

/// The same with timers: a thread that has nothing to do then sleeps in epoll, and is harder to wake up.
inline void two_contexts_with_timers(client& body, benchmark::State& state) {
  asio::io_context ours(1);
  asio::io_context theirs(1);
  asio::steady_timer our_timer(ours);
  asio::steady_timer their_timer(theirs);
  auto guard = asio::make_work_guard(theirs);
  std::thread thread([&] { theirs.run(); });
  asio::co_spawn(ours, body(state, theirs.get_executor()), rethrow);
  ours.run();
  theirs.stop();
  thread.join();
}

/// Two threads run whatever is ready.
inline void pool(client& body, benchmark::State& state) {
  asio::thread_pool threads(2);
  asio::co_spawn(threads, body(state, threads.get_executor()), rethrow);
  threads.join();
}

/// The client measures itself, without the setting up.
template <void (&place)(client&, benchmark::State&), client& body>
void inside(benchmark::State& state) {
  place(body, state);
}

/// The place is measured as a whole, for clients that only spawn others: it returns when all have ended.
template <void (&place)(client&, benchmark::State&), client& body>
void whole(benchmark::State& state) {
  for (auto _ : state) {
    place(body, state);
  }
}

/// Each turn of the loop is so many operations: report the time of one.
inline void count_operations(benchmark::State& state, double per_iteration) {
  using counter = benchmark::Counter;
  const counter::Flags seconds_for_one = counter::kIsIterationInvariantRate | counter::kInvert;
  state.counters["op"] = counter(per_iteration, seconds_for_one);
}

/// The memory of this process that is in RAM now.
inline double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

} // namespace workload
