// SPDX-License-Identifier: BSL-1.0

#include <otpp/timer.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/address/via.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/receive.hpp>
#include <otpp/process/self.hpp>
#include <otpp/process/spawn.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/registry/wait_for_name.hpp>
#include <otpp/sys/inspect.hpp>
#include <otpp/sys/suspend.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/probe.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

namespace {

// Writes down what comes.
struct post_office {
  struct note {
    std::string word;
  };
  struct unlisted {
    std::string word;
  };
  // Counts its objects, and can be copied so many times.
  struct parcel {
    parcel(std::atomic<int>& objects, int copies) : counted(objects), left(std::make_shared<int>(copies)) {}
    parcel(parcel&&) = default;
    parcel(const parcel& other) : counted(other.counted), left(other.left) {
      if ((*left)-- == 0) {
        throw std::runtime_error("no copy");
      }
    }
    counted_in counted;
    std::shared_ptr<int> left;
  };
  using messages = otpp::message_list<note, parcel>;

  journal init(journal said) { return said; }
  void handle_cast(note m, journal& said) { said.add(m.word); }
  void handle_info(note m, journal& said) { said.add(m.word); }
  void handle_info(unlisted m, journal& said) { said.add(m.word); }
  void handle_info(parcel, journal& said) { said.add("parcel"); }
};

using clerk_ref = std::optional<otpp::server_ref<post_office>>;

// Runs a coroutine in a world, as far as it goes without time.
void act(world& one, std::function<asio::awaitable<void>()> client) {
  one.spawn("client", std::move(client));
  one.run_for(0ms);
}

// Starts a server in a world.
otpp::server_ref<post_office> hire(world& one, journal said, otpp::options how = {}) {
  clerk_ref started;
  act(one, [&started, said, how]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<post_office>(how, said);
    started = server;
  });
  REQUIRE(started);
  return *started;
}

void dismiss(world& one, otpp::server_ref<post_office> server) {
  act(one, [server]() -> asio::awaitable<void> { co_await server.stop(); });
}

// One order, and a time of its own.
void in_one_world(void (*scenario)(world&)) { explore(orders::fifo(), scenario); }

} // namespace

TEST_CASE("timer: send_after sends an info when the time is over, and once", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    auto server = hire(one, said);
    otpp::timer_ref timer = otpp::send_after<post_office::note>(100ms, server, "tick");
    CHECK(timer.remaining() == 100ms);
    one.run_for(99ms);
    CHECK(said.text().empty());
    CHECK(timer.remaining() == 1ms);
    one.run_for(1ms);
    CHECK(said.text() == "tick");
    CHECK_FALSE(timer.remaining());
    CHECK_FALSE(timer.cancel());
    auto before = one.now();
    one.run(); // nothing is left that it would wait for
    CHECK(one.now() == before);
    CHECK(said.text() == "tick");
  });
}

TEST_CASE("timer: cancel_timer returns what was left, and nothing comes", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    auto server = hire(one, said);
    post_office::note named{"tick"};
    otpp::timer_ref timer = otpp::send_after(1h, server, named);
    otpp::timer_ref copy = timer;
    CHECK(copy == timer);
    one.run_for(1min);
    CHECK(copy.cancel() == 59min);
    CHECK_FALSE(timer.cancel());
    CHECK_FALSE(timer.remaining());
    auto before = one.now();
    one.run();
    CHECK(one.now() == before);
    CHECK(said.text().empty());
    CHECK_FALSE(otpp::timer_ref().cancel());
    CHECK_FALSE(otpp::timer_ref().remaining());
  });
}

TEST_CASE("timer: an absolute time is kept, and one that has passed comes at once", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    auto server = hire(one, said);
    otpp::send_after<post_office::note>(one.now() + 2s, server, "later");
    otpp::send_after<post_office::note>(one.now() - 1s, server, "past");
    otpp::send_after<post_office::note>(-1s, server, "negative");
    one.run_for(0ms);
    CHECK(said.text() == "past negative");
    one.run_for(2s);
    CHECK(said.text() == "past negative later");
  });
}

TEST_CASE("timer: a time of zero comes behind what is queued", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    auto server = hire(one, said);
    otpp::send_after<post_office::note>(0ms, server, "timer");
    otpp::try_cast<post_office::note>(server, "queued");
    one.run_for(0ms);
    CHECK(said.text() == "queued timer");
  });
}

TEST_CASE("timer: send_interval ticks until it is cancelled", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    auto server = hire(one, said);
    otpp::timer_ref ticks = otpp::send_interval<post_office::note>(10ms, server, "t");
    one.run_for(35ms);
    CHECK(said.text() == "t t t");
    CHECK(ticks.remaining() == 5ms);
    CHECK(ticks.cancel() == 5ms);
    one.run();
    CHECK(said.text() == "t t t");
  });
}

TEST_CASE("timer: late ticks are left out, and the others come when they were due", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    auto server = hire(one, said);
    post_office::note named{"t"};
    otpp::timer_ref ticks = otpp::send_interval(one.now() - 95ms, 10ms, server, named);
    one.run_for(0ms);
    CHECK(said.text() == "t"); // and not ten
    CHECK(ticks.remaining() == 5ms);
    one.run_for(5ms);
    CHECK(said.text() == "t t");
    CHECK(ticks.cancel() == 10ms);
  });
}

TEST_CASE("timer: a time that has passed for longer than a clock can tell is over", "[timer]") {
  in_one_world([](world& one) {
    constexpr auto long_ago = (std::chrono::steady_clock::time_point::min)();
    journal said;
    auto server = hire(one, said);
    post_office::note named{"t"};
    otpp::timer_ref once = otpp::send_after(long_ago, server, named);
    CHECK(once.remaining() == 0ms);
    otpp::timer_ref sooner = otpp::send_after((std::chrono::hours::min)(), server, named);
    CHECK(sooner.cancel() == 0ms);
    otpp::timer_ref ticks = otpp::send_interval(long_ago, 10ms, server, named);
    otpp::timer_ref rare = otpp::send_interval(long_ago, (otpp::duration::max)(), server, named);
    one.run_for(0ms);
    CHECK(said.text() == "t t t");
    std::optional<otpp::duration> left = ticks.cancel();
    REQUIRE(left);
    CHECK(*left <= 10ms);
    CHECK(rare.cancel());
  });
}

TEST_CASE("timer: a tick that cannot be copied is left out, and the next one is tried", "[timer]") {
  in_one_world([](world& one) {
    std::atomic<int> objects{0};
    {
      journal said;
      auto server = hire(one, said);
      post_office::parcel pattern(objects, 3); // one goes into the timer
      otpp::timer_ref ticks = otpp::send_interval(10ms, server, pattern);
      one.run_for(45ms);
      CHECK(said.text() == "parcel parcel parcel"); // the third copy has failed
      CHECK(objects == 2);
      CHECK(ticks.cancel());
      CHECK(objects == 1);
    }
  });
}

TEST_CASE("timer: an interval must be longer than zero", "[timer]") {
  in_one_world([](world& one) {
    auto server = hire(one, journal());
    CHECK_THROWS_AS(otpp::send_interval<post_office::note>(0ms, server, "t"), std::invalid_argument);
    CHECK_THROWS_AS(otpp::send_interval<post_office::note>(-1s, server, "t"), std::invalid_argument);
  });
}

TEST_CASE("timer: a timer ends with its server, and keeps nothing", "[timer]") {
  in_one_world([](world& one) {
    std::atomic<int> objects{0};
    auto server = hire(one, journal());
    otpp::timer_ref once = otpp::send_after<post_office::parcel>(1h, server, objects, 0);
    post_office::parcel pattern(objects, 1);
    otpp::timer_ref ticks = otpp::send_interval(1h, server, pattern);
    CHECK(objects == 3);
    dismiss(one, server);
    CHECK(objects == 1);
    CHECK_FALSE(once.cancel());
    CHECK_FALSE(ticks.remaining());
    auto before = one.now();
    one.run();
    CHECK(one.now() == before); // they have left the heap

    otpp::timer_ref late = otpp::send_after<post_office::parcel>(1h, server, objects, 0);
    CHECK_FALSE(late.remaining());
    CHECK(objects == 1);
  });
}

TEST_CASE("timer: of many timers each comes at its time, and many can be cancelled", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    auto server = hire(one, said);
    std::vector<otpp::timer_ref> timers;
    for (int n = 0; n != 5000; ++n) {
      timers.push_back(otpp::send_after<post_office::note>((n * 7919 % 5000 + 1) * 1ms, server, "x"));
    }
    int cancelled = 0;
    for (std::size_t n = 0; n < timers.size(); n += 2) {
      cancelled += timers[n].cancel() ? 1 : 0;
    }
    CHECK(cancelled == 2500);
    one.run_for(2500ms);
    CHECK(said.text().size() == 1250 * 2 - 1);
    one.run_for(2500ms);
    CHECK(said.text().size() == 2500 * 2 - 1);
  });
}

TEST_CASE("timer: a name is looked up when the time has come", "[timer]") {
  in_one_world([](world& one) {
    journal first;
    journal second;
    constexpr otpp::server_name<post_office> typed("timer-post_office");
    auto server = hire(one, first, otpp::named("timer-post_office"));
    act(one, [typed]() -> asio::awaitable<void> { // its context keeps them
      co_await otpp::wait_for_name<post_office>("timer-post_office", 1s);
      std::string text = "timer-post_office";
      otpp::send_after<post_office::note>(1s, typed, "typed");
      otpp::send_after<post_office::note>(2s, text, "text");
      otpp::send_after<post_office::unlisted>(3s, text, "unlisted");
      otpp::send_after<post_office::note>(4s, "timer-nobody", "nobody");
      otpp::send_after<post_office::note>(10s, text, "too late");
      co_return;
    });
    otpp::send_after<post_office::note>(5s, typed, "outside"); // the context of whoever has the name does
    dismiss(one, server);
    auto successor = hire(one, second, otpp::named("timer-post_office"));
    one.run_for(6s);
    CHECK(first.text().empty());
    CHECK(second.text() == "typed text outside");
    dismiss(one, successor);
    one.run();
    CHECK(second.text() == "typed text outside");
  });
}

// As an address of a user's own.
struct whoever {
  otpp::registry* names;
  otpp::pid resolve() const { return names->find("ann"); }
};

TEST_CASE("timer: an interval for a name ends with the process that had it", "[timer]") {
  in_one_world([](world& one) {
    otpp::registry names;
    journal first;
    journal second;
    auto server = hire(one, first, otpp::named("ann").in(names));
    std::vector<otpp::timer_ref> ticks;
    act(one, [&]() -> asio::awaitable<void> {
      otpp::register_name("timer-ann", server);
      ticks.push_back(otpp::send_interval<post_office::note>(10ms, "timer-ann", "text"));
      ticks.push_back(otpp::send_interval<post_office::note>(
          10ms, otpp::server_name<post_office>("ann", names), "typed"));
      ticks.push_back(otpp::send_interval<post_office::note>(10ms, otpp::via(names, "ann"), "via"));
      ticks.push_back(otpp::send_interval<post_office::note>(10ms, whoever{&names}, "own"));
      co_return;
    });
    one.run_for(15ms);
    CHECK(first.text().size() == std::string("text typed via own").size());
    dismiss(one, server);
    hire(one, second, otpp::named("ann").in(names));
    for (const otpp::timer_ref& each : ticks) {
      CHECK_FALSE(each.remaining());
    }
    auto before = one.now();
    one.run(); // nothing is left that it would wait for
    CHECK(one.now() == before);
    CHECK(second.text().empty());
  });
}

TEST_CASE("timer: each tick for a name is sent to the process that has it", "[timer]") {
  in_one_world([](world& one) {
    journal first;
    journal second;
    auto server = hire(one, first, otpp::named("timer-passed-on"));
    auto other = hire(one, second);
    otpp::timer_ref ticks = otpp::send_interval<post_office::note>(10ms, "timer-passed-on", "t");
    one.run_for(15ms);
    otpp::unregister_name("timer-passed-on");
    one.run_for(10ms); // nobody has it
    otpp::register_name("timer-passed-on", other);
    one.run_for(10ms);
    CHECK(first.text() == "t");
    CHECK(second.text() == "t");
    dismiss(one, server);
    CHECK_FALSE(ticks.remaining());
  });
}

TEST_CASE("timer: an interval for a name that nobody has is refused", "[timer]") {
  in_one_world([](world& one) {
    auto server = hire(one, journal(), otpp::named("timer-tick"));
    act(one, []() -> asio::awaitable<void> { // a handler's or a verb's context does not make up for it
      co_await otpp::wait_for_name<post_office>("timer-tick", 1s);
      std::error_code nobody;
      std::error_code untaken;
      try {
        otpp::send_interval<post_office::note>(1s, "timer-nobody", "x");
      } catch (const otpp::error& error) {
        nobody = error.code();
      }
      try {
        otpp::send_interval<post_office::unlisted>(1s, "timer-tick", "x");
      } catch (const otpp::error& error) {
        untaken = error.code();
      }
      CHECK(nobody == otpp::errc::no_process);
      CHECK(untaken == otpp::errc::bad_message);
    });
  });
}

TEST_CASE("timer: at most one tick of an interval waits in the mailbox", "[timer]") {
  in_one_world([](world& one) {
    std::atomic<int> objects{0};
    journal said;
    auto server = hire(one, said);
    post_office::parcel pattern(objects, 3); // one goes into the timer
    otpp::timer_ref rare = otpp::send_interval(10ms, server, pattern);
    otpp::timer_ref others = otpp::send_interval<post_office::note>(11ms, server, "t");
    otpp::timer_ref all =
        otpp::send_interval<post_office::note>(otpp::every(12ms).even_if_queued(), server, "all");
    act(one, [server]() -> asio::awaitable<void> { co_await otpp::suspend(server); });
    one.run_for(37ms);
    CHECK(objects == 3); // what is left out is not copied
    act(one, [server]() -> asio::awaitable<void> { co_await otpp::resume(server); });
    CHECK(said.text() == "parcel t all all all");
    CHECK(all.cancel() == 11ms);
    one.run_for(7ms);
    CHECK(said.text() == "parcel t all all all parcel t"); // and was not counted as an error
    CHECK(rare.cancel());
    CHECK(others.cancel());
    CHECK(objects == 1);
  });
}

TEST_CASE("timer: a tick may wait while the last one is handled", "[timer]") {
  struct slow {
    struct tick {};
    int init(journal) { return 0; }
    asio::awaitable<void> handle_info(tick, int& n) {
      ++n;
      co_await code_of(otpp::wait_for_name<post_office>("timer-nobody", 25ms));
    }
  };
  in_one_world([](world& one) {
    std::optional<otpp::server_ref<slow>> started;
    act(one, [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<slow>(journal());
      started = server;
    });
    otpp::timer_ref ticks = otpp::send_interval<slow::tick>(otpp::every(10ms), *started);
    one.run_for(100ms);
    int handled = 0;
    act(one, [&]() -> asio::awaitable<void> {
      ticks.cancel();
      handled = co_await otpp::inspect(*started, [](const int& n) { return n; });
    });
    one.run_for(50ms);
    CHECK(handled == 5); // at 10, 35, 60, 85 and, already queued, 110 ms
  });
}

TEST_CASE("timer: of an interval for a spawned process one tick waits to be received", "[timer]") {
  in_one_world([](world& one) {
    std::atomic<int> objects{0};
    post_office::parcel pattern(objects, 9);
    std::string seen;
    act(one, [&]() -> asio::awaitable<void> {
      auto body = [](std::string& said, post_office::parcel& what) -> asio::awaitable<void> {
        otpp::timer_ref ticks = otpp::send_interval(10ms, otpp::self(), what);
        for (int n = 0; n != 2; ++n) {
          co_await code_of(otpp::receive<post_office::note>(25ms));
          post_office::parcel first = co_await otpp::receive<post_office::parcel>(0ms);
          said += "p";
        }
        std::error_code none = co_await code_of(otpp::receive<post_office::parcel>(0ms));
        said += none == otpp::errc::timeout ? "-" : "p";
      };
      co_await otpp::spawn(body(seen, pattern));
    });
    one.run_for(100ms);
    CHECK(seen == "pp-");
    CHECK(objects == 1);
  });
}

TEST_CASE("timer: a name of a server with other callbacks gets nothing", "[timer]") {
  struct other {
    int init() { return 0; }
    void handle_info(post_office::note, int&) { throw std::runtime_error("not for me"); }
  };
  in_one_world([](world& one) {
    act(one, []() -> asio::awaitable<void> {
      auto server = co_await otpp::start<other>(otpp::named("timer-other"));
      otpp::send_after<post_office::note>(1s, otpp::server_name<post_office>("timer-other"), "x");
    });
    one.run_for(2s);
    auto found = otpp::whereis<other>("timer-other");
    REQUIRE(found);
    CHECK_FALSE(found->has_ended());
  });
}

TEST_CASE("timer: outside of every context a name needs a server, whose context keeps the timer", "[timer]") {
  std::error_code code;
  try {
    otpp::send_after<post_office::note>(1s, "timer-nobody", "x");
  } catch (const otpp::error& error) {
    code = error.code();
  }
  CHECK(code == otpp::errc::no_process);
}

TEST_CASE("timer: one for a pid ends with its process, and is refused where that cannot take it", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    otpp::pid server = hire(one, said);
    otpp::send_after<post_office::note>(1s, server, "after");
    otpp::timer_ref ticks = otpp::send_interval<post_office::note>(2s, server, "tick");
    one.run_for(5s);
    CHECK(said.text() == "after tick tick");
    otpp::kill(server);
    one.run_for(1s);
    CHECK_FALSE(ticks.remaining());

    std::error_code code;
    try {
      otpp::send_after<post_office::unlisted>(1s, server, "x");
    } catch (const otpp::error& error) {
      code = error.code();
    }
    CHECK(code == otpp::errc::bad_message);
    try {
      otpp::send_after<post_office::note>(1s, otpp::pid(), "x");
    } catch (const otpp::error& error) {
      code = error.code();
    }
    CHECK(code == otpp::errc::no_process);
  });
}

TEST_CASE("timer: a message of the library needs no room", "[timer]") {
  in_one_world([](world& one) {
    journal said;
    auto server = hire(one, said, otpp::options().mailbox_limit(1));
    otpp::send_after<post_office::note>(0ms, server, "a");
    otpp::send_after<post_office::note>(0ms, server, "b");
    CHECK(otpp::try_cast<post_office::note>(server, "c"));
    CHECK_FALSE(otpp::try_cast<post_office::note>(server, "d"));
    one.run_for(0ms);
    CHECK(said.text().size() == 5);
  });
}

TEST_CASE("timer: timers go with their context", "[timer]") {
  std::atomic<int> objects{0};
  std::vector<otpp::timer_ref> kept;
  {
    asio::io_context context;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
          auto server = co_await otpp::start<post_office>(otpp::named("timer-gone"), journal());
          post_office::parcel pattern(objects, 9);
          kept.push_back(otpp::send_after<post_office::parcel>(1h, server, objects, 0));
          kept.push_back(otpp::send_after<post_office::parcel>(1h, "timer-gone", objects, 0));
          kept.push_back(otpp::send_interval(1h, server, pattern));
          kept.push_back(otpp::send_interval(1h, otpp::server_name<post_office>("timer-gone"), pattern));
        },
        forget);
    context.poll();
    CHECK(objects == 4);
  }
  CHECK(objects == 0);
  REQUIRE(kept.size() == 4);
  for (const otpp::timer_ref& one : kept) {
    CHECK_FALSE(one.cancel());
    CHECK_FALSE(one.remaining());
  }
}

TEST_CASE("timer: in every order a timer fires or is cancelled, and ends with its server", "[timer]") {
  explore(orders::all(3), [](world& one) {
    std::atomic<int> objects{0};
    journal said;
    otpp::timer_ref timer;
    otpp::timer_ref ticks;
    int cancelled = 0;
    one.spawn("owner", [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<post_office>(said);
      timer = otpp::send_after<post_office::note>(1ms, server, "x");
      post_office::parcel pattern(objects, 9);
      ticks = otpp::send_interval(1ms, server, pattern);
      co_await otpp::send<post_office::note>(server, "");
      co_await server.stop();
    });
    one.may("it is cancelled", [&] { cancelled += timer.cancel() ? 1 : 0; });
    one.may("the interval is cancelled", [&] { ticks.cancel(); });
    one.may_destroy_main_context();
    one.run();
    bool fired = said.text().find('x') != std::string::npos;
    one.check(!fired || cancelled == 0, "fired and cancelled");
    one.check(!timer.remaining() && !ticks.cancel(), "it is still there");
    one.check(objects == 0, "something was kept");
  });
}

TEST_CASE("timer: threads that cancel and a context that fires agree", "[timer]") {
  struct counting {
    struct tick {};
    struct other_tick {};
    struct count {
      using reply_type = int;
    };
    int init() { return 0; }
    void handle_info(tick, int& n) { ++n; }
    void handle_info(other_tick, int&) {}
    int handle_call(count, int& n) { return n; }
  };
  asio::thread_pool pool(2);
  auto server = otpp::start<counting>(otpp::options().on(pool.get_executor()), asio::use_future).get();
  constexpr int all = 300;
  int cancelled = 0;
  otpp::timer_ref ticks = otpp::send_interval<counting::other_tick>(1us, server);
  std::vector<otpp::timer_ref> timers;
  for (int n = 0; n != all; ++n) {
    timers.push_back(otpp::send_after<counting::tick>(std::chrono::microseconds(n % 50), server));
    ticks.remaining();
    if (n % 2 == 0) {
      cancelled += timers[static_cast<std::size_t>(n / 2)].cancel() ? 1 : 0;
    }
  }
  ticks.cancel();
  CHECK_FALSE(ticks.remaining());
  CHECK(eventually(
      [&] { return otpp::call<counting::count>(server, asio::use_future).get() == all - cancelled; }));
  server.stop(asio::use_future).get();
  pool.join();
}
