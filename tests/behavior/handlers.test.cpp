// SPDX-License-Identifier: BSL-1.0

// What a handler may ask of others, and of itself: where its callbacks run, who waits for whom, and what keeps a
// context running.

#include <otpp/otpp.hpp>
#include <otpp/process.hpp>
#include <otpp/request.hpp>
#include <otpp/sys.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"

namespace {

using namespace std::chrono_literals;

// Returns a started server on this context.
template <class Callbacks, class... Args>
otpp::server_ref<Callbacks> start_on(asio::io_context& context, Args... args) {
  std::future<otpp::server_ref<Callbacks>> started = otpp::start<Callbacks>(
      otpp::options().on(context.get_executor()), std::move(args)..., asio::use_future);
  settle(context);
  return started.get();
}

// ---- callbacks ----

struct neighbor {
  struct get {
    using reply_type = int;
  };
  struct note {};
  int init() { return 1; }
  int handle_call(get, int& n) { return n; }
  void handle_cast(note, int&) {}
  void handle_info(note, int&) {}
};

// Does in its handler what it is told to.
struct errand_boy {
  struct go {
    std::function<void()> errand;
  };
  int init() { return 0; }
  void handle_cast(go m, int&) { m.errand(); }
};

// A server whose handlers use a neighbor on another context, with plain functions for callbacks.
struct two_houses {
  asio::io_context here;
  asio::io_context there;
  otpp::server_ref<errand_boy> boy = start_on<errand_boy>(here);
  otpp::server_ref<neighbor> other = start_on<neighbor>(there);
  int times = 0;
  bool was_at_home = true;

  // Takes what any verb completes with.
  auto callback() {
    return [this](std::exception_ptr, auto&&...) {
      ++times;
      was_at_home = was_at_home && otpp::detail::running_pid() == otpp::pid(boy);
    };
  }

  void check_that_it_completes_at_home(std::function<void()> errand) {
    otpp::cast(boy, errand_boy::go{std::move(errand)}, asio::use_future);
    for (int round = 0; round != 10 && times == 0; ++round) {
      settle(here);
      settle(there);
    }
    settle(here);
    CHECK(times == 1);
    CHECK(was_at_home);
  }
};

} // namespace

TEST_CASE("handlers: a callback without an executor runs on the server whose handler has given it") {
  two_houses h;
  SECTION("call") {
    h.check_that_it_completes_at_home([&] { otpp::call<neighbor::get>(h.other, h.callback()); });
  }
  SECTION("cast") {
    h.check_that_it_completes_at_home([&] { otpp::cast<neighbor::note>(h.other, h.callback()); });
  }
  SECTION("send") {
    h.check_that_it_completes_at_home([&] { otpp::send<neighbor::note>(h.other, h.callback()); });
  }
  SECTION("stop") {
    h.check_that_it_completes_at_home([&] { h.other.stop(h.callback()); });
  }
  SECTION("join") {
    h.check_that_it_completes_at_home([&] {
      h.other.join(h.callback());
      otpp::kill(h.other);
    });
  }
  SECTION("inspect") {
    auto look = [](const int& n) { return n; };
    h.check_that_it_completes_at_home([&] { otpp::inspect(h.other, look, h.callback()); });
  }
  SECTION("a request's wait") {
    auto request = std::make_shared<otpp::request_handle<int>>();
    h.check_that_it_completes_at_home([&] {
      *request = otpp::send_request<neighbor::get>(h.other);
      request->wait(h.callback());
    });
  }
  SECTION("next") {
    otpp::request_set<int, int> set;
    h.check_that_it_completes_at_home([&] {
      set.add(1, otpp::send_request<neighbor::get>(h.other));
      set.next(h.callback());
    });
  }
  SECTION("multi_call") {
    h.check_that_it_completes_at_home(
        [&] { otpp::multi_call<neighbor::get>(std::vector{h.other}, 1s, h.callback()); });
  }
  SECTION("wait_for_name") {
    h.check_that_it_completes_at_home(
        [&] { otpp::wait_for_name<neighbor>("nobody's name", 0ms, otpp::registry::global(), h.callback()); });
  }
  SECTION("start elsewhere") {
    h.check_that_it_completes_at_home(
        [&] { otpp::start<neighbor>(otpp::options().on(h.there.get_executor()), h.callback()); });
  }
  SECTION("start, which stays on the executor of the handler's server") {
    h.check_that_it_completes_at_home([&] { otpp::start<neighbor>(h.callback()); });
  }
  SECTION("what is refused") {
    h.check_that_it_completes_at_home([&] { otpp::call<neighbor::get>("no such name", h.callback()); });
  }
}

// ---- who waits for itself ----

namespace {

using namespace asio::experimental::awaitable_operators;

struct introvert {
  struct get {
    using reply_type = int;
  };
  struct begin {};
  struct note {};
  struct ask_self {
    asio::any_io_executor resume_on;
    int how;
    using reply_type = std::error_code;
  };
  struct state {
    std::unique_ptr<asio::cancellation_signal> stop = std::make_unique<asio::cancellation_signal>();
    std::vector<int>* heard = nullptr;
  };

  state init(std::vector<int>* heard) {
    state made;
    made.heard = heard;
    return made;
  }
  int handle_call(get, state&) { return 42; }
  void handle_cast(note, state&) {}

  // They ask when the handler that has spawned them has returned, and also while another one runs.
  static asio::awaitable<void> ask_later(otpp::server_ref<introvert> me, std::vector<int>* heard) {
    co_await asio::post(asio::use_awaitable);
    int answer = co_await otpp::call<get>(me);
    heard->push_back(answer);
    auto request = otpp::send_request<get>(me);
    answer = co_await request.wait();
    heard->push_back(answer);
    auto look = [](const state&) { return 43; };
    answer = co_await otpp::inspect(me, look);
    heard->push_back(answer);
    std::vector<otpp::server_ref<introvert>> all{me};
    auto answers = co_await otpp::multi_call<get>(all, 1s);
    heard->push_back(answers.at(0).value());
  }
  static asio::awaitable<void> ask_within(otpp::server_ref<introvert> me, std::vector<int>* heard) {
    co_await asio::post(asio::use_awaitable);
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 10s);
    auto first = co_await (otpp::call<get>(me) || timer.async_wait(asio::use_awaitable));
    heard->push_back(first.index() == 0 ? std::get<0>(first) : -1);
  }
  asio::awaitable<void> handle_cast(begin, state& s) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    otpp::server_ref<introvert> me = otpp::self<introvert>();
    asio::co_spawn(executor, ask_later(me, s.heard), rethrow);
    asio::co_spawn(executor, ask_later(me, s.heard), asio::bind_cancellation_slot(s.stop->slot(), rethrow));
    asio::co_spawn(executor, ask_within(me, s.heard), rethrow);
  }

  static void rethrow(std::exception_ptr error) {
    if (error) {
      std::rethrow_exception(error);
    }
  }

  // The handler itself, with a token that resumes it elsewhere.
  static asio::awaitable<void> ask(ask_self m, otpp::server_ref<introvert> me) {
    auto token = asio::bind_executor(m.resume_on, asio::use_awaitable);
    if (m.how == 0) {
      co_await otpp::call<get>(me, token);
    } else if (m.how == 1) {
      co_await me.stop(token);
    } else if (m.how == 2) {
      co_await me.join(token);
    } else if (m.how == 3) {
      auto look = [](const state&) { return 1; };
      co_await otpp::inspect(me, look, token);
    } else if (m.how == 4) {
      auto request = otpp::send_request<get>(me);
      co_await request.wait(token);
    } else if (m.how == 5) {
      std::vector<otpp::server_ref<introvert>> all{me};
      auto answers = co_await otpp::multi_call<get>(all, 1s, token);
      answers.at(0).value(); // throws
    } else {
      co_await otpp::cast<note>(me); // the mailbox has room for one
      co_await otpp::cast<note>(me, token);
    }
  }
  asio::awaitable<std::error_code> handle_call(ask_self m, state&) {
    std::exception_ptr error;
    try {
      co_await ask(std::move(m), otpp::self<introvert>());
    } catch (...) {
      error = std::current_exception();
    }
    co_return code_of(error);
  }
};

} // namespace

TEST_CASE("handlers: what a handler has spawned may ask its server, whatever can cancel it") {
  asio::io_context context;
  std::vector<int> heard;
  otpp::server_ref<introvert> server = start_on<introvert>(context, &heard);
  otpp::cast<introvert::begin>(server, asio::use_future);
  context.restart();
  context.run_for(10s);
  CHECK(heard.size() == 9);
  for (int answer : heard) {
    CHECK((answer == 42 || answer == 43));
  }
}

TEST_CASE("handlers: a handler that waits for itself is refused, wherever it is to be resumed") {
  for (int how = 0; how != 7; ++how) {
    CAPTURE(how);
    asio::io_context context;
    asio::io_context elsewhere;
    std::future<otpp::server_ref<introvert>> started = otpp::start<introvert>(
        otpp::options().on(context.get_executor()).mailbox_limit(1), static_cast<std::vector<int>*>(nullptr),
        asio::use_future);
    settle(context);
    otpp::server_ref<introvert> server = started.get();
    SECTION("elsewhere " + std::to_string(how)) {
      std::future<std::error_code> answer =
          otpp::call<introvert::ask_self>(server, elsewhere.get_executor(), how, asio::use_future);
      for (int round = 0; round != 5; ++round) {
        settle(context);
        settle(elsewhere);
      }
      REQUIRE(answer.wait_for(10s) == std::future_status::ready); // no context runs meanwhile
      CHECK(answer.get() == (how == 6 ? otpp::errc::mailbox_full : otpp::errc::calling_self));
    }
  }
}

// ---- what keeps a context running ----

namespace {

struct patient {
  struct await_other {
    asio::io_context* other;
    int* done;
  };
  int init() { return 0; }
  static asio::awaitable<void> compute(asio::io_context& other) {
    co_await asio::post(asio::bind_executor(other.get_executor(), asio::use_awaitable));
  }
  asio::awaitable<void> handle_cast(await_other m, int&) {
    co_await asio::co_spawn(*m.other, compute(*m.other), asio::use_awaitable);
    ++*m.done;
  }
};

asio::awaitable<void> compute_and_receive(asio::io_context& other, int& received) {
  while (true) {
    neighbor::note got = co_await otpp::receive<neighbor::note>();
    (void)got;
    co_await asio::co_spawn(other, patient::compute(other), asio::use_awaitable);
    ++received;
  }
}

// Lets `other` do what a handler on `context` waits for, after which nothing keeps run() there.
void complete(asio::io_context& other, asio::io_context& context) {
  settle(other);
  context.restart();
  context.run_for(10s);
  CHECK(context.stopped());
}

} // namespace

TEST_CASE("handlers: a handler that waits keeps run() from returning") {
  asio::io_context context;
  asio::io_context other;
  int done = 0;
  otpp::server_ref<patient> server = start_on<patient>(context);
  otpp::cast<patient::await_other>(server, &other, &done, asio::use_future);
  settle(context);
  CHECK_FALSE(context.stopped());
  complete(other, context);
  CHECK(done == 1);

  SECTION("also if it is destroyed while it waits") {
    otpp::cast<patient::await_other>(server, &other, &done, asio::use_future);
    settle(context);
    CHECK_FALSE(context.stopped());
  }
}

TEST_CASE("handlers: a handler that is lost does not keep run() from returning") {
  asio::io_context context;
  auto other = std::make_unique<asio::io_context>();
  int done = 0;
  otpp::server_ref<patient> server = start_on<patient>(context);
  otpp::cast<patient::await_other>(server, other.get(), &done, asio::use_future);
  settle(context);
  other.reset(); // and with it what the handler waits for
  context.restart();
  context.run_for(10s);
  CHECK(context.stopped());
  CHECK(server.has_ended());
  CHECK(done == 0);
}

TEST_CASE("handlers: a body that waits in receive is no work, whatever it has waited for before") {
  asio::io_context context;
  asio::io_context other;
  int received = 0;
  std::future<otpp::server_ref<otpp::spawned>> spawned = otpp::spawn(
      otpp::options().on(context.get_executor()), compute_and_receive(other, received), asio::use_future);
  settle(context);
  CHECK(context.stopped());
  otpp::pid process = spawned.get();
  for (int round = 1; round != 4; ++round) {
    otpp::send<neighbor::note>(process, asio::use_future);
    settle(context);
    CHECK_FALSE(context.stopped());
    complete(other, context);
    CHECK(received == round);
  }
}

// ---- a handler that withstands ----

namespace {

struct stubborn_one {
  struct wait {};
  int init() { return 0; }
  asio::awaitable<void> handle_cast(wait, int&) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, 1h);
    asio::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    co_await asio::this_coro::reset_cancellation_state();
    co_await timer.async_wait(asio::use_awaitable); // cleans up
  }
};

} // namespace

TEST_CASE("handlers: a kill cancels a handler again that has withstood an exit signal") {
  asio::io_context context;
  otpp::server_ref<stubborn_one> server = start_on<stubborn_one>(context);
  otpp::cast<stubborn_one::wait>(server, asio::use_future);
  settle(context);
  otpp::exit(server, otpp::exit_reason::shutdown());
  settle(context);
  CHECK_FALSE(server.has_ended());
  otpp::exit(server, otpp::exit_reason::shutdown()); // a second time, which lets it clean up
  settle(context);
  CHECK_FALSE(server.has_ended());
  std::future<otpp::exit_reason> why = server.join(asio::use_future);
  otpp::kill(server);
  settle(context);
  REQUIRE(server.has_ended());
  CHECK(why.get() == otpp::exit_reason::killed()); // which is what has ended it
}
