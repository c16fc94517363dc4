// SPDX-License-Identifier: BSL-1.0

#include <otpp/run/detail/stop_all.hpp>

#include <otpp/otpp.hpp>
#include <otpp/run.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/run.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/cancellation_state.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// Their ends, in order: one ends after the other, whatever their threads.
std::vector<std::string> log_of_ends;

struct tenant {
  struct invite {
    std::string name;
    using reply_type = otpp::pid;
  };
  std::string init(std::string name) { return name; }
  // Starts another one beside it, on the same executor.
  asio::awaitable<otpp::pid> handle_call(invite m, std::string&) {
    otpp::pid who = co_await otpp::start<tenant>(otpp::options(), m.name);
    co_return who;
  }
  void terminate(const otpp::exit_reason& why, std::string& name) {
    log_of_ends.push_back(name + ": " + why.message());
  }
};

// Takes its time.
struct slow_to_stop {
  event init(event until) { return until; }
  asio::awaitable<void> terminate(const otpp::exit_reason&, event& until) {
    co_await until.wait();
    log_of_ends.push_back("stubborn");
  }
};

asio::awaitable<asio::execution_context*> own_context() {
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  co_return &asio::query(executor, asio::execution::context);
}

otpp::options on(asio::thread_pool& pool) { return otpp::options().on(pool.get_executor()); }

} // namespace

TEST_CASE("stop_all: what a program has started on other contexts is stopped, newest first of all", "[run]") {
  log_of_ends.clear();
  asio::thread_pool pool(2);
  auto others =
      asio::co_spawn(pool, otpp::start<tenant>(otpp::options(), std::string("of others")), asio::use_future);
  auto not_ours = others.get();
  int status = otpp::run([](asio::thread_pool& elsewhere) -> asio::awaitable<void> {
    co_await otpp::start<tenant>(otpp::options(), std::string("1"));
    auto two = co_await otpp::start<tenant>(on(elsewhere), std::string("2"));
    co_await otpp::start<tenant>(otpp::options(), std::string("3"));
    otpp::pid four = co_await otpp::call<tenant::invite>(two, std::string("4"));
    co_await otpp::call<tenant::invite>(*four.as<tenant>(), std::string("5"));
    otpp::supervisor_spec spec;
    spec.add(otpp::child<tenant>("child", std::string("child")).on(elsewhere.get_executor()));
    co_await otpp::start<otpp::supervisor>(on(elsewhere), std::move(spec));
  }(pool));
  CHECK(status == 0);
  CHECK(
      log_of_ends ==
      std::vector<std::string>{"5: shutdown", "4: shutdown", "3: shutdown", "2: shutdown", "1: shutdown"});
  CHECK_FALSE(not_ours.has_ended());
  int left = 0;
  for (const otpp::process_info& one : otpp::processes()) {
    left += one.type.ends_with("tenant") || one.type.ends_with("supervisor") ? 1 : 0;
  }
  CHECK(left == 1);
  not_ours.stop(asio::use_future).get();
}

TEST_CASE("stop_all: what a program has started on another program's context is stopped by both", "[run]") {
  log_of_ends.clear();
  int status = otpp::run([]() -> asio::awaitable<void> {
    asio::any_io_executor outer = co_await asio::this_coro::executor;
    asio::thread_pool pool(1);
    auto inner = [](asio::any_io_executor there) -> asio::awaitable<void> {
      co_await otpp::start<tenant>(otpp::options().on(there), std::string("guest"));
    };
    auto done = [&]() -> asio::awaitable<int> {
      int result = otpp::run(inner(outer)); // blocks a thread of the pool, and not the outer one
      co_return result;
    };
    int result = co_await asio::co_spawn(pool, done(), asio::use_awaitable);
    CHECK(result == 0);
    CHECK(log_of_ends == std::vector<std::string>{"guest: shutdown"});
  }());
  CHECK(status == 0);
}

TEST_CASE("stop_all: a context that nobody runs is waited for once", "[run]") {
  asio::io_context stuck;
  std::vector<otpp::pid> servers;
  auto started = [](asio::io_context& where, std::vector<otpp::pid>& all) -> asio::awaitable<void> {
    otpp::options how = otpp::options().on(where.get_executor());
    for (int i = 0; i != 1000; ++i) {
      otpp::pid who = co_await otpp::start<tenant>(how, std::string("stuck"));
      all.push_back(who);
    }
    otpp::pid top = co_await otpp::start<otpp::supervisor>(how, otpp::supervisor_spec());
    all.push_back(top);
  };
  asio::io_context context;
  auto state = otpp::detail::context_state::of(context.get_executor());
  state->become_program();
  std::future<void> all_started = asio::co_spawn(context, started(stuck, servers), asio::use_future);
  while (servers.size() != 1001) {
    context.restart();
    context.run_one_for(1ms);
    stuck.restart();
    stuck.poll();
  }
  context.restart();
  context.run();
  all_started.get();

  captured_stderr output;
  std::future<void> stopped = asio::co_spawn(context, otpp::detail::stop_all(state, 20ms), asio::use_future);
  context.restart();
  context.run();
  stopped.get();
  std::string text = output.text();
  CHECK(text.find("supervisor") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK_FALSE(servers[0].has_ended());
  stuck.restart();
  stuck.run();
  CHECK(servers.back().has_ended()); // it had been told to
}

TEST_CASE(
    "stop_all: the servers of one's own context are stopped in order, and run their terminate", "[run]") {
  log_of_ends.clear();
  run([]() -> asio::awaitable<void> {
    asio::execution_context* mine = co_await own_context();
    asio::thread_pool pool(1);
    auto other = co_await otpp::start<tenant>(on(pool), std::string("of another context"));
    co_await otpp::start<tenant>(otpp::options(), std::string("1"));
    otpp::supervisor_spec spec;
    spec.add(otpp::child<tenant>("child", std::string("child")).named("stop_all child"));
    otpp::pid top = co_await otpp::start<otpp::supervisor>(std::move(spec));
    co_await otpp::start<tenant>(otpp::options(), std::string("2"));
    otpp::pid waits = co_await otpp::spawn([]() -> asio::awaitable<void> { co_await otpp::receive<int>(); });
    co_await otpp::stop_all(*mine);
    CHECK(log_of_ends == std::vector<std::string>{"2: shutdown", "1: shutdown"});
    CHECK(top.has_ended());
    CHECK(waits.has_ended());
    CHECK_FALSE(otpp::whereis<tenant>("stop_all child"));
    CHECK_FALSE(other.has_ended());
    otpp::stop_all(pool, asio::use_future).get();
    CHECK(other.has_ended());
  });
}

TEST_CASE("stop_all: one that is late is named, and those before it are stopped all the same", "[run]") {
  log_of_ends.clear();
  run([]() -> asio::awaitable<void> {
    asio::execution_context* mine = co_await own_context();
    event go_on;
    co_await otpp::start<tenant>(otpp::options(), std::string("1"));
    otpp::pid late = co_await otpp::start<slow_to_stop>(otpp::named("stop_all stubborn"), go_on);
    std::exception_ptr failure = co_await failure_of(otpp::stop_all(*mine, 10ms));
    CHECK(log_of_ends == std::vector<std::string>{"1: shutdown"});
    CHECK(text_of(failure).find("stop_all stubborn") != std::string::npos);
    CHECK_FALSE(late.has_ended());
    go_on.happen();
    co_await late.join();
    CHECK(log_of_ends.back() == "stubborn");
  });
}

namespace {

struct slow_owner {
  struct begin {
    using reply_type = void;
  };
  using state_type = std::shared_ptr<std::atomic<bool>>;
  state_type init(state_type is_over) { return is_over; }
  void handle_call(begin, state_type& is_over) { otpp::co_spawn(wait_for(is_over)); }
  static asio::awaitable<void> wait_for(state_type is_over) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    while (!*is_over) {
      co_await asio::post(asio::use_awaitable);
    }
  }
};

} // namespace

TEST_CASE("stop_all: one whose coroutine is late keeps no other from its end", "[run]") {
  log_of_ends.clear();
  asio::thread_pool pool(1);
  auto is_over = std::make_shared<std::atomic<bool>>(false);
  otpp::start<tenant>(on(pool), std::string("1"), asio::use_future).get();
  auto late = otpp::start<slow_owner>(on(pool), is_over, asio::use_future).get();
  otpp::call<slow_owner::begin>(late, asio::use_future).get();
  CHECK_THROWS_AS(otpp::stop_all(pool, 50ms, asio::use_future).get(), otpp::error);
  CHECK(log_of_ends == std::vector<std::string>{"1: shutdown"});
  *is_over = true;
  late.join(asio::use_future).get();
}

TEST_CASE("stop_all: a server cannot stop its own context and wait for that", "[run]") {
  log_of_ends.clear();
  run([]() -> asio::awaitable<void> {
    otpp::process_ref<bool> process = co_await otpp::spawn([]() -> asio::awaitable<bool> {
      asio::execution_context* mine = co_await own_context();
      std::error_code code = co_await code_of(otpp::stop_all(*mine));
      co_return code == otpp::errc::calling_self;
    });
    bool is_refused = co_await process.join();
    CHECK(is_refused);
  });
}
