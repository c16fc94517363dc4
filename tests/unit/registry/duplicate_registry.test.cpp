// SPDX-License-Identifier: BSL-1.0

#include <otpp/registry/duplicate_registry.hpp>

#include <otpp/otpp.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/run.hpp"

#include <string>
#include <vector>

TEST_CASE("duplicate_registry: many servers to a key, and many keys to a server") {
  run([&]() -> asio::awaitable<void> {
    otpp::duplicate_registry topics;
    auto a = co_await otpp::start<counter>(1);
    auto b = co_await otpp::start<counter>(2);
    topics.add("rain", a);
    topics.add("rain", b);
    topics.add("rain", a);
    topics.add("sun", a);
    CHECK(topics.lookup("rain") == std::vector<otpp::pid>{a, b, a});
    CHECK(topics.lookup<counter>("sun") == std::vector<otpp::server_ref<counter>>{a});
    CHECK(topics.lookup("snow").empty());
    CHECK(topics.keys(a) == std::vector<std::string>{"rain", "sun"});
    CHECK(topics.keys(b) == std::vector<std::string>{"rain"});
    CHECK(topics.keys() == std::vector<std::string>{"rain", "sun"});
    CHECK(topics.count() == 4);
    CHECK(topics.count("rain") == 3);
    CHECK(topics.remove("rain", a) == 2); // all of its own, as Elixir's unregister
    CHECK(topics.remove("rain", a) == 0);
    CHECK(topics.lookup("rain") == std::vector<otpp::pid>{b});
    co_await a.stop();
    CHECK(topics.keys() == std::vector<std::string>{"rain"});
    CHECK(topics.count() == 1);
    co_await b.stop();
    CHECK(topics.count() == 0);
  });
}

TEST_CASE("duplicate_registry: dispatch visits each, in no lock") {
  run([&]() -> asio::awaitable<void> {
    otpp::duplicate_registry topics;
    auto a = co_await otpp::start<counter>(1);
    auto b = co_await otpp::start<counter>(2);
    topics.add("rain", a);
    topics.add("rain", b);
    std::size_t visited = topics.dispatch<counter>("rain", [&](const otpp::server_ref<counter>& one) {
      otpp::try_cast<counter::set>(one, 7);
      topics.remove("rain", one); // would wait for itself in a lock
    });
    CHECK(visited == 2);
    CHECK(topics.dispatch("rain", [](const otpp::pid&) {}) == 0);
    int value = co_await otpp::call<counter::get>(b);
    CHECK(value == 7);
    co_await a.stop();
    co_await b.stop();
  });
}
