// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/reply.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

namespace {

// Answers from a coroutine that it spawns, while it serves others.
struct kitchen {
  struct order {
    std::string dish;
    using reply_type = std::string;
  };
  struct knock {
    using reply_type = void;
  };
  int init() { return 0; }

  asio::awaitable<void> handle_call(order m, otpp::caller<std::string> from, int& cooking) {
    ++cooking;
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, cook(std::move(m.dish), std::move(from)), [](std::exception_ptr error) {
      if (error) {
        std::rethrow_exception(error);
      }
    });
  }
  asio::awaitable<void> handle_call(knock, otpp::caller<void> from, int&) {
    co_await otpp::reply(std::move(from));
  }

  static asio::awaitable<void> cook(std::string dish, otpp::caller<std::string> from) {
    co_await asio::post(asio::use_awaitable);
    dish += ", done";
    co_await otpp::reply(std::move(from), std::move(dish));
  }
};

asio::awaitable<void> order_three() {
  auto server = co_await otpp::start<kitchen>();
  pending<std::string> first;
  pending<std::string> second;
  otpp::call<kitchen::order>(server, "soup", first.token());
  otpp::call<kitchen::order>(server, "fish", second.token());
  std::string third = co_await otpp::call<kitchen::order>(server, "cake");
  std::string soup = co_await first.get();
  std::string fish = co_await second.get();
  CHECK(soup == "soup, done");
  CHECK(fish == "fish, done");
  CHECK(third == "cake, done");
  co_await otpp::call<kitchen::knock>(server);
  co_await server.stop();
}

} // namespace

TEST_CASE("reply: answers from another coroutine", "[reply]") { run(order_three); }

TEST_CASE("reply: leaves nothing behind wherever it ends", "[reply]") {
  std::size_t steps = abandon_at_every_step(order_three);
  CHECK(steps > 1);
}

TEST_CASE("reply: what comes too late is dropped, and is no error", "[reply]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    std::error_code error =
        co_await code_of(otpp::call_for<scribe::keep>(server, std::chrono::milliseconds(1), kept));
    CHECK(error == otpp::errc::timeout);
    co_await otpp::reply(std::move(**kept), 1);
    CHECK_FALSE(server.has_ended());

    kept = keep_caller();
    pending<int> answer;
    otpp::call<scribe::keep>(server, kept, answer.token());
    co_await until([&] { return kept->has_value(); });
    co_await server.stop();
    co_await otpp::reply(std::move(**kept), 2);
    error = co_await answer.code();
    CHECK(error == otpp::errc::exited);
  });
}

TEST_CASE("reply: the answer is given before it is awaited, and takes a token", "[reply]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(journal());
    kept_caller kept = keep_caller();
    pending<int> answer;
    otpp::call<scribe::keep>(server, kept, answer.token());
    co_await until([&] { return kept->has_value(); });
    {
      auto unused = otpp::reply(std::move(**kept), 3);
      (void)unused;
    }
    int value = co_await answer.get();
    CHECK(value == 3);

    kept = keep_caller();
    pending<int> again;
    otpp::call<scribe::keep>(server, kept, again.token());
    co_await until([&] { return kept->has_value(); });
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    pending<> done;
    otpp::reply(std::move(**kept), 4, asio::bind_executor(executor, done.token()));
    co_await done.get();
    value = co_await again.get();
    CHECK(value == 4);
    co_await server.stop();
  });
}
