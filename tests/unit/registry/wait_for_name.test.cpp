// SPDX-License-Identifier: BSL-1.0

#include <otpp/registry/wait_for_name.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/registry/registry.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/this_coro.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <system_error>

using namespace std::chrono_literals;

namespace {

using pending_ref = pending<otpp::server_ref<counter>>;

asio::awaitable<void> wait_and_start() {
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  pending_ref waiting = in_background(executor, otpp::wait_for_name<counter>("wait-a"));
  co_await some_steps();
  auto server = co_await otpp::start<counter>(otpp::named("wait-a"), 3);
  auto seen = co_await waiting.get();
  CHECK(seen == server);
  co_await server.stop();
}

// A wait that is over has left: its memory, and the executor on which it was to complete, are not kept until the name
// comes.
bool nobody_waits_in(const otpp::registry& names) {
  return otpp::detail::access::table(names)->waiting.empty();
}

} // namespace

TEST_CASE("wait_for_name: comes when the name does, and leaves nothing behind", "[wait_for_name]") {
  run(wait_and_start);
  std::size_t steps = abandon_at_every_step(wait_and_start);
  CHECK(steps > 1);
}

TEST_CASE("wait_for_name: a name that is there is there at once", "[wait_for_name]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    auto server = co_await otpp::start<counter>(otpp::named("a").in(names), 3);
    auto seen = co_await otpp::wait_for_name<counter>("a", 0s, names);
    CHECK(seen == server);
    otpp::register_name("b", server, names);
    seen = co_await otpp::wait_for_name<counter>("b", otpp::infinite, names);
    CHECK(seen == server);
    co_await server.stop();
  });
}

TEST_CASE("wait_for_name: a new name of an old server counts, for all who wait", "[wait_for_name]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto server = co_await otpp::start<counter>(3);
    std::array<pending_ref, 3> waiting;
    for (pending_ref& one : waiting) {
      one = in_background(executor, otpp::wait_for_name<counter>("b", 5s, names));
    }
    pending_ref other = in_background(executor, otpp::wait_for_name<counter>("c", 5s, names));
    co_await some_steps();
    otpp::register_name("b", server, names);
    for (pending_ref& one : waiting) {
      auto seen = co_await one.get();
      CHECK(seen == server);
    }
    CHECK_FALSE(other.is_done());
    otpp::register_name("c", server, names);
    auto seen = co_await other.get();
    CHECK(seen == server);
    co_await server.stop();
  });
}

TEST_CASE("wait_for_name: what does not come in time is a timeout", "[wait_for_name]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    for (otpp::duration timeout : {otpp::duration(2ms), otpp::duration(0), otpp::duration(-1)}) {
      std::error_code error = co_await code_of(otpp::wait_for_name<counter>("a", timeout, names));
      CHECK(error == otpp::errc::timeout);
      CHECK(nobody_waits_in(names));
    }
    // Who has given up is not told, and does no harm.
    auto server = co_await otpp::start<counter>(otpp::named("a").in(names), 3);
    co_await server.stop();
  });
}

TEST_CASE("wait_for_name: a server with other callbacks is bad_message", "[wait_for_name]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    pending_ref waiting = in_background(executor, otpp::wait_for_name<counter>("a", 5s, names));
    co_await some_steps();
    auto server = co_await otpp::start<scribe>(otpp::named("a").in(names), journal());
    std::error_code error = co_await waiting.code();
    CHECK(error == otpp::errc::bad_message);
    error = co_await code_of(otpp::wait_for_name<counter>("a", 5s, names));
    CHECK(error == otpp::errc::bad_message);
    co_await server.stop();
  });
}

TEST_CASE("wait_for_name: a registry that is destroyed says no_process", "[wait_for_name]") {
  run([]() -> asio::awaitable<void> {
    auto names = std::make_unique<otpp::registry>();
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    pending_ref waiting = in_background(executor, otpp::wait_for_name<counter>("a", 5s, *names));
    co_await some_steps();
    names.reset();
    std::error_code error = co_await waiting.code();
    CHECK(error == otpp::errc::no_process);
  });
}

TEST_CASE("wait_for_name: who is cancelled waits no more", "[wait_for_name]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::cancellation_signal cancel;
    pending<> waiting;
    asio::co_spawn(
        executor,
        [](otpp::registry& in) -> asio::awaitable<void> {
          co_await otpp::wait_for_name<counter>("a", otpp::infinite, in);
        }(names),
        asio::bind_cancellation_slot(cancel.slot(), waiting.token()));
    co_await some_steps();
    CHECK_FALSE(waiting.is_done());
    cancel.emit(asio::cancellation_type::terminal);
    std::error_code error = co_await waiting.code();
    CHECK(error == asio::error::operation_aborted);
    CHECK(nobody_waits_in(names));
    auto server = co_await otpp::start<counter>(otpp::named("a").in(names), 3);
    co_await server.stop();
  });
}

TEST_CASE("wait_for_name: who is destroyed with its context waits no more", "[wait_for_name]") {
  otpp::registry names;
  {
    asio::io_context context;
    pending_ref waiting =
        in_background(context.get_executor(), otpp::wait_for_name<counter>("a", otpp::infinite, names));
    context.poll();
    CHECK_FALSE(nobody_waits_in(names));
  }
  CHECK(nobody_waits_in(names));
}
