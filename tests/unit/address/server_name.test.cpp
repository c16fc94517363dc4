// SPDX-License-Identifier: BSL-1.0

#include <otpp/address/server_name.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/registry/registry.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>

#include <system_error>

namespace {

constexpr otpp::server_name<counter> counter_name{"name-counter"};
static_assert(counter_name.name() == "name-counter");
static_assert(counter_name.in() == nullptr);
constexpr otpp::server_name<counter> another_copy = counter_name;
static_assert(another_copy.name() == counter_name.name());

} // namespace

TEST_CASE("server_name: is looked up at each use, so that it follows a restart", "[server_name]") {
  run([]() -> asio::awaitable<void> {
    for (int n = 0; n != 3; ++n) {
      std::error_code error = co_await code_of(otpp::call<counter::get>(counter_name));
      CHECK(error == otpp::errc::no_process);
      auto server = co_await otpp::start<counter>(otpp::named("name-counter"), n);
      int count = co_await otpp::call<counter::get>(counter_name);
      CHECK(count == n);
      co_await server.stop();
    }
  });
}

TEST_CASE("server_name: looks where it is told to", "[server_name]") {
  run([]() -> asio::awaitable<void> {
    otpp::registry names;
    const otpp::server_name<counter> mine("name-counter", names);
    CHECK(mine.in() == &names);
    auto server = co_await otpp::start<counter>(otpp::named("name-counter").in(names), 6);
    int count = co_await otpp::call<counter::get>(mine);
    CHECK(count == 6);
    CHECK(otpp::try_cast<counter::set>(mine, 7));
    CHECK_FALSE(otpp::try_cast<counter::set>(counter_name, 7)); // not in the global one
    co_await server.stop();
  });
}

TEST_CASE("server_name: a name of a server with other callbacks is bad_message", "[server_name]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<scribe>(otpp::named("name-counter"), journal());
    std::error_code error = co_await code_of(otpp::call<counter::get>(counter_name));
    CHECK(error == otpp::errc::bad_message);
    CHECK_FALSE(otpp::try_cast<counter::set>(counter_name, 7));
    co_await server.stop();
  });
}
