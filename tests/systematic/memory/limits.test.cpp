// SPDX-License-Identifier: BSL-1.0

// What Asio does when its own memory fails, and the library cannot mend: each allocation in a process of its
// own, because it may be the last. For people who ask: hidden, and it says what it sees.

#include "subject.hpp"

#include <otpp/otpp.hpp>

#include <asio/bind_executor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>

#include <csignal>
#include <cstdio>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

struct waits_for_asio {
  struct rest {
    using reply_type = int;
  };
  struct get {
    using reply_type = int;
  };
  int init() { return 1; }
  asio::awaitable<int> handle_call(rest, int& n) {
    asio::any_io_executor here = co_await asio::this_coro::executor;
    asio::steady_timer timer(here, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    co_return n;
  }
  int handle_call(get, int& n) { return n; }
};

struct fates {
  int as_it_should = 0;
  int complained = 0;
  int terminated = 0;
  int hung = 0;
};

// Runs a scenario with each allocation failing in turn.
template <class Scenario>
fates fail_in_children(const char* name, Scenario scenario) {
  failing_memory::run_once(scenario, -1);
  failing_memory::run_once(scenario, -1);
  long count = failing_memory::numbered();
  fates seen;
  std::printf("%s: %ld allocations\n", name, count);
  for (long index = 0; index != count; ++index) {
    std::fflush(stdout);
    pid_t child = ::fork();
    if (child == 0) {
      rlimit no_core{0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      std::signal(SIGABRT, SIG_DFL);
      std::signal(SIGALRM, SIG_DFL);
      ::alarm(2);
      std::fclose(stderr);
      std::string wrong = failing_memory::run_once(scenario, index);
      if (wrong != "") {
        std::printf("  %ld: %s\n", index, wrong.c_str());
        std::fflush(stdout);
      }
      ::_exit(wrong == "" ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
      bool is_hung = WTERMSIG(status) == SIGALRM;
      std::printf("  %ld: %s\n", index, is_hung ? "hangs" : "ends the program");
      ++(is_hung ? seen.hung : seen.terminated);
    } else {
      ++(WEXITSTATUS(status) == 0 ? seen.as_it_should : seen.complained);
    }
  }
  std::printf(
      "%s: %d as it should be, %d complained, %d ended the program, %d hung\n", name, seen.as_it_should,
      seen.complained, seen.terminated, seen.hung);
  return seen;
}

} // namespace

TEST_CASE("memory: what is Asio's own", "[.limits]") {
  SECTION("a caller on a strand") {
    fail_in_children("call from a strand, timing out", [] {
      world w;
      auto strand = asio::make_strand(w.context());
      tally<int> how;
      how.begin_armed([&] {
        otpp::call_for<subject::later>(
            w.server(), std::chrono::milliseconds(1), asio::bind_executor(strand, how.handler()));
      });
      w.context().restart();
      w.context().run_for(std::chrono::milliseconds(300));
      disarm();
      how.check();
    });
  }
  SECTION("a context that is destroyed while a coroutine waits") {
    fail_in_children("context destroyed under a call", [] {
      auto body = [](world& w) -> asio::awaitable<void> {
        co_await otpp::call_for<subject::later>(w.server(), otpp::infinite);
      };
      {
        world w;
        asio::co_spawn(w.context(), body(w), [](std::exception_ptr) {});
        w.context().restart();
        w.context().poll();
        arm();
      }
      disarm();
    });
  }
  SECTION("a handler that waits for one of Asio's operations") {
    otpp::subscription quiet = otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
    fail_in_children("handler waits for a timer", [] {
      asio::io_context context;
      std::optional<otpp::server_ref<waits_for_asio>> server;
      auto starting = [&]() -> asio::awaitable<void> {
        otpp::server_ref<waits_for_asio> made = co_await otpp::start<waits_for_asio>();
        server.emplace(made);
      };
      asio::co_spawn(context, starting(), [](std::exception_ptr) {});
      context.run();
      tally<int> how;
      how.begin_armed([&] { otpp::call_for<waits_for_asio::rest>(*server, otpp::infinite, how.handler()); });
      for (int attempt = 0; attempt != 5; ++attempt) {
        try {
          context.restart();
          context.run_for(std::chrono::milliseconds(300));
        } catch (const std::bad_alloc&) {
          // out of run(), as of any of Asio's operations
        }
      }
      disarm();
      how.check();
    });
  }
  SECTION("co_spawn") {
    fail_in_children("co_spawn of a call", [] {
      world w;
      bool is_done = false;
      auto body = [&]() -> asio::awaitable<void> {
        int n = co_await otpp::call<subject::add>(w.server(), 5);
        expect(n == 5, "a wrong answer");
      };
      arm();
      try {
        asio::co_spawn(w.context(), body(), [&](std::exception_ptr) { is_done = true; });
        w.run();
      } catch (const std::bad_alloc&) {
        is_done = true;
      }
      disarm();
      expect(is_done, "the coroutine hangs");
    });
  }
}
