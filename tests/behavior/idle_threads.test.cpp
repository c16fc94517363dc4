// SPDX-License-Identifier: BSL-1.0

// Where several threads run a context, what is ready does not wait for a handler that computes or blocks. In each
// test a handler blocks until what should overtake it has happened.

#include <otpp/otpp.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;

constexpr auto long_enough = 20s; // to be sure that it does not happen

// Something that happens once, for which a thread can wait.
class happening {
 public:
  void happens() { told_.set_value(); }
  bool is_waited_for() { return known_.wait_for(long_enough) == std::future_status::ready; }

 private:
  std::promise<void> told_;
  std::future<void> known_ = told_.get_future();
};

// Its handlers block until the event comes, and answer whether it came.
struct blocker {
  struct wait_for {
    happening* what;
    using reply_type = bool;
  };
  struct wait_until {
    happening* what;
    std::promise<bool>* came;
  };
  struct quick {
    using reply_type = int;
  };
  int init() { return 0; }
  bool handle_call(wait_for m, int&) { return m.what->is_waited_for(); }
  void handle_cast(wait_until m, int&) { m.came->set_value(m.what->is_waited_for()); }
  int handle_call(quick, int&) { return 2; }
};

struct helper {
  struct tell {
    happening* what;
  };
  int init() { return 0; }
  void handle_cast(tell m, int&) { m.what->happens(); }
};

// Its handler wakes the helper, and blocks until the helper has run.
struct boss {
  struct delegate {
    happening* what;
    using reply_type = bool;
  };
  otpp::server_ref<helper> init(otpp::server_ref<helper> whom) { return whom; }
  bool handle_call(delegate m, otpp::server_ref<helper>& whom) {
    otpp::try_cast<helper::tell>(whom, m.what);
    return m.what->is_waited_for();
  }
};

// Its handler does what it is told, and blocks until the event comes.
struct asker {
  struct ask {
    std::function<void()> what;
    happening* until;
    using reply_type = bool;
  };
  int init() { return 0; }
  bool handle_call(ask m, int&) {
    m.what();
    return m.until->is_waited_for();
  }
};

asio::awaitable<bool> delegates(happening& done) {
  auto whom = co_await otpp::start<helper>();
  auto chief = co_await otpp::start<boss>(whom);
  bool came = co_await otpp::call<boss::delegate>(chief, &done);
  co_await whom.stop();
  co_await chief.stop();
  co_return came;
}

// A call with a timeout that is made where another call has just resumed the caller: nothing but the turn knows of it.
asio::awaitable<bool> gives_up(happening& over) {
  auto server = co_await otpp::start<blocker>();
  std::promise<bool> overtaken;
  std::future<bool> was_overtaken = overtaken.get_future();
  int answer = co_await otpp::call<blocker::quick>(server);
  CHECK(answer == 2);
  std::error_code code;
  try {
    bool came = co_await otpp::call_for<blocker::wait_for>(server, 20ms, &over);
    (void)came;
  } catch (const otpp::error& error) {
    code = error.code();
  }
  over.happens();
  co_await server.stop();
  co_return code == otpp::errc::timeout;
}

// Runs a context of two threads until the test is done.
class two_threads {
 public:
  two_threads() {
    for (int n = 0; n != 2; ++n) {
      threads_.emplace_back([this] { io_.run(); });
    }
    // Both have run something of the library's: only then is it known that there are two.
    std::atomic<int> here{0};
    auto meet = [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<blocker>();
      ++here;
      while (here != 2) {
        std::this_thread::yield();
      }
      co_await server.stop();
    };
    auto first = asio::co_spawn(io_, meet, asio::use_future);
    auto second = asio::co_spawn(io_, meet, asio::use_future);
    first.get();
    second.get();
  }
  ~two_threads() {
    work_.reset();
    for (std::thread& one : threads_) {
      one.join();
    }
  }

  asio::any_io_executor executor() { return io_.get_executor(); }

 private:
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  std::vector<std::thread> threads_;
};

} // namespace

TEST_CASE("idle_threads: a server that a handler has woken does not wait for the handler") {
  happening done;
  SECTION("on a pool") {
    asio::thread_pool pool(2);
    bool came = asio::co_spawn(pool, delegates(done), asio::use_future).get();
    CHECK(came);
    pool.join();
  }
  SECTION("on an io_context that two threads run") {
    two_threads io;
    bool came = asio::co_spawn(io.executor(), delegates(done), asio::use_future).get();
    CHECK(came);
  }
}

TEST_CASE("idle_threads: a caller that was answered does not wait for the next handler") {
  asio::thread_pool pool(2);
  happening resumed;
  happening sent;
  std::promise<bool> overtaken;
  auto test = [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<blocker>();
    // The server is busy until the call and the cast are in its mailbox, and then handles them in one turn.
    std::promise<bool> held;
    co_await otpp::cast<blocker::wait_until>(server, &sent, &held);
    auto caller = asio::co_spawn(
        pool,
        [](otpp::server_ref<blocker> whom, happening& told) -> asio::awaitable<void> {
          int answer = co_await otpp::call<blocker::quick>(whom);
          CHECK(answer == 2);
          told.happens();
        }(server, resumed),
        asio::use_future);
    co_await asio::post(asio::use_awaitable);
    co_await otpp::cast<blocker::wait_until>(server, &resumed, &overtaken);
    sent.happens();
    co_await server.stop();
    caller.get();
  };
  auto all = asio::co_spawn(pool, test, asio::use_future);
  bool came = overtaken.get_future().get();
  CHECK(came);
  all.get();
  pool.join();
}

// More lanes than the watchdog takes waits of at once.
TEST_CASE("idle_threads: calls of one handler for many executors are answered while it goes on") {
  asio::thread_pool pool(2);
  std::vector<asio::strand<asio::thread_pool::executor_type>> strands;
  for (int n = 0; n != 12; ++n) {
    strands.push_back(asio::make_strand(pool.get_executor()));
  }
  happening all_answered;
  std::atomic<std::size_t> answered{0};
  auto asks = [&](otpp::server_ref<blocker> whom) {
    for (auto& one : strands) {
      otpp::call<blocker::quick>(whom, asio::bind_executor(one, [&](std::exception_ptr error, int) {
                                   if (!error && ++answered == strands.size()) {
                                     all_answered.happens();
                                   }
                                 }));
    }
  };
  auto test = [&]() -> asio::awaitable<bool> {
    auto whom = co_await otpp::start<blocker>();
    auto chief = co_await otpp::start<asker>();
    bool came = co_await otpp::call<asker::ask>(chief, [&] { asks(whom); }, &all_answered);
    co_await whom.stop();
    co_await chief.stop();
    co_return came;
  };
  bool came = asio::co_spawn(pool, test, asio::use_future).get();
  CHECK(came);
  pool.join();
}

TEST_CASE("idle_threads: the timeout of a call does not wait for its server's handler") {
  happening over;
  asio::thread_pool pool(2);
  bool timed_out = asio::co_spawn(pool, gives_up(over), asio::use_future).get();
  CHECK(timed_out);
  pool.join();
}
