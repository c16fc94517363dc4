// SPDX-License-Identifier: BSL-1.0

#include <otpp/testing/explore.hpp>

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace otpp::testing;

namespace {

// Three clients, each of which writes its letter.
auto letters(std::set<std::string>& seen) {
  return [&seen](world& one) {
    std::string written;
    for (char letter : {'a', 'b', 'c'}) {
      one.spawn(std::string(1, letter), [&written, letter]() -> asio::awaitable<void> {
        written += letter;
        co_return;
      });
    }
    one.run();
    seen.insert(written);
  };
}

// Two clients read, add, and write back: an update is lost if the second overtakes the first.
void lose_an_update(world& one) {
  auto kept = std::make_shared<int>(0);
  one.spawn("ann", [kept]() -> asio::awaitable<void> {
    int read = *kept;
    co_await asio::post(asio::use_awaitable);
    *kept = read + 1;
  });
  one.spawn("bob", [kept]() -> asio::awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    co_await asio::post(asio::use_awaitable);
    *kept += 1;
  });
  one.run();
  one.check(*kept == 2, "an update is lost");
}

exploration_failed failure_of(orders which, void (*scenario)(world&)) {
  try {
    explore(std::move(which), scenario);
  } catch (const exploration_failed& failure) {
    return failure;
  }
  return {"no failure", ""};
}

} // namespace

TEST_CASE("testing: first in, first out is one schedule") {
  std::set<std::string> seen;
  report done = explore(orders::fifo(), letters(seen));
  CHECK(done.schedules == 1);
  CHECK(done.is_complete);
  CHECK(seen == std::set<std::string>{"abc"});
}

TEST_CASE("testing: all orders are all permutations") {
  std::set<std::string> seen;
  report done = explore(orders::all(), letters(seen));
  CHECK(done.is_complete);
  CHECK(seen.size() == 6);
}

TEST_CASE("testing: one deviation moves one thing forward") {
  std::set<std::string> seen;
  explore(orders::all(1), letters(seen));
  CHECK(seen == std::set<std::string>{"abc", "acb", "bac", "cab"});
}

TEST_CASE("testing: random orders come from the seed alone") {
  std::set<std::string> seen;
  std::set<std::string> again;
  report done = explore(orders::random(1, 200), letters(seen));
  explore(orders::random(1, 200), letters(again));
  CHECK(done.schedules == 200);
  CHECK(seen == again);
  CHECK(seen.size() > 3);
}

TEST_CASE("testing: orders come from bytes, one for each choice") {
  std::set<std::string> seen;
  explore(orders::from_bytes(std::string("\x02\x01", 2)), letters(seen));
  explore(orders::from_bytes(""), letters(seen));
  CHECK(seen == std::set<std::string>{"cba", "abc"});
}

TEST_CASE("testing: no more schedules than wanted") {
  std::set<std::string> seen;
  report done = explore(orders::all().at_most(3), letters(seen));
  CHECK(done.schedules == 3);
  CHECK_FALSE(done.is_complete);
}

TEST_CASE("testing: a failure says how to see it again") {
  exploration_failed failure = failure_of(orders::all(2), lose_an_update);
  CAPTURE(failure.what());
  CHECK(std::string(failure.what()).find("an update is lost") == 0);
  CHECK(std::string(failure.what()).find("bob ends") != std::string::npos);
  REQUIRE_FALSE(failure.replay().empty());
  exploration_failed again = failure_of(orders::replay(failure.replay()), lose_an_update);
  CHECK(again.replay() == failure.replay());
  CHECK_NOTHROW(explore(orders::replay(""), [](world&) {}));
}

TEST_CASE("testing: a replay that fits no schedule is refused") {
  CHECK_THROWS_AS(explore(orders::replay("nonsense"), lose_an_update), std::invalid_argument);
  exploration_failed failure = failure_of(orders::replay("0:9"), lose_an_update);
  CHECK(std::string(failure.what()).find("not one of this scenario") != std::string::npos);
}

TEST_CASE("testing: a scenario that is not the same each time is found out") {
  int runs = 0;
  auto fickle = [&](world& one) {
    ++runs;
    for (int i = 0; i < (runs < 3 ? 3 : 2); ++i) {
      one.spawn("client", []() -> asio::awaitable<void> { co_return; });
    }
  };
  std::string said;
  try {
    explore(orders::all(2), fickle);
  } catch (const exploration_failed& failure) {
    said = failure.what();
  }
  CHECK(said.find("not the same each time") != std::string::npos);
}

TEST_CASE("testing: servers, calls and casts run unchanged") {
  report done = explore(orders::all(2), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      auto server = co_await otpp::start<counter>(0);
      co_await otpp::cast<counter::set>(server, 1);
      int value = co_await otpp::call_for<counter::get>(server, otpp::infinite);
      if (value != 1) {
        throw std::runtime_error("not the value");
      }
      co_await server.stop();
    });
  });
  CHECK(done.is_complete);
  CHECK(done.schedules > 1);
}

TEST_CASE("testing: a trace says what the servers did") {
  exploration_failed failure = failure_of(orders::fifo(), [](world& one) {
    one.spawn("ann", []() -> asio::awaitable<void> {
      auto server = co_await otpp::start<counter>(otpp::named("traced"), 0);
      otpp::try_cast<counter::set>(server, 1);
      co_await server.stop();
      throw std::runtime_error("too bad");
    });
  });
  std::string said = failure.what();
  CAPTURE(said);
  CHECK(said.find("\"traced\" starts\n") != std::string::npos);
  CHECK(said.find("\"traced\" takes counter::set, sent in line ") != std::string::npos);
  CHECK(said.find("\"traced\" ends: normal\n") != std::string::npos);
  CHECK(said.find("sent in line 0") == std::string::npos); // a stop is sent nowhere
}

TEST_CASE("testing: a client that waits forever fails") {
  exploration_failed failure = failure_of(orders::fifo(), [](world& one) {
    one.spawn("ann", []() -> asio::awaitable<void> {
      co_await otpp::wait_for_name<counter>("nobody", otpp::infinite);
    });
  });
  CHECK(std::string(failure.what()).find("ann waits forever") == 0);
}

TEST_CASE("testing: an hour goes by in no time") {
  auto real = std::chrono::steady_clock::now();
  explore(orders::fifo(), [](world& one) {
    auto begin = one.now();
    one.spawn("client", []() -> asio::awaitable<void> {
      otpp::errc code{};
      try {
        co_await otpp::wait_for_name<counter>("nobody", 1h);
      } catch (const otpp::error& error) {
        code = error.code() == otpp::errc::timeout ? otpp::errc::timeout : otpp::errc{};
      }
      if (code != otpp::errc::timeout) {
        throw std::runtime_error("no timeout");
      }
    });
    one.run_for(59min);
    CHECK(one.now() - begin == 59min);
    one.run();
    CHECK(one.now() - begin == 1h);
  });
  CHECK(std::chrono::steady_clock::now() - real < 1min);
}

TEST_CASE("testing: what may happen does at every step, or not at all") {
  std::set<std::string> seen;
  explore(orders::all(1), [&](world& one) {
    std::string written;
    one.spawn("client", [&]() -> asio::awaitable<void> {
      written += 'a';
      co_await asio::post(asio::use_awaitable);
      written += 'b';
    });
    one.may("something happens", [&] { written += '!'; });
    one.run();
    seen.insert(written);
  });
  CHECK(seen == std::set<std::string>{"ab", "!ab", "a!b", "ab!"});
}

TEST_CASE("testing: a client can be cancelled where it waits") {
  explore(orders::fifo(), [](world& one) {
    client& waits = one.spawn("client", []() -> asio::awaitable<void> {
      co_await otpp::wait_for_name<counter>("nobody", otpp::infinite);
    });
    one.run();
    CHECK_FALSE(waits.has_ended());
    waits.cancel();
    one.run();
    CHECK(waits.has_ended());
  });
}

TEST_CASE("testing: the context can be destroyed at any step") {
  int destroyed = 0;
  explore(orders::all(1), [&](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      auto server = co_await otpp::start<counter>(0);
      co_await otpp::call_for<counter::get>(server, otpp::infinite);
    });
    one.may_destroy_main_context();
    one.run();
    destroyed += one.has_main_context() ? 0 : 1;
  });
  CHECK(destroyed > 3);
}

TEST_CASE("testing: contexts of one world have one order and one time") {
  std::set<std::string> seen;
  explore(orders::all(), [&](world& one) {
    context other(one);
    std::string written;
    one.spawn("here", [&]() -> asio::awaitable<void> {
      written += 'h';
      co_return;
    });
    one.spawn_on(other, "there", [&]() -> asio::awaitable<void> {
      written += 't';
      co_return;
    });
    one.run();
    seen.insert(written);
  });
  CHECK(seen == std::set<std::string>{"ht", "th"});
}

TEST_CASE("testing: what never ends is found out") {
  exploration_failed failure = failure_of(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      while (true) {
        co_await asio::post(asio::use_awaitable);
      }
    });
  });
  CHECK(std::string(failure.what()).find("no end after") != std::string::npos);
}

TEST_CASE("explore: a client is a function, or the coroutine itself") {
  explore(orders::fifo(), [](world& one) {
    auto ends = std::make_shared<int>(0);
    auto body = [ends]() -> asio::awaitable<void> {
      co_await asio::post(asio::use_awaitable);
      ++*ends;
    };
    one.spawn("ann", body);
    one.spawn("bob", body());
    one.run();
    one.check(*ends == 2, "a client has not run");
  });
}

namespace {

// A server with an interval, which goes on forever.
struct refilled {
  struct refill {};
  struct take {
    using reply_type = int;
  };
  int init() {
    otpp::send_interval<refill>(100ms, otpp::self<refilled>());
    return 0;
  }
  int handle_call(take, int& tokens) { return tokens; }
  void handle_info(refill, int& tokens) { ++tokens; }
};

// A server that never answers.
struct silent {
  struct ask {
    using reply_type = int;
  };
  std::vector<otpp::caller<int>> init() { return {}; }
  void handle_call(ask, otpp::caller<int> from, std::vector<otpp::caller<int>>& kept) {
    kept.push_back(std::move(from));
  }
};

} // namespace

TEST_CASE("explore: a client's exception is the failure, beside a server that never stops") {
  exploration_failed failure = failure_of(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      co_await otpp::start<refilled>();
      throw std::runtime_error("the cause");
    });
    one.run();
  });
  std::string text = failure.what();
  CHECK(text.starts_with("the cause\nin schedule 1;"));
}

TEST_CASE("explore: of a long schedule what repeats is folded, and the beginning and the end are shown") {
  exploration_failed failure = failure_of(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> { co_await otpp::start<refilled>(); });
    one.run_for(1000s); // 10,000 intervals
    for (int i = 0; i != 200; ++i) {
      one.note("note " + std::to_string(i));
    }
    one.fail("too long");
  });
  std::string text = failure.what();
  CHECK(text.starts_with("too long\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') <= 2 + 40 + 1 + 40);
  CHECK(text.find("times more, until step") != std::string::npos);
  CHECK(text.find("lines are left out here") != std::string::npos);
  CHECK(text.find("note 199\n") != std::string::npos);
}

TEST_CASE("world: the timeout of calls that name none can be set") {
  explore(orders::fifo(), [](world& one) {
    one.set_default_timeout(1min);
    auto seen = std::make_shared<std::vector<otpp::duration>>();
    auto told = std::make_shared<std::string>();
    auto body = [&one, seen, told]() -> asio::awaitable<void> {
      otpp::server_ref<silent> server = co_await otpp::start<silent>();
      for (bool is_said : {false, true}) {
        auto begin = one.now();
        try {
          if (is_said) {
            co_await otpp::call_for<silent::ask>(server, 5s);
          } else {
            co_await otpp::call<silent::ask>(server);
          }
        } catch (const otpp::error& late) {
          *told += late.what();
        }
        seen->push_back(one.now() - begin);
      }
    };
    one.spawn("client", body);
    one.run();
    one.check(*seen == std::vector<otpp::duration>{1min, 5s}, "the default is another");
    for (const char* text : {"(waited 60 s)", "(waited 5 s)"}) {
      one.check(told->find(text) != std::string::npos, "the error tells of another time");
    }
  });
}
