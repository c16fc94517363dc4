// SPDX-License-Identifier: BSL-1.0

// The guide of otpylib's gen_server, from which this library grew, heading by heading; and then the
// faults of the Python original that must not come back. docs/coming-from-otpylib.md refers to these
// tests by name.

#include <otpp/otpp.hpp>

#include <asio.hpp>

#include <chrono>
#include <csignal>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"

using namespace std::chrono_literals;

namespace {

using strings = std::vector<std::string>;

// What the servers below have done, in order. Each test begins with an empty one.
strings journal;

struct fresh {
  fresh() { journal.clear(); }
};

// A server that ends in every way there is.
struct mortal {
  struct get {
    using reply_type = int;
  };
  struct stop {
    using reply_type = void;
  };
  struct stop_with_error {
    using reply_type = void;
  };
  struct stop_with_answer {
    using reply_type = int;
  };
  struct crash {
    using reply_type = int;
  };
  struct park {
    using reply_type = int;
  };
  struct drop {
    using reply_type = int;
  };
  struct release {};
  struct released {
    using reply_type = std::vector<bool>;
  };
  struct crash_softly {};

  struct state {
    std::vector<otpp::caller<int>> parked;
    std::vector<bool> reached;
  };

  state init() { return {}; }

  int handle_call(get, state&) { return 42; }
  otpp::outcome<> handle_call(stop, state&) { return otpp::stop(); }
  otpp::outcome<> handle_call(stop_with_error, state&) {
    return otpp::stop(std::runtime_error("Intentional stop"));
  }
  otpp::outcome<int> handle_call(stop_with_answer, state&) {
    return otpp::stop(otpp::exit_reason::normal(), 7);
  }
  int handle_call(crash, state&) { throw std::runtime_error("crash"); }
  void handle_call(park, otpp::caller<int> caller, state& s) { s.parked.push_back(std::move(caller)); }
  void handle_call(drop, otpp::caller<int>, state&) {}
  std::vector<bool> handle_call(released, state& s) { return s.reached; }

  void handle_cast(release, state& s) {
    for (otpp::caller<int>& caller : s.parked) {
      s.reached.push_back(caller.reply(1));
      s.reached.push_back(caller.reply(2)); // and once more
    }
    s.parked.clear();
  }
  void handle_cast(crash_softly, state&) { throw std::runtime_error("crash softly"); }

  void terminate(const otpp::exit_reason& reason, state&) {
    journal.push_back("terminate: " + reason.message());
  }
};

} // namespace

// ---- the guide, heading by heading ----

TEST_CASE("guide: initializing the mailbox registry", "[guide]") {
  // There is nothing to initialize. A registry of one's own is an object.
  run([]() -> asio::awaitable<void> {
    otpp::registry mine;
    auto server = co_await otpp::start<counter>(otpp::named("counter").in(mine), 0);

    CHECK(otpp::whereis<counter>("counter", mine) == server);
    CHECK_FALSE(otpp::whereis<counter>("counter").has_value());
    co_await server.stop();
  });
}

namespace {

// [callbacks]
struct my_server {
  struct ask {
    std::string question;
    using reply_type = std::string;
  };
  struct tell {
    std::string news;
  };
  struct tick {};

  using state = std::vector<std::string>;

  // Makes the state from what was given to otpp::start.
  state init(state initial) { return initial; }

  // Synchronous calls: what it returns is the answer.
  std::string handle_call(ask, state&) { return "response"; }

  // Asynchronous casts.
  void handle_cast(tell message, state& s) { s.push_back(message.news); }

  // Plain messages, sent with otpp::send.
  void handle_info(tick, state& s) { s.push_back("tick"); }

  // Cleanup.
  void terminate(const otpp::exit_reason&, state& s) { journal = s; }
};
// [callbacks]

} // namespace

TEST_CASE("guide: creating a gen_server", "[guide]") {
  fresh start_anew;
  run([]() -> asio::awaitable<void> {
    strings initial{"first"};
    auto server = co_await otpp::start<my_server>(initial);

    co_await otpp::cast<my_server::tell>(server, "news");
    co_await otpp::send<my_server::tick>(server);
    std::string answer = co_await otpp::call<my_server::ask>(server, "question");
    CHECK(answer == "response");

    co_await server.stop();
    CHECK(journal == strings{"first", "news", "tick"});
  });
}

namespace {

// [start]
asio::awaitable<otpp::server_ref<counter>> start_anonymous() {
  auto server = co_await otpp::start<counter>(0);
  co_return server;
}

asio::awaitable<void> start_named() { co_await otpp::start<counter>(otpp::named("my_server"), 0); }
// [start]

} // namespace

TEST_CASE("guide: starting a gen_server", "[guide]") {
  run([]() -> asio::awaitable<void> {
    auto anonymous = co_await start_anonymous();
    co_await start_named();

    auto named = otpp::whereis<counter>("my_server");
    REQUIRE(named.has_value());
    CHECK_FALSE(anonymous == *named);
    co_await anonymous.stop();
    co_await named->stop();
    CHECK_FALSE(otpp::whereis<counter>("my_server").has_value());
  });
}

namespace {

// [addresses]
constexpr otpp::server_name<counter> the_counter{"counter"};

asio::awaitable<void> add_three_times(otpp::server_ref<counter> server) {
  co_await otpp::call<counter::add>(server, 1);      // one server, by reference
  co_await otpp::call<counter::add>(the_counter, 2); // whoever has the name; checked when compiled
  co_await otpp::call<counter::add>("counter", 3);   // whoever has the name; checked when run
}
// [addresses]

} // namespace

TEST_CASE("guide: sending and receiving messages", "[guide]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);

    co_await add_three_times(server);

    int count = co_await otpp::call<counter::get>(server);
    CHECK(count == 6);
    co_await server.stop();
  });
}

TEST_CASE("guide: synchronous calls", "[guide]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("counter"), 0);

    int value = co_await otpp::call<counter::get>("counter");
    int new_value = co_await otpp::call<counter::add>("counter", 5);

    CHECK(value == 0);
    CHECK(new_value == 5);
    co_await server.stop();
  });
}

namespace {

struct logger {
  struct log {
    std::string text;
  };
  struct clear {};
  struct get_logs {
    using reply_type = strings;
  };

  strings init() { return {}; }
  void handle_cast(log message, strings& logs) { logs.push_back(message.text); }
  void handle_cast(clear, strings& logs) { logs.clear(); }
  strings handle_call(get_logs, strings& logs) { return logs; }
};

} // namespace

TEST_CASE("guide: asynchronous casts", "[guide]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<logger>(otpp::named("logger"));

    co_await otpp::cast<logger::log>(server, "Application started");
    co_await otpp::cast<logger::log>(server, "Processing request");
    strings logs = co_await otpp::call<logger::get_logs>(server);
    CHECK(logs == strings{"Application started", "Processing request"});

    co_await otpp::cast<logger::clear>(server);
    logs = co_await otpp::call<logger::get_logs>(server);
    CHECK(logs.empty());
    co_await server.stop();
  });
}

namespace {

using table = std::map<std::string, std::string>;
using value = std::optional<std::string>;

struct kv_server {
  struct get {
    std::string key;
    using reply_type = value;
  };
  struct set {
    std::string key;
    std::string text;
    using reply_type = value;
  };
  struct get_all {
    using reply_type = table;
  };
  struct erase {
    std::string key;
  };
  struct clear {};

  table init() { return {}; }

  value handle_call(get request, table& entries) {
    auto found = entries.find(request.key);
    return found == entries.end() ? value() : value(found->second);
  }
  value handle_call(set request, table& entries) {
    auto found = entries.find(request.key);
    value old = found == entries.end() ? value() : value(found->second);
    entries[request.key] = request.text;
    return old;
  }
  table handle_call(get_all, table& entries) { return entries; }
  void handle_cast(erase request, table& entries) { entries.erase(request.key); }
  void handle_cast(clear, table& entries) { entries.clear(); }
};

class kv_store {
 public:
  static asio::awaitable<void> start() { co_await otpp::start<kv_server>(otpp::named("kv_store")); }
  static asio::awaitable<value> get(std::string key) {
    return otpp::call<kv_server::get>(server, std::move(key));
  }
  static asio::awaitable<value> set(std::string key, std::string text) {
    return otpp::call<kv_server::set>(server, std::move(key), std::move(text));
  }
  static asio::awaitable<void> erase(std::string key) {
    return otpp::cast<kv_server::erase>(server, std::move(key));
  }
  static asio::awaitable<void> clear() { return otpp::cast<kv_server::clear>(server); }
  static asio::awaitable<table> get_all() { return otpp::call<kv_server::get_all>(server); }

  static constexpr otpp::server_name<kv_server> server{"kv_store"};
};

} // namespace

TEST_CASE("guide: complete example", "[guide]") {
  run([]() -> asio::awaitable<void> {
    co_await kv_store::start();

    value old = co_await kv_store::set("name", "Alice");
    CHECK_FALSE(old.has_value());
    old = co_await kv_store::set("name", "Bob");
    CHECK(old == "Alice");
    co_await kv_store::set("age", "30");

    value name = co_await kv_store::get("name");
    CHECK(name == "Bob");
    value nothing = co_await kv_store::get("nothing");
    CHECK_FALSE(nothing.has_value());

    table all = co_await kv_store::get_all();
    CHECK(all == table{{"name", "Bob"}, {"age", "30"}});
    co_await kv_store::erase("age");
    all = co_await kv_store::get_all();
    CHECK(all == table{{"name", "Bob"}});
    co_await kv_store::clear();
    all = co_await kv_store::get_all();
    CHECK(all.empty());

    auto server = otpp::whereis<kv_server>("kv_store");
    REQUIRE(server.has_value());
    co_await server->stop();
  });
}

TEST_CASE("guide: advanced features", "[guide]") {
  // The three below in one server: it parks a caller, whose call gives up, and stops.
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>();

    std::error_code late = co_await code_of(otpp::call_for<mortal::park>(server, 1ms));
    CHECK(late == otpp::errc::timeout);
    co_await otpp::cast<mortal::release>(server);
    std::error_code stopped = co_await code_of(otpp::call<mortal::stop>(server));
    CHECK(stopped == otpp::errc::exited);
  });
}

namespace {

struct slow_server {
  struct slow_operation {
    using reply_type = std::string;
  };
  struct log {
    using reply_type = strings;
  };

  strings init() { return {}; }

  asio::awaitable<void> handle_call(slow_operation, otpp::caller<std::string> caller, strings& done) {
    auto executor = co_await asio::this_coro::executor;
    asio::co_spawn(
        executor, process_later(std::move(caller)), [](std::exception_ptr error) { CHECK_FALSE(error); });
    done.push_back("begun");
  }
  strings handle_call(log, strings& done) { return done; }

  static asio::awaitable<void> process_later(otpp::caller<std::string> caller) {
    auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_await otpp::reply(std::move(caller), "completed");
  }
};

} // namespace

TEST_CASE("guide: delayed replies", "[guide]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<slow_server>();

    std::string result = co_await otpp::call<slow_server::slow_operation>(server);
    strings done = co_await otpp::call<slow_server::log>(server);

    CHECK(result == "completed");
    CHECK(done == strings{"begun"});
    co_await server.stop();
  });
}

TEST_CASE("guide: stopping a gen_server", "[guide]") {
  fresh start_anew;
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<mortal>();
    otpp::error stopped = co_await error_of(otpp::call<mortal::stop>(first));
    CHECK(stopped.code() == otpp::errc::exited);
    CHECK(stopped.reason() == otpp::exit_reason::normal());

    auto second = co_await otpp::start<mortal>();
    otpp::error failed = co_await error_of(otpp::call<mortal::stop_with_error>(second));
    CHECK(failed.code() == otpp::errc::exited);
    CHECK(failed.reason().message() == "Intentional stop");
    CHECK_FALSE(failed.reason().is_clean());
  });
  CHECK(journal == strings{"terminate: normal", "terminate: Intentional stop"});
  REQUIRE(crashes.texts().size() == 1); // a normal end is no crash
  CHECK(crashes.texts()[0].find("ended: Intentional stop") != std::string::npos);
}

TEST_CASE("guide: handling timeouts", "[guide]") {
  static_assert(otpp::default_timeout == 5s);
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>(otpp::named("my_server"));

    std::error_code error = co_await code_of(otpp::call_for<mortal::park>(server, 1ms));
    CHECK(error == std::errc::timed_out);
    CHECK(error == otpp::errc::timeout);

    int answer = co_await otpp::call<mortal::get>(server);
    CHECK(answer == 42);
    co_await server.stop();
  });
}

// ---- faults of the original ----

TEST_CASE("guide: start returns when init has returned", "[guide][fault]") {
  struct slow_starter {
    asio::awaitable<int> init() {
      auto executor = co_await asio::this_coro::executor;
      asio::steady_timer timer(executor, 1ms);
      co_await timer.async_wait(asio::use_awaitable);
      journal.push_back("init");
      co_return 0;
    }
  };
  fresh start_anew;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<slow_starter>();
    CHECK(journal == strings{"init"});
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("guide: callbacks are plain functions or coroutines", "[guide][fault]") {
  struct mixed {
    struct plain {
      using reply_type = int;
    };
    struct coroutine {
      using reply_type = int;
    };
    struct a {};
    struct b {};
    asio::awaitable<int> init() { co_return 0; }
    static int handle_call(plain, int& n) { return n; }
    asio::awaitable<int> handle_call(coroutine, int& n) { co_return n; }
    void handle_cast(a, int& n) { n += 1; }
    asio::awaitable<void> handle_cast(b, int& n) {
      n += 10;
      co_return;
    }
    static void handle_info(a, int& n) { n += 100; }
    asio::awaitable<void> handle_info(b, int& n) {
      n += 1000;
      co_return;
    }
    void terminate(const otpp::exit_reason&, int& n) { journal.push_back(std::to_string(n)); }
  };
  fresh start_anew;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mixed>();
    co_await otpp::cast<mixed::a>(server);
    co_await otpp::cast<mixed::b>(server);
    co_await otpp::send<mixed::a>(server);
    co_await otpp::send<mixed::b>(server);
    int plain = co_await otpp::call<mixed::plain>(server);
    int coroutine = co_await otpp::call<mixed::coroutine>(server);
    CHECK(plain == 1111);
    CHECK(coroutine == 1111);
    co_await server.stop();
    CHECK(journal == strings{"1111"});
  });
}

TEST_CASE("guide: an exception in a handler reaches every caller", "[guide][fault]") {
  // One who waits for a late answer, the one whose handler throws, and one in the queue.
  crash_log crashes;
  strings heard;
  auto hear = [&](std::exception_ptr error, int) { heard.push_back(text_of(error)); };
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>(otpp::named("mortal"));
    otpp::call<mortal::park>(server, hear);
    otpp::call<mortal::crash>(server, hear);
    otpp::call<mortal::get>(server, hear);

    otpp::exit_reason reason = co_await server.join();
    CHECK(reason.message() == "crash");
  });
  REQUIRE(heard.size() == 3);
  for (const std::string& what : heard) {
    CHECK(what.find("\"mortal\" (reason: crash)") != std::string::npos);
  }
  CHECK(crashes.texts().size() == 1);
}

TEST_CASE("guide: the exception of a handler is in the error of its caller", "[guide][fault]") {
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>();
    otpp::error error = co_await error_of(otpp::call<mortal::crash>(server));
    CHECK(error.code() == otpp::errc::exited);
    REQUIRE(error.reason().exception());
    CHECK_THROWS_AS(std::rethrow_exception(error.reason().exception()), std::runtime_error);
  });
}

TEST_CASE("guide: a server that ends with a caller unanswered tells the caller", "[guide][fault]") {
  std::exception_ptr heard;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>();
    otpp::call<mortal::park>(server, [&](std::exception_ptr error, int) { heard = error; });
    co_await server.stop();
  });
  REQUIRE(heard);
  CHECK(text_of(heard).find("(reason: normal)") != std::string::npos);
}

TEST_CASE("guide: a caller that is dropped hears no_reply", "[guide][fault]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>();
    std::error_code error = co_await code_of(otpp::call<mortal::drop>(server));
    CHECK(error == otpp::errc::no_reply);
    int answer = co_await otpp::call<mortal::get>(server);
    CHECK(answer == 42);
    co_await server.stop();
  });
}

TEST_CASE("guide: a late reply harms nobody", "[guide][fault]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>();
    std::error_code error = co_await code_of(otpp::call_for<mortal::park>(server, 1ms));
    CHECK(error == otpp::errc::timeout);

    co_await otpp::cast<mortal::release>(server);
    std::vector<bool> reached = co_await otpp::call<mortal::released>(server);
    CHECK(reached == std::vector<bool>{false, false}); // too late, and once more
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("guide: a second reply harms nobody", "[guide][fault]") {
  int heard = 0;
  run([&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>();
    otpp::call<mortal::park>(server, [&](std::exception_ptr, int answer) { heard = answer; });
    co_await otpp::cast<mortal::release>(server);
    std::vector<bool> reached = co_await otpp::call<mortal::released>(server);
    CHECK(reached == std::vector<bool>{true, false});
    co_await server.stop();
  });
  CHECK(heard == 1);
}

TEST_CASE("guide: what init throws is what start throws", "[guide][fault]") {
  struct picky {
    int init() { throw std::invalid_argument("not like this"); }
    void terminate(const otpp::exit_reason&, int&) { journal.push_back("terminate"); }
  };
  fresh start_anew;
  run([]() -> asio::awaitable<void> {
    for (int i = 0; i != 5; ++i) { // the name is free again each time
      std::string what;
      try {
        co_await otpp::start<picky>(otpp::named("picky"));
      } catch (const std::invalid_argument& error) {
        what = error.what();
      }
      CHECK(what == "not like this");
      CHECK_FALSE(otpp::whereis<picky>("picky").has_value());
    }
  });
  CHECK(journal.empty());
}

TEST_CASE("guide: a server that calls itself hears calling_self", "[guide][fault]") {
  struct narcissus {
    struct get {
      using reply_type = int;
    };
    struct look {
      using reply_type = std::vector<std::error_code>;
    };
    int init() { return 1; }
    int handle_call(get, int& n) { return n; }
    asio::awaitable<std::vector<std::error_code>> handle_call(look, int&) {
      constexpr otpp::server_name<narcissus> by_name{"narcissus"};
      auto me = otpp::self<narcissus>();
      std::error_code direct = co_await code_of(otpp::call<get>(me));
      std::error_code named = co_await code_of(otpp::call<get>(by_name));
      std::error_code stopped = co_await code_of(me.stop());
      std::vector<std::error_code> codes{direct, named, stopped};
      co_return codes;
    }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<narcissus>(otpp::named("narcissus"));
    std::vector<std::error_code> codes = co_await otpp::call<narcissus::look>(server);
    CHECK(codes == std::vector<std::error_code>(3, otpp::errc::calling_self));
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("guide: a server may cast to itself a thousand times", "[guide][fault]") {
  struct flooded {
    struct flood {
      using reply_type = void;
    };
    struct get {
      using reply_type = int;
    };
    struct drop {};
    int init() { return 0; }
    asio::awaitable<void> handle_call(flood, int&) {
      auto me = otpp::self<flooded>();
      for (int i = 0; i != 1000; ++i) {
        co_await otpp::cast<drop>(me);
      }
    }
    int handle_call(get, int& n) { return n; }
    void handle_cast(drop, int& n) { ++n; }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<flooded>();
    co_await otpp::call<flooded::flood>(server);
    int n = co_await otpp::call<flooded::get>(server);
    CHECK(n == 1000);
    co_await server.stop();
  });
}

TEST_CASE("guide: a cast does not wait for its handler", "[guide][fault]") {
  struct sink {
    struct item {};
    struct get {
      using reply_type = std::size_t;
    };
    int init() { return 0; }
    void handle_cast(item, int&) { journal.push_back("item"); }
    std::size_t handle_call(get, int&) { return journal.size(); }
  };
  fresh start_anew;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<sink>();
    for (int i = 0; i != 1000; ++i) {
      co_await otpp::cast<sink::item>(server);
    }
    CHECK(journal.empty());
    std::size_t handled = co_await otpp::call<sink::get>(server);
    CHECK(handled == 1000);
    co_await server.stop();
  });
}

TEST_CASE("guide: terminate runs at every end", "[guide][fault]") {
  fresh start_anew;
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>();
    co_await error_of(otpp::call<mortal::stop>(server));
    server = co_await otpp::start<mortal>();
    co_await error_of(otpp::call<mortal::crash>(server));
    server = co_await otpp::start<mortal>();
    co_await otpp::cast<mortal::crash_softly>(server);
    co_await server.join();
    server = co_await otpp::start<mortal>();
    co_await server.stop(otpp::exit_reason::shutdown());
  });
  CHECK(
      journal ==
      strings{"terminate: normal", "terminate: crash", "terminate: crash softly", "terminate: shutdown"});
}

TEST_CASE("guide: terminate runs when the program ends", "[guide][fault]") {
  struct tidy {
    int init() { return 0; }
    asio::awaitable<void> terminate(const otpp::exit_reason& reason, int&) {
      auto executor = co_await asio::this_coro::executor;
      asio::steady_timer timer(executor, 1ms);
      co_await timer.async_wait(asio::use_awaitable); // it may wait
      journal.push_back(reason.message());
    }
  };
  struct program {
    static asio::awaitable<void> that_returns() { co_await otpp::start<tidy>(); }
    static asio::awaitable<void> that_is_interrupted() {
      co_await otpp::start<tidy>();
      auto executor = co_await asio::this_coro::executor;
      asio::steady_timer never(executor, asio::steady_timer::time_point::max());
      std::raise(SIGINT);
      co_await never.async_wait(asio::use_awaitable);
    }
  };
  fresh start_anew;
  int status = otpp::run(program::that_returns());
  CHECK(status == 0);
  CHECK(journal == strings{"shutdown"});

  status = otpp::run(program::that_is_interrupted());
  CHECK(status == 0);
  CHECK(journal == strings{"shutdown", "shutdown"});
}

TEST_CASE("guide: terminate has run before anybody is told", "[guide][fault]") {
  fresh start_anew;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>(otpp::named("mortal"));
    int answer = co_await otpp::call<mortal::stop_with_answer>(server);
    CHECK(answer == 7);
    CHECK(journal == strings{"terminate: normal"});
    CHECK(server.has_ended());
  });
}

TEST_CASE("guide: a terminate that throws keeps the first reason", "[guide][fault]") {
  struct clumsy {
    struct stop {
      using reply_type = void;
    };
    int init() { return 0; }
    otpp::outcome<> handle_call(stop, int&) { return otpp::stop(std::runtime_error("first")); }
    void terminate(const otpp::exit_reason&, int&) { throw std::runtime_error("second"); }
  };
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clumsy>();
    otpp::error error = co_await error_of(otpp::call<clumsy::stop>(server));
    CHECK(error.code() == otpp::errc::exited);
    REQUIRE(error.reason().previous());
    CHECK(error.reason().previous()->message() == "first");
  });
  REQUIRE(crashes.texts().size() == 1);
  CHECK(crashes.texts()[0].find("ended: second (while terminating: first)") != std::string::npos);
}

TEST_CASE("guide: whoever waits for the end hears the reason", "[guide][fault]") {
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>();
    co_await server.stop();
    otpp::exit_reason reason = co_await server.join(); // also afterwards
    CHECK(reason == otpp::exit_reason::normal());

    server = co_await otpp::start<mortal>();
    co_await server.stop(otpp::exit_reason::shutdown());
    reason = co_await server.join();
    CHECK(reason == otpp::exit_reason::shutdown());

    auto why = std::make_exception_ptr(std::runtime_error("why"));
    server = co_await otpp::start<mortal>();
    co_await server.stop(why);
    reason = co_await server.join();
    CHECK(reason.exception() == why); // the same object
  });
}

TEST_CASE("guide: a name that is in use is not taken over", "[guide][fault]") {
  struct eager {
    struct get {
      using reply_type = int;
    };
    int init(int n) {
      journal.push_back("init");
      return n;
    }
    int handle_call(get, int& n) { return n; }
  };
  fresh start_anew;
  run([]() -> asio::awaitable<void> {
    auto first = co_await otpp::start<eager>(otpp::named("eager"), 1);
    std::error_code error = co_await code_of(otpp::start<eager>(otpp::named("eager"), 2));
    CHECK(error == otpp::errc::name_taken);
    CHECK(journal == strings{"init"});

    constexpr otpp::server_name<eager> by_name{"eager"};
    int n = co_await otpp::call<eager::get>(by_name);
    CHECK(n == 1);
    co_await first.stop();
  });
}

TEST_CASE("guide: the name is free as soon as anybody knows of the end", "[guide][fault]") {
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    for (int i = 0; i != 5; ++i) {
      auto server = co_await otpp::start<mortal>(otpp::named("mortal"));
      co_await error_of(otpp::call<mortal::stop>(server));
      server = co_await otpp::start<mortal>(otpp::named("mortal"));
      co_await error_of(otpp::call<mortal::crash>(server));
      server = co_await otpp::start<mortal>(otpp::named("mortal"));
      co_await otpp::call<mortal::stop_with_answer>(server);
      server = co_await otpp::start<mortal>(otpp::named("mortal"));
      co_await server.stop();
    }
    CHECK_FALSE(otpp::whereis<mortal>("mortal").has_value());
  });
}

TEST_CASE("guide: a message that the server does not know stops nobody", "[guide][fault]") {
  // To a reference or a typed name it does not even compile.
  static_assert(otpp::handles_call<counter, counter::get>);
  static_assert(!otpp::handles_call<counter, mortal::get>);
  static_assert(!otpp::handles_cast<counter, counter::get>);
  static_assert(!otpp::handles_info<counter, counter::set>);
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("counter"), 1);
    std::error_code call = co_await code_of(otpp::call<mortal::get>("counter"));
    std::error_code cast = co_await code_of(otpp::cast<mortal::release>("counter"));
    std::error_code info = co_await code_of(otpp::send<counter::set>("counter", 7));
    CHECK(call == otpp::errc::bad_message);
    CHECK(cast == otpp::errc::bad_message);
    CHECK(info == otpp::errc::bad_message);

    int count = co_await otpp::call<counter::get>(server);
    CHECK(count == 1);
    co_await server.stop();
  });
}

TEST_CASE("guide: a message to nobody is reported", "[guide][fault]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(0);
    co_await server.stop();

    std::error_code ended = co_await code_of(otpp::call<counter::get>(server));
    std::error_code unknown = co_await code_of(otpp::call<counter::get>("nobody"));
    std::error_code cast = co_await code_of(otpp::cast<counter::set>(server, 7));
    CHECK(ended == otpp::errc::no_process);
    CHECK(unknown == otpp::errc::no_process);
    CHECK(cast == otpp::errc::no_process);
    CHECK_FALSE(otpp::try_cast<counter::set>("nobody", 7));
  });
}

TEST_CASE("guide: a message that crashed a server is not handled again", "[guide][fault]") {
  crash_log crashes;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<mortal>(otpp::named("mortal"));
    co_await otpp::cast<mortal::crash_softly>(server);
    co_await server.join();

    auto successor = co_await otpp::start<mortal>(otpp::named("mortal"));
    int answer = co_await otpp::call<mortal::get>(successor);
    CHECK(answer == 42);
    co_await successor.stop();
  });
  CHECK(crashes.texts().size() == 1);
}
