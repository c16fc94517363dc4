// SPDX-License-Identifier: BSL-1.0

#include <otpp/run.hpp> // the header under test comes first

#include <otpp/otpp.hpp>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>

#if !defined(_WIN32)
#include <unistd.h>
#endif

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"
#include "support/probe.hpp"

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

std::vector<std::string> ends; // "name: reason", in order
std::atomic<int> frames{0};

struct lodger {
  struct ask {
    using reply_type = int;
  };
  struct crash {
    using reply_type = int;
  };
  std::string init(std::string name) { return name; }
  int handle_call(ask, std::string&) { return 1; }
  int handle_call(crash, std::string&) { throw std::runtime_error("crash"); }
  asio::awaitable<void> terminate(const otpp::exit_reason& reason, std::string& name) {
    std::string why = reason.message();
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable); // terminate may wait, also after a signal
    ends.push_back(name + ": " + why);
  }
};

asio::awaitable<void> open_house() {
  co_await otpp::start<lodger>(std::string("one"));
  co_await otpp::start<lodger>(otpp::named("run two"), std::string("two"));
  co_await otpp::start<lodger>(std::string("three"));
}

asio::awaitable<void> wait_long() {
  counted_in frame(frames);
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, 1h);
  co_await timer.async_wait(asio::use_awaitable);
}

} // namespace

TEST_CASE("run: a coroutine that returns gives 0", "[run]") {
  int status = otpp::run([]() -> asio::awaitable<void> { co_return; }());
  CHECK(status == 0);
}

TEST_CASE("run: a coroutine's int is the exit status", "[run]") {
  int seven = otpp::run([]() -> asio::awaitable<int> { co_return 7; }());
  int zero = otpp::run([]() -> asio::awaitable<int> { co_return 0; }());
  CHECK(seven == 7);
  CHECK(zero == 0);
}

TEST_CASE("run: a function that starts the coroutine is kept until that has ended", "[run]") {
  int plain = otpp::run(open_house);
  int status = otpp::run([held = std::make_unique<int>(7)]() -> asio::awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    co_return *held;
  });
  CHECK(plain == 0);
  CHECK(status == 7);
}

TEST_CASE("run: an exception that escapes is printed and gives 1", "[run]") {
  captured_stderr output;
  int status = otpp::run([]() -> asio::awaitable<void> {
    throw std::runtime_error("the roof is on fire");
    co_return;
  }());
  int unknown = otpp::run([]() -> asio::awaitable<int> {
    throw 42;
    co_return 0;
  }());
  std::string text = output.text();
  CHECK(status == 1);
  CHECK(unknown == 1);
  CHECK(text.find("the roof is on fire") != std::string::npos);
  CHECK(text.find("unknown type") != std::string::npos);
}

TEST_CASE("run: an error of the library that escapes says what happened", "[run]") {
  captured_stderr output;
  int status = otpp::run([]() -> asio::awaitable<void> {
    co_await otpp::call<lodger::ask>(otpp::server_name<lodger>("run nobody"));
  }());
  std::string text = output.text();
  CHECK(status == 1);
  CHECK(text.find("run nobody") != std::string::npos);
  CHECK(text.find("ask") != std::string::npos);
}

TEST_CASE("run: servers are stopped with shutdown, newest first", "[run]") {
  ends.clear();
  int status = otpp::run(open_house());
  CHECK(status == 0);
  CHECK(ends == std::vector<std::string>{"three: shutdown", "two: shutdown", "one: shutdown"});
  CHECK_FALSE(otpp::whereis<lodger>("run two"));
}

TEST_CASE("run: servers are stopped when an exception escapes, too", "[run]") {
  ends.clear();
  captured_stderr output;
  int status = otpp::run([]() -> asio::awaitable<void> {
    co_await open_house();
    throw std::runtime_error("oh");
  }());
  std::string text = output.text();
  CHECK(status == 1);
  CHECK(ends.size() == 3);
  CHECK(text == "oh\n");
}

TEST_CASE("run: returns although idle servers and other coroutines are there", "[run]") {
  ends.clear();
  auto before = clock_type::now();
  int status = otpp::run([]() -> asio::awaitable<void> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, wait_long(), forget);
    co_await open_house();
    co_await asio::post(executor, asio::use_awaitable);
  }());
  CHECK(status == 0);
  CHECK(frames == 0); // destroyed with the context
  CHECK(clock_type::now() - before < 2s);
}

TEST_CASE("run: SIGTERM cancels the coroutine, and the program ends in order", "[run]") {
  int signal = GENERATE(SIGTERM, SIGINT);
  ends.clear();
  auto before = clock_type::now();
  captured_stderr output;
  int status = otpp::run([](int which) -> asio::awaitable<void> {
    co_await open_house();
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::post(executor, [which] { std::raise(which); });
    co_await wait_long();
  }(signal));
  std::string text = output.text();
  CHECK(status == 0);
  CHECK(text.empty());
  CHECK(ends == std::vector<std::string>{"three: shutdown", "two: shutdown", "one: shutdown"});
  CHECK(frames == 0);
  CHECK(clock_type::now() - before < 2s);
}

TEST_CASE("run: a coroutine that tidies up after SIGTERM decides on the exit status", "[run]") {
  int status = otpp::run([]() -> asio::awaitable<int> {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::post(executor, [] { std::raise(SIGTERM); });
    bool was_cancelled = false;
    try {
      co_await wait_long();
    } catch (const std::system_error&) {
      was_cancelled = true;
    }
    co_return was_cancelled ? 3 : 4;
  }());
  CHECK(status == 3);
}

TEST_CASE("run: SIGTERM during a call ends the caller, not the server", "[run]") {
  struct mute {
    struct ask {
      using reply_type = int;
    };
    std::vector<otpp::caller<int>> init() { return {}; }
    void handle_call(ask, otpp::caller<int> from, std::vector<otpp::caller<int>>& kept) {
      kept.push_back(std::move(from));
    }
    void terminate(const otpp::exit_reason& reason, std::vector<otpp::caller<int>>&) {
      ends.push_back(reason.message());
    }
  };
  ends.clear();
  int status = otpp::run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mute>();
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::post(executor, [] { std::raise(SIGTERM); });
    co_await otpp::call_for<mute::ask>(server, otpp::infinite);
  }());
  CHECK(status == 0);
  CHECK(ends == std::vector<std::string>{"shutdown"});
}

#if !defined(_WIN32) && !defined(__APPLE__) // which have no sigqueue
TEST_CASE("run: a signal handler of the program is in force again afterwards", "[run]") {
  static std::atomic<int> seen{0};
  static std::atomic<int> value{0};
  seen = 0;
  value = 0;
  auto before = std::signal(SIGTERM, [](int) { ++seen; });
  struct sigaction with_value{}; // of the kind that std::signal cannot set
  struct sigaction interrupt_before{};
  with_value.sa_flags = SA_SIGINFO;
  with_value.sa_sigaction = [](int, siginfo_t* info, void*) { value = info->si_value.sival_int; };
  ::sigaction(SIGINT, &with_value, &interrupt_before);

  int status = otpp::run([]() -> asio::awaitable<void> { co_return; }());
  CHECK(status == 0);
  std::raise(SIGTERM);
  CHECK(seen == 1);
  ::sigqueue(::getpid(), SIGINT, sigval{7});
  CHECK(value == 7);

  status = otpp::run([]() -> asio::awaitable<void> { // also if one runs inside another, and a signal came
    int inner = otpp::run([]() -> asio::awaitable<void> { co_return; }());
    CHECK(inner == 0);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::post(executor, [] { std::raise(SIGTERM); });
    co_await wait_long();
  }());
  CHECK(status == 0);
  CHECK(seen == 1);
  std::raise(SIGTERM);
  CHECK(seen == 2);
  ::sigaction(SIGINT, &interrupt_before, nullptr);
  std::signal(SIGTERM, before);
}
#endif

TEST_CASE("run: a signal_set of the program goes on", "[run]") {
  asio::io_context mine;
  asio::signal_set signals(mine, SIGTERM);
  int seen = 0;
  signals.async_wait([&](std::error_code error, int) { seen += error ? 0 : 1; });
  int status = otpp::run([]() -> asio::awaitable<void> { co_return; }());
  CHECK(status == 0);
  std::raise(SIGTERM);
  mine.run();
  CHECK(seen == 1);
}

TEST_CASE("run: a server that crashed before is no trouble", "[run]") {
  otpp::subscription quiet = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  ends.clear();
  int status = otpp::run([]() -> asio::awaitable<void> {
    co_await open_house();
    auto two = otpp::whereis<lodger>("run two");
    std::error_code code;
    try {
      co_await otpp::call<lodger::crash>(*two);
    } catch (const otpp::error& e) {
      code = e.code();
    }
    CHECK(code == otpp::errc::exited);
  }());
  quiet.end();
  CHECK(status == 0);
  CHECK(ends == std::vector<std::string>{"two: crash", "three: shutdown", "one: shutdown"});
}

TEST_CASE("run: a server that is started by a terminate is stopped too", "[run]") {
  struct phoenix {
    int init(int left) { return left; }
    asio::awaitable<void> terminate(const otpp::exit_reason&, int& left) {
      ends.push_back(std::to_string(left));
      if (left != 0) {
        co_await otpp::start<phoenix>(otpp::options(), left - 1);
      }
    }
  };
  ends.clear();
  int status = otpp::run([]() -> asio::awaitable<void> { co_await otpp::start<phoenix>(3); }());
  CHECK(status == 0);
  CHECK(ends == std::vector<std::string>{"3", "2", "1", "0"});
}

TEST_CASE("run: one after another, and one inside another's thread", "[run]") {
  int sum = 0;
  for (int n = 0; n != 20; ++n) {
    sum += otpp::run([]() -> asio::awaitable<int> {
      auto server = co_await otpp::start<lodger>(otpp::named("run again"), std::string("again"));
      int answer = co_await otpp::call<lodger::ask>(server);
      co_return answer;
    }());
  }
  CHECK(sum == 20);
  int nested = otpp::run([]() -> asio::awaitable<int> {
    int inner = otpp::run([]() -> asio::awaitable<int> { co_return 5; }());
    co_return inner;
  }());
  CHECK(nested == 5);
}

namespace {

// Blocks the program's only thread in a handler, until what is printed has been seen or ten seconds have passed.
struct blocker {
  struct block {
    captured_stderr* output;
  };
  int init() { return 0; }
  void handle_cast(block m, int&) {
    std::raise(SIGTERM);
    auto until = clock_type::now() + 10s;
    while (!m.output->has_text() && clock_type::now() < until) {
      std::this_thread::sleep_for(1ms);
    }
  }
};

} // namespace

TEST_CASE("run: prints what lives if the program does not end, when asked to", "[run]") {
  captured_stderr output;
  auto program = [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<blocker>(otpp::named("run blocker"));
    co_await otpp::cast<blocker::block>(server, &output);
    co_await wait_long();
  };
  int status = otpp::run(program, otpp::run_options().report_after(20ms));
  std::string text = output.text();
  INFO(text);
  CHECK(status == 0);
  CHECK(
      text.find("told to end 0.0 s ago, and has not; its coroutine has not returned, and these live:") !=
      text.npos);
  CHECK(text.find("\"run blocker\"") != text.npos);
  CHECK(text.find("blocker::block") != text.npos);
}

TEST_CASE("run: prints what lives if a server does not end after the coroutine", "[run]") {
  captured_stderr output;
  auto program = [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<blocker>(otpp::named("run blocker"));
    co_await otpp::cast<blocker::block>(server, &output);
  };
  int status = otpp::run(program, otpp::run_options().report_after(20ms));
  std::string text = output.text();
  INFO(text);
  CHECK(status == 0);
  CHECK(text.find("\"run blocker\"") != text.npos);
}

TEST_CASE(
    "run: a program that ends in time prints nothing, and its signal handler is in force again", "[run]") {
  captured_stderr output;
  auto before = std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGTERM, before);
  int status = otpp::run(open_house, otpp::run_options().report_after(10s));
  auto after = std::signal(SIGTERM, before);
  std::string text = output.text();
  CHECK(status == 0);
  CHECK(text.empty());
  CHECK((before == after));
}
