// SPDX-License-Identifier: BSL-1.0

// A program that is worth a look: it crashes, hangs and queues on purpose. Start it, open the URL that it prints, and see
// docs/observing.md for what each of these means. Ctrl-C ends it.
//
//   observer [--port N] [--processes N] [--quiet]
//
// Port 0 takes any that is free; --processes starts so many idle servers as well.

#include <otpp/observer.hpp>
#include <otpp/otpp.hpp>
#include <otpp/supervisor.hpp>

#include <asio.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

// Returns when the program ends: for a handler that blocks its thread.
std::promise<void> the_end;
const std::shared_future<void> until_the_end = the_end.get_future().share();

asio::awaitable<void> wait(otpp::duration time) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

// Handles its own messages, 20 a second.
struct worker {
  struct work {};
  int init() {
    otpp::send_interval<work>(50ms, otpp::self<worker>());
    return 0;
  }
  void handle_info(work, int& done) { ++done; }
  static std::string format_status(const int& done) { return "has done " + std::to_string(done) + " pieces of work"; }
};

// Fails every three seconds, and is restarted.
struct unstable {
  struct explode {};
  int init() {
    otpp::send_after<explode>(3s, otpp::self<unstable>());
    return 0;
  }
  void handle_info(explode, int&) { throw std::runtime_error("13 is \"too\" much"); }
};

// Its handler waits for an hour: stuck, although its thread goes on with others.
struct sleeper {
  struct sleep {};
  int init() {
    otpp::send_after<sleep>(0ms, otpp::self<sleeper>());
    return 0;
  }
  asio::awaitable<void> handle_info(sleep, int&) { co_await wait(1h); }
};

// Its handler blocks the thread: nothing else on that thread goes on.
struct blocker {
  struct block {};
  int init() {
    otpp::send_after<block>(0ms, otpp::self<blocker>());
    return 0;
  }
  void handle_info(block, int&) { until_the_end.wait(); }
};

// Is sent a job each 50 ms, and takes 100 ms for it: its queue grows.
struct slow {
  struct job {};
  using messages = otpp::message_list<job>;
  int init() { return 0; }
  asio::awaitable<void> handle_cast(job, int&) { co_await wait(100ms); }
};

// Does not get to its jobs: its mailbox, which holds ten, is full.
struct full {
  struct job {};
  using messages = otpp::message_list<job>;
  int init() { return 0; }
  asio::awaitable<void> handle_cast(job, int&) { co_await wait(1h); }
};

// Sends them.
struct feeder {
  struct feed {};
  int init() {
    otpp::send_interval<feed>(50ms, otpp::self<feeder>());
    return 0;
  }
  void handle_info(feed, int&) {
    otpp::try_cast<slow::job>("slow");
    otpp::try_cast<full::job>("full");
  }
};

// Two of these wait for each other. The library refuses a call that closes such a ring, unless somebody else might answer:
// a handler that takes an otpp::caller could have given it away.
struct philosopher {
  struct think {};
  struct fork { using reply_type = int; };

  std::string init(std::string neighbor, bool is_hungry) {
    if (is_hungry) otpp::send_after<think>(200ms, otpp::self<philosopher>());
    return neighbor;
  }
  asio::awaitable<void> handle_info(think, std::string& neighbor) { co_await ask(neighbor); }
  asio::awaitable<void> handle_call(fork, otpp::caller<int> caller, std::string& neighbor) {
    co_await ask(neighbor);
    caller.reply(1);
  }

  static asio::awaitable<void> ask(const std::string& neighbor) {
    int fork_of_neighbor = co_await otpp::call_for<fork>(otpp::server_name<philosopher>(neighbor), otpp::infinite);
    (void)fork_of_neighbor;
  }
};

struct idle {
  int init() { return 0; }
};

otpp::supervisor_spec tree(const asio::any_io_executor& other_thread) {
  otpp::supervisor_spec pool(otpp::one_for_all);
  for (const char* id : {"idle 1", "idle 2", "idle 3", "idle 4"}) pool.add(otpp::child<idle>(id));
  return otpp::supervisor_spec(otpp::one_for_one)
      .intensity(3, 5s)
      .add(otpp::child<worker>("worker").named("worker"))
      .add(otpp::child<unstable>("unstable").named("unstable"))
      .add(otpp::child<sleeper>("sleeper").named("sleeper").shutdown(otpp::brutal_kill))
      .add(otpp::child<blocker>("blocker").named("blocker").on(other_thread).may_block())
      .add(otpp::child<slow>("slow").named("slow"))
      .add(otpp::child<full>("full").named("full").mailbox_limit(10))
      .add(otpp::child<feeder>("feeder").named("feeder"))
      .add(otpp::child<philosopher>("plato", "kant", true).named("plato"))
      .add(otpp::child<philosopher>("kant", "plato", false).named("kant"))
      .add(otpp::child<otpp::supervisor>("pool", pool).named("pool"));
}

// Ends the wait of the blocker before the servers are asked to end.
struct ends_the_wait {
  ~ends_the_wait() { the_end.set_value(); }
};

asio::awaitable<void> program(asio::any_io_executor other_thread, std::size_t processes) {
  otpp::supervisor_spec spec = tree(other_thread);
  auto main = co_await otpp::start_supervisor(otpp::named("main"), spec);
  for (std::size_t i = 0; i != processes; ++i) {
    co_await otpp::start<idle>();
  }
  ends_the_wait at_the_end;
  co_await wait(24h); // or until SIGINT or SIGTERM
}

int main(int argc, char** argv) {
  otpp::observer_options how;
  std::size_t processes = 0;
  for (int i = 1; i != argc; ++i) {
    const std::string_view option = argv[i];
    const bool has_number = i + 1 != argc;
    if (option == "--port" && has_number) {
      how.port(static_cast<std::uint16_t>(std::atoi(argv[++i])));
    } else if (option == "--processes" && has_number) {
      processes = static_cast<std::size_t>(std::atoll(argv[++i]));
    } else if (option == "--quiet") {
      how.quiet();
    } else {
      std::fprintf(stderr, "usage: observer [--port N] [--processes N] [--quiet]\n");
      return 2;
    }
  }
  // [observe]
  otpp::observer watch = otpp::observe(how);
  // [observe]
  asio::thread_pool other_thread(1);
  int status = otpp::run(program(other_thread.get_executor(), processes));
  other_thread.join();
  return status;
}
