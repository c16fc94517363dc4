// SPDX-License-Identifier: BSL-1.0

#include <otpp/address/server_ref.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/registry/registry.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>

using counter_ref = otpp::server_ref<counter>;

static_assert(std::is_copy_constructible_v<counter_ref>);
static_assert(std::is_copy_assignable_v<counter_ref>);
static_assert(std::is_nothrow_move_constructible_v<counter_ref>);
static_assert(std::is_nothrow_default_constructible_v<counter_ref>);
static_assert(!std::is_convertible_v<otpp::server_ref<scribe>, counter_ref>);
static_assert(std::is_same_v<counter_ref::callbacks_type, counter>);

TEST_CASE("server_ref: copies are the same server, and others are not", "[server_ref]") {
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<counter>(1);
    auto second = co_await otpp::start<counter>(1);
    counter_ref copy = first;
    CHECK(copy == first);
    CHECK(copy != second);
    CHECK(copy.id() == first.id());
    CHECK(first.id() != second.id());
    std::unordered_set<counter_ref> set = {first, copy, second};
    CHECK(set.size() == 2);
    counter_ref moved = std::move(copy);
    CHECK(moved == first);
    copy = second;
    CHECK(copy == second);
    co_await first.stop();
    CHECK(moved.has_ended());
    CHECK_FALSE(second.has_ended());
    CHECK(moved == first); // still
    co_await second.stop();
  });
}

TEST_CASE("server_ref: keeps no server alive, and no state", "[server_ref]") {
  struct keeper {
    std::shared_ptr<int> init(std::shared_ptr<int> kept) { return kept; }
  };
  auto kept = std::make_shared<int>(0);
  std::shared_ptr<otpp::server_ref<keeper>> reference;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<keeper>(kept);
    reference = std::make_shared<otpp::server_ref<keeper>>(server);
    CHECK(kept.use_count() == 2);
  });
  CHECK(reference->has_ended()); // the context is gone
  CHECK(kept.use_count() == 1);
  CHECK(reference->id() != 0);
}

TEST_CASE("server_ref: dropping every reference does not end the server", "[server_ref]") {
  run([]() -> asio::awaitable<void> {
    co_await otpp::start<counter>(otpp::named("ref-dropped"), 4);
    int count = co_await otpp::call<counter::get>("ref-dropped");
    CHECK(count == 4);
    auto server = otpp::whereis<counter>("ref-dropped");
    REQUIRE(server.has_value());
    co_await server->stop();
  });
}
