// SPDX-License-Identifier: BSL-1.0

// The workloads of docs/performance.md as one writes them on Asio by hand: a server is a coroutine that
// reads a channel, and every call brings a channel for its answer.
//
// As a benchmark it gets less than otpp.cpp does: no names that are freed, no errors when a server ends,
// no late answers that are dropped.

#include "workload.hpp"

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/experimental/concurrent_channel.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using namespace workload;

template <class T>
using channel = asio::experimental::concurrent_channel<void(std::error_code, T)>;

struct request {
  int n = 0;
  int hops = 0; // of a token that goes round a ring
  std::shared_ptr<channel<int>> answer;
};

class server : public std::enable_shared_from_this<server> {
 public:
  explicit server(asio::any_io_executor executor, std::size_t capacity)
      : mailbox_(std::move(executor), capacity) {}

  asio::awaitable<void> run() {
    auto self = shared_from_this();
    try {
      while (true) {
        request message = co_await mailbox_.async_receive(asio::use_awaitable);
        if (message.hops > 1) {
          --message.hops;
          co_await next_->mailbox_.async_send(std::error_code(), std::move(message), asio::use_awaitable);
          continue;
        }
        count_ += message.n;
        if (message.answer) {
          co_await message.answer->async_send(std::error_code(), count_, asio::use_awaitable);
        }
      }
    } catch (const std::system_error&) {
      // The mailbox was closed.
    }
  }

  asio::awaitable<int> call(int n) {
    auto executor = co_await asio::this_coro::executor;
    auto answer = std::make_shared<channel<int>>(executor, 1);
    request message;
    message.n = n;
    message.answer = answer;
    co_await mailbox_.async_send(std::error_code(), std::move(message), asio::use_awaitable);
    co_return co_await answer->async_receive(asio::use_awaitable);
  }

  asio::awaitable<int> call_for(std::chrono::seconds timeout, int n) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, timeout);
    auto first = co_await (call(n) || timer.async_wait(asio::use_awaitable));
    if (first.index() == 1) {
      throw std::runtime_error("timeout");
    }
    co_return std::get<0>(first);
  }

  asio::awaitable<void> cast(int n) {
    request message;
    message.n = n;
    co_await mailbox_.async_send(std::error_code(), std::move(message), asio::use_awaitable);
  }

  asio::awaitable<int> send_round(int hops) {
    auto executor = co_await asio::this_coro::executor;
    auto answer = std::make_shared<channel<int>>(executor, 1);
    request token;
    token.hops = hops;
    token.answer = answer;
    co_await mailbox_.async_send(std::error_code(), std::move(token), asio::use_awaitable);
    co_return co_await answer->async_receive(asio::use_awaitable);
  }

  void set_next(server& next) { next_ = &next; }
  void close() { mailbox_.close(); }

 private:
  channel<request> mailbox_;
  int count_ = 0;
  server* next_ = nullptr;
};

std::shared_ptr<server> start(asio::any_io_executor executor, std::size_t capacity = 1024) {
  auto started = std::make_shared<server>(executor, capacity);
  asio::co_spawn(executor, started->run(), rethrow);
  return started;
}

// ---- calls ----

asio::awaitable<void> calls(benchmark::State& state, asio::any_io_executor home) {
  auto server = start(home);
  for (auto _ : state) {
    int count = co_await server->call(1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
  server->close();
}

class names {
 public:
  void add(std::string name, std::shared_ptr<server> who) {
    std::unique_lock lock(mutex_);
    servers_[std::move(name)] = std::move(who);
  }
  std::shared_ptr<server> find(const std::string& name) {
    std::shared_lock lock(mutex_);
    auto found = servers_.find(name);
    return found == servers_.end() ? nullptr : found->second;
  }
  void close_all() {
    for (auto& [name, who] : servers_) {
      who->close();
    }
  }

 private:
  std::shared_mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<server>> servers_;
};

asio::awaitable<void> calls_by_name(benchmark::State& state, asio::any_io_executor home) {
  names directory;
  for (int i = 0; i < named_servers; ++i) {
    directory.add("server_name_" + std::to_string(i), start(home));
  }
  const std::string name = "server_name_500";
  for (auto _ : state) {
    auto server = directory.find(name);
    int count = co_await server->call(1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
  directory.close_all();
}

asio::awaitable<void> calls_with_timeout(benchmark::State& state, asio::any_io_executor home) {
  auto server = start(home);
  for (auto _ : state) {
    int count = co_await server->call_for(5s, 1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, 1);
  server->close();
}

BENCHMARK(inside<one_context, calls>)->Name("W1")->UseRealTime();
BENCHMARK(inside<one_context_with_timer, calls>)->Name("W1_timer")->UseRealTime();
BENCHMARK(inside<one_context, calls_by_name>)->Name("W6")->UseRealTime();
BENCHMARK(inside<one_context, calls_with_timeout>)->Name("W7")->UseRealTime();
BENCHMARK(inside<two_contexts, calls>)->Name("W2")->UseRealTime();
BENCHMARK(inside<two_contexts_with_timers, calls>)->Name("W2_timer")->UseRealTime();
BENCHMARK(inside<pool, calls>)->Name("W2pool")->UseRealTime();

// ---- casts ----

template <int casts>
asio::awaitable<void> casts_then_a_call(benchmark::State& state, asio::any_io_executor home) {
  auto server = start(home);
  for (auto _ : state) {
    for (int i = 0; i < casts; ++i) {
      co_await server->cast(1);
    }
    int count = co_await server->call(1);
    benchmark::DoNotOptimize(count);
  }
  count_operations(state, casts);
  server->close();
}

BENCHMARK(inside<one_context, casts_then_a_call<burst>>)->Name("W3_1b")->UseRealTime();
BENCHMARK(inside<one_context, casts_then_a_call<many_casts>>)->Name("W3_1")->UseRealTime()->Iterations(1);
// Fewer: with newer Asio a cast costs a wake-up here, some 35 us. A channel of 1024 has no memory of more.
BENCHMARK(inside<two_contexts, casts_then_a_call<10'000>>)->Name("W3_2")->UseRealTime();

// ---- many clients ----

asio::awaitable<void> one_of_many(std::shared_ptr<server> server, std::shared_ptr<void>) {
  for (int i = 0; i < calls_per_client; ++i) {
    int count = co_await server->call(1);
    benchmark::DoNotOptimize(count);
  }
}

asio::awaitable<void> many_clients(benchmark::State& state, asio::any_io_executor home) {
  auto server = start(home);
  auto executor = co_await asio::this_coro::executor;
  // Closes the mailbox when the last client has gone: the server would keep the pool from ending.
  std::shared_ptr<void> clients_left(nullptr, [server](void*) { server->close(); });
  for (int i = 0; i < clients; ++i) {
    asio::co_spawn(executor, one_of_many(server, clients_left), rethrow);
  }
  count_operations(state, clients * calls_per_client);
}

BENCHMARK(whole<two_contexts, many_clients>)->Name("W4")->UseRealTime();
BENCHMARK(whole<two_contexts_with_timers, many_clients>)->Name("W4_timer")->UseRealTime();
BENCHMARK(whole<pool, many_clients>)->Name("W4pool")->UseRealTime();

// ---- many servers ----

constexpr std::size_t small_capacity = 16;

asio::awaitable<void> starts(benchmark::State& state, asio::any_io_executor home) {
  std::vector<std::shared_ptr<server>> servers;
  servers.reserve(spawned_servers);
  double before = resident_bytes();
  for (auto _ : state) {
    for (int i = 0; i < spawned_servers; ++i) {
      servers.push_back(start(home, small_capacity));
      int count = co_await servers.back()->call(1);
      benchmark::DoNotOptimize(count);
    }
  }
  count_operations(state, spawned_servers);
  state.counters["bytes"] = (resident_bytes() - before) / spawned_servers;
  for (auto& server : servers) {
    server->close();
  }
}

asio::awaitable<void> send_round(benchmark::State& state, asio::any_io_executor home) {
  std::vector<std::shared_ptr<server>> servers;
  for (int i = 0; i < ring_size; ++i) {
    servers.push_back(start(home, small_capacity));
  }
  for (std::size_t i = 0; i < servers.size(); ++i) {
    servers[i]->set_next(*servers[(i + 1) % servers.size()]);
  }
  constexpr int hops = ring_size * ring_rounds;
  for (auto _ : state) {
    co_await servers.front()->send_round(hops);
  }
  count_operations(state, hops);
  for (auto& server : servers) {
    server->close();
  }
}

BENCHMARK(inside<one_context, starts>)->Name("W5spawn")->UseRealTime()->Iterations(1);
BENCHMARK(inside<one_context, starts>)->Name("W5rss")->UseRealTime()->Iterations(1);
BENCHMARK(inside<one_context, send_round>)->Name("W5ring")->UseRealTime();

} // namespace
