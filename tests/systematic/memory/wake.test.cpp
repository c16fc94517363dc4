// SPDX-License-Identifier: BSL-1.0

// Between a message's being published and its handler, and between an answer and its caller, nothing is
// allocated.

#include "subject.hpp"

#include "support/probe.hpp"

#include <otpp/otpp.hpp>

#include <asio/bind_executor.hpp>
#include <asio/thread_pool.hpp>

#include <atomic>
#include <functional>
#include <optional>
#include <type_traits>

namespace {

// Says when its handlers run, by how many allocations there had been by then.
struct marks {
  std::atomic<long> at_handler{-1};
  std::atomic<long> at_answer{-1};
  std::optional<otpp::caller<int>> kept; // of the server's thread, until at_handler says so
};

struct marker {
  struct get {
    using reply_type = int;
  };
  struct keep {
    using reply_type = int;
  };
  struct think {
    using reply_type = int;
  };
  struct told {};
  struct heard {};

  marks* init(marks* where) { return where; }
  int handle_call(get, marks*& where) {
    where->at_handler = failing_memory::allocations();
    return 1;
  }
  void handle_call(keep, otpp::caller<int> from, marks*& where) {
    where->kept.emplace(std::move(from));
    where->at_handler = failing_memory::allocations();
  }
  asio::awaitable<int> handle_call(think, marks*& where) {
    where->at_handler = failing_memory::allocations();
    co_return 1;
  }
  void handle_cast(told, marks*& where) { where->at_handler = failing_memory::allocations(); }
  void handle_info(heard, marks*& where) { where->at_handler = failing_memory::allocations(); }
};

using marker_ref = otpp::server_ref<marker>;

template <class Context>
marker_ref start_marker(Context& context, marks& where) {
  std::atomic<bool> is_there{false};
  std::optional<marker_ref> made;
  auto body = [&]() -> asio::awaitable<void> {
    marker_ref server = co_await otpp::start<marker>(&where);
    made.emplace(server);
    is_there = true;
  };
  asio::co_spawn(context, body(), [](std::exception_ptr) {});
  if constexpr (std::is_same_v<Context, asio::io_context>) {
    context.run();
    context.restart();
  }
  REQUIRE(eventually([&] { return is_there.load(); }));
  return *made;
}

// Sends with `send` to a server that is parked, lets it run with `let_run`, and returns how many blocks were
// allocated from before the sending to the handler.
template <class Send, class LetRun>
long blocks_to_handler(marks& where, Send send, LetRun let_run) {
  where.at_handler = -1;
  long before = failing_memory::allocations();
  send();
  let_run();
  bool has_run = eventually([&] { return where.at_handler.load() != -1; });
  REQUIRE(has_run);
  return where.at_handler - before;
}

void check_verbs(marks& where, const marker_ref& server, const std::function<void()>& let_run) {
  long cast = 0;
  long info = 0;
  long call = 0;
  long timer = 0;
  for (int time = 0; time != 3; ++time) { // the first makes the context's lane, its timer and the like
    cast = blocks_to_handler(where, [&] { otpp::try_cast<marker::told>(server); }, let_run);
    info = blocks_to_handler(where, [&] { otpp::try_send<marker::heard>(server); }, let_run);
    call = blocks_to_handler(
        where, [&] { otpp::call_for<marker::get>(server, otpp::infinite, forget); }, let_run);
    timer = blocks_to_handler(
        where, [&] { otpp::send_after<marker::heard>(otpp::duration::zero(), server); }, let_run);
  }
  CHECK(timer == 2); // the timer and its message, before it is set
  CHECK(cast == 1);  // the message, before it is published
  CHECK(info == 1);
  CHECK(call == 1); // message, slot and handler in one
}

} // namespace

TEST_CASE("memory: waking a server takes none", "[memory]") {
  marks where;
  SECTION("on an io_context") {
    asio::io_context context;
    marker_ref server = start_marker(context, where);
    check_verbs(where, server, [&] {
      context.restart();
      context.poll();
    });
  }
  SECTION("on a thread_pool") {
    asio::thread_pool pool(1);
    marker_ref server = start_marker(pool, where);
    check_verbs(where, server, [] {});
    pool.join();
  }
}

TEST_CASE("memory: sending from inside a turn takes the message's memory alone", "[memory]") {
  marks where;
  asio::io_context context;
  marker_ref server = start_marker(context, where);
  auto body = [&]() -> asio::awaitable<void> {
    for (int time = 0; time != 3; ++time) {
      int answer = co_await otpp::call<marker::get>(server);
      long before = failing_memory::allocations();
      answer = co_await otpp::call<marker::get>(server);
      long after = failing_memory::allocations();
      CHECK(answer == 1);
      CHECK(where.at_handler - before == 2); // Asio's frame, and the operation
      CHECK(after == where.at_handler);      // the answer comes home for nothing
    }
  };
  asio::co_spawn(context, body(), [](std::exception_ptr) {});
  context.run();
  REQUIRE(where.at_handler != -1);
}

TEST_CASE("memory: an answer takes none on its way", "[memory]") {
  marks where;
  asio::io_context context;
  asio::io_context other;
  marker_ref server = start_marker(context, where);
  auto let_run = [](asio::io_context& one) {
    one.restart();
    one.poll();
  };
  SECTION("to a caller on the server's context, and to one on another, kept or not") {
    for (int time = 0; time != 3; ++time) {
      for (asio::io_context* home : {&context, &other}) {
        for (bool is_kept : {false, true}) {
          where.at_answer = -1;
          long answered = 0;
          auto done = asio::bind_executor(
              *home, [&](std::exception_ptr, int) { where.at_answer = failing_memory::allocations(); });
          if (is_kept) {
            otpp::call_for<marker::keep>(server, otpp::infinite, done);
            let_run(context);
            REQUIRE(where.kept);
            answered = failing_memory::allocations();
            where.kept->reply(5);
            where.kept.reset();
          } else {
            otpp::call_for<marker::get>(server, otpp::infinite, done);
            let_run(context);
            answered = where.at_handler;
          }
          let_run(*home);
          REQUIRE(where.at_answer != -1);
          if (time != 0) {
            CHECK(where.at_answer - answered == 0);
          }
        }
      }
    }
  }
  SECTION("from a thread that is no context's") {
    asio::thread_pool pool(1);
    std::atomic<long> at_answer{-1};
    otpp::call_for<marker::keep>(
        server, otpp::infinite, asio::bind_executor(pool, [&](std::exception_ptr, int) {
          at_answer = failing_memory::allocations();
        }));
    let_run(context);
    REQUIRE(where.kept);
    long answered = failing_memory::allocations();
    where.kept->reply(5);
    bool is_there = eventually([&] { return at_answer.load() != -1; });
    REQUIRE(is_there);
    CHECK(at_answer - answered == 0);
    pool.join();
  }
}

// What the worker needs, once it is there: the handler's frames.
TEST_CASE("memory: a coroutine handler takes its frames and no more", "[memory]") {
  marks where;
  asio::io_context context;
  marker_ref server = start_marker(context, where);
  auto let_run = [&] {
    context.restart();
    context.poll();
  };
  long first = 0;
  long later = 0;
  for (int time = 0; time != 3; ++time) {
    later = blocks_to_handler(
        where, [&] { otpp::call_for<marker::think>(server, otpp::infinite, forget); }, let_run);
    first = time == 0 ? later : first;
  }
  CHECK(later == 3); // the operation, the frame that looks after the handler, the handler's own
  CHECK(first > later);
}
