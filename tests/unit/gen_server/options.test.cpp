// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/options.hpp>

#include <otpp/error.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>

#include "support/catch.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>

static_assert(!std::is_aggregate_v<otpp::options>); // GCC 12 destroys those twice in a co_await expression

TEST_CASE("options: say nothing unless told", "[options]") {
  otpp::options plain;
  CHECK_FALSE(plain.name().has_value());
  CHECK_FALSE(plain.executor());
  CHECK(plain.mailbox_limit() == 0);
  CHECK_FALSE(plain.blocks());
  CHECK(&plain.names() == &otpp::registry::global());
}

TEST_CASE("options: can be said in one breath, or one by one", "[options]") {
  asio::io_context context;
  otpp::registry names;
  otpp::options all = otpp::named("a").in(names).on(context.get_executor()).mailbox_limit(3).may_block();
  CHECK(all.name() == std::optional<std::string>("a"));
  CHECK(all.executor() == asio::any_io_executor(context.get_executor()));
  CHECK(all.mailbox_limit() == 3);
  CHECK(all.blocks());
  CHECK(&all.names() == &names);

  otpp::options slowly;
  slowly.name("b").in(names).mailbox_limit(4);
  slowly.on(context.get_executor());
  CHECK(slowly.name() == std::optional<std::string>("b"));
  CHECK(slowly.executor() == asio::any_io_executor(context.get_executor()));
  CHECK(slowly.mailbox_limit() == 4);
  CHECK(&slowly.names() == &names);
}

namespace {

struct witness {
  struct note {
    bool* noted;
  };
  int init() { return 0; }
  void handle_cast(note m, int&) { *m.noted = true; }
};

// Its handlers run what else is ready on their context, as another thread of it would.
struct busy {
  struct work {
    otpp::server_ref<witness> whom;
    bool* noted;
    using reply_type = bool;
  };
  struct compute {
    using reply_type = int;
  };
  asio::io_context* init(asio::io_context* where) { return where; }
  bool handle_call(work m, asio::io_context*& where) {
    otpp::try_cast<witness::note>(m.whom, m.noted);
    where->poll();
    return *m.noted;
  }
  int handle_call(compute, asio::io_context*& where) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    where->poll();
    return 1;
  }
};

} // namespace

TEST_CASE("options: what a server that may block wakes does not wait for its handler", "[options]") {
  for (bool blocks : {false, true}) {
    asio::io_context context;
    bool noted = false;
    bool noted_inside = !blocks;
    auto client = [&]() -> asio::awaitable<void> {
      otpp::options how;
      if (blocks) {
        how.may_block();
      }
      auto whom = co_await otpp::start<witness>();
      auto server = co_await otpp::start<busy>(how, &context);
      noted_inside = co_await otpp::call<busy::work>(server, whom, &noted);
    };
    asio::co_spawn(context, client(), asio::detached);
    context.run();
    CHECK(noted_inside == blocks);
    CHECK(noted);
  }
}

TEST_CASE(
    "options: the timeout of a call to a server that may block begins before its handler", "[options]") {
  for (bool blocks : {false, true}) {
    asio::io_context context;
    std::error_code code;
    auto client = [&]() -> asio::awaitable<void> {
      otpp::options how;
      if (blocks) {
        how.may_block();
      }
      auto server = co_await otpp::start<busy>(how, &context);
      try {
        int answer = co_await otpp::call_for<busy::compute>(server, std::chrono::milliseconds(1));
        (void)answer;
      } catch (const otpp::error& error) {
        code = error.code();
      }
    };
    asio::co_spawn(context, client(), asio::detached);
    context.run();
    CHECK((code == otpp::errc::timeout) == blocks);
  }
}
