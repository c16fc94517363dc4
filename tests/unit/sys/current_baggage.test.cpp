// SPDX-License-Identifier: BSL-1.0

#include <otpp/sys/current_baggage.hpp>

#include <otpp/gen_statem.hpp>
#include <otpp/otpp.hpp>

#include "support/catch.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace {

std::string request_id() {
  auto found = std::static_pointer_cast<const std::string>(otpp::current_baggage());
  return found ? *found : "none";
}

struct desk {
  struct ask {
    using reply_type = std::string;
  };
  int init() { return 0; }
  std::string handle_call(ask, int&) { return request_id(); }
};

struct clerk {
  struct state {
    journal said;
    event until;
    otpp::server_ref<desk> at;
  };
  struct take {}; // starts work of each kind, and returns
  struct wait {}; // a handler that waits meanwhile
  struct piped {
    std::exception_ptr error;
    std::string seen;
  };
  struct item {
    std::exception_ptr error;
    std::optional<int> value;
  };

  state init(journal said, event until, otpp::server_ref<desk> at) { return {said, until, at}; }

  void handle_cast(take, state& s) {
    s.said.add("take:" + request_id());
    otpp::co_spawn(work(s));
    otpp::pipe<clerk>(look(s), [](std::exception_ptr error, std::string seen) {
      return piped{std::move(error), std::move(seen) + ',' + request_id()};
    });
    otpp::pipe_each<clerk>(
        []() -> asio::awaitable<std::optional<int>> { co_return std::nullopt; },
        [](std::exception_ptr error, std::optional<int> value) { return item{std::move(error), value}; });
  }
  asio::awaitable<void> handle_cast(wait, state& s) {
    s.said.add("wait:" + request_id());
    co_await s.until.wait();
    std::string seen = co_await otpp::call<desk::ask>(s.at);
    s.said.add("waited:" + request_id() + ',' + seen);
  }
  void handle_info(piped m, state& s) { s.said.add("piped:" + m.seen + ',' + request_id()); }
  void handle_info(item, state& s) { s.said.add("end:" + request_id()); }

 private:
  static asio::awaitable<std::string> look(state&) {
    co_await asio::post(asio::use_awaitable);
    co_return request_id();
  }
  // Runs while the handler of `wait` waits.
  static asio::awaitable<void> work(state& s) {
    co_await until([&s] { return s.said.text().find("wait:") != std::string::npos; });
    std::string before = request_id();
    std::string seen = co_await otpp::call<desk::ask>(s.at);
    std::string after = request_id();
    otpp::co_spawn([&s, seen, before, after]() -> asio::awaitable<void> {
      co_await asio::post(asio::use_awaitable);
      s.said.add("work:" + before + ',' + seen + ',' + after + ',' + request_id());
      s.until.happen();
    });
  }
};

// Goes on with what its handlers leave for it.
struct careful {
  struct begin { // goes on with a function, and then with a coroutine
    using reply_type = void;
  };
  struct look {
    using reply_type = void;
  };
  struct second {};
  struct third {};
  using step = otpp::outcome<>;

  journal init(journal said) { return said; }
  otpp::outcome<void> handle_call(begin, journal& said) {
    said.add("begin:" + request_id());
    return otpp::outcome<void>().then(second());
  }
  step handle_continue(second, journal& said) {
    said.add("second:" + request_id());
    return step(otpp::no_reply).then(third());
  }
  asio::awaitable<void> handle_continue(third, journal& said) {
    co_await asio::post(asio::use_awaitable);
    said.add("third:" + request_id());
  }
  void handle_call(look, journal& said) { said.add("look:" + request_id()); }
};

enum class door { closed, open };

// Postpones what comes before it is open.
struct doorman : otpp::gen_statem<doorman, otpp::states<door::closed, door::open>, journal> {
  struct enter {
    using reply_type = std::string;
  };
  struct open {
    using reply_type = void;
  };
  struct greet {};
  struct idle {};

  state_type init(journal said) { return {door::closed, said}; }
  void handle_enter(door, door, journal& said) { said.add("enter:" + request_id()); }
  transition<std::string> handle_event(const enter&, door now, journal&) {
    if (now == door::closed) {
      return postpone();
    }
    return request_id();
  }
  transition<void> handle_event(open, door, journal& said) {
    said.add("open:" + request_id());
    return next_state(door::open).next_event(greet()).timeout("idle", std::chrono::seconds(0), idle());
  }
  void handle_event(greet, door, journal& said) { said.add("greet:" + request_id()); }
  void handle_event(idle, door, journal& said) { said.add("idle:" + request_id()); }
};

} // namespace

TEST_CASE("current_baggage: it travels with a message to all that its handler starts, and to nothing else") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto at = co_await otpp::start<desk>();
    auto server = co_await otpp::start<clerk>(said, go_on, at);
    std::string next = "a";
    auto keep = [&next](const otpp::trace_capture& sent) {
      if (!sent.event.context) { // no handler has sent it
        sent.keep(std::make_shared<const std::string>(next));
      }
    };
    {
      otpp::subscription capture = otpp::subscribe<otpp::trace_capture>(keep);
      co_await otpp::cast<clerk::take>(server);
      next = "b";
      co_await otpp::cast<clerk::wait>(server);
      co_await until([&said] { return said.text().find("piped:") != std::string::npos; });
      CHECK(said.text() == "take:a wait:b work:a,a,a,a waited:b,b end:a piped:a,a,a");
      CHECK(request_id() == "none");
    }
    std::string seen = co_await otpp::call<desk::ask>(at);
    CHECK(seen == "none");
    co_await server.stop();
  });
}

TEST_CASE("current_baggage: a handler goes on with it, and what comes next has its own") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto server = co_await otpp::start<careful>(said);
    {
      otpp::subscription capture = otpp::subscribe<otpp::trace_capture>(
          [](const otpp::trace_capture& sent) { sent.keep(std::make_shared<const std::string>("a")); });
      co_await otpp::call<careful::begin>(server);
      co_await until([&said] { return said.text().find("third:") != std::string::npos; });
      CHECK(said.text() == "begin:a second:a third:a");
      co_await otpp::call<careful::begin>(server);
    } // what its handler has left is handled when nobody traces
    co_await otpp::call<careful::look>(server);
    CHECK(said.text() == "begin:a second:a third:a begin:a second:a third:a look:none");
    co_await server.stop();
  });
}

TEST_CASE("current_baggage: what a machine postpones keeps its own, and its steps have that of their event") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto machine = co_await otpp::start<doorman>(said);
    std::string next = "a";
    otpp::subscription capture = otpp::subscribe<otpp::trace_capture>(
        [&next](const otpp::trace_capture& sent) { sent.keep(std::make_shared<const std::string>(next)); });
    pending<std::string> entered;
    pending<std::string> again;
    otpp::call<doorman::enter>(machine, entered.token());
    next = "b";
    otpp::call<doorman::enter>(machine, again.token());
    next = "c";
    co_await otpp::call<doorman::open>(machine);
    std::string first = co_await entered.get();
    std::string second = co_await again.get();
    CHECK(first == "a");
    CHECK(second == "b");
    co_await until([&said] { return said.text().find("idle:") != std::string::npos; });
    CHECK(said.text() == "enter:none open:c enter:c greet:c idle:none");
    co_await machine.stop();
  });
}
