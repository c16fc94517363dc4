// SPDX-License-Identifier: BSL-1.0

// Every awaited verb with every kind of completion token.

#include <otpp/otpp.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/version.hpp>

#if ASIO_VERSION >= 102300
#include <asio/as_tuple.hpp>
#include <asio/deferred.hpp>
#else
#include <asio/experimental/as_tuple.hpp>
#endif
#if ASIO_VERSION >= 103100
#include <asio/cancel_after.hpp>
#endif

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

namespace {

using namespace std::chrono_literals;

// An answer that can be moved and nothing else.
struct ticket {
  explicit ticket(int n) : number(std::make_unique<int>(n)) {}
  std::unique_ptr<int> number;
};

struct booth {
  struct ask {
    using reply_type = int;
  };
  struct buy {
    using reply_type = ticket;
  };
  struct ring {
    using reply_type = void;
  };
  struct park {
    using reply_type = int;
  };
  struct fail {
    using reply_type = int;
  };
  struct note {};

  struct state {
    int asked = 0;
    int notes = 0;
    std::optional<otpp::caller<int>> parked;
  };

  state init() { return {}; }
  int handle_call(ask, state& s) { return ++s.asked; }
  ticket handle_call(buy, state& s) { return ticket(++s.asked); }
  void handle_call(ring, state& s) { ++s.asked; }
  void handle_call(park, otpp::caller<int> from, state& s) { s.parked.emplace(std::move(from)); }
  otpp::outcome<int> handle_call(fail, state&) { return otpp::fail(std::out_of_range("no such thing")); }
  void handle_cast(note, state& s) { ++s.notes; }
  void handle_info(note, state& s) { ++s.notes; }
};

using booth_ref = otpp::server_ref<booth>;

// An executor that knows when it is at work, so that a handler can tell where it was called.
class tracker {
 public:
  explicit tracker(asio::io_context& context, int& depth) noexcept : context_(&context), depth_(&depth) {}

  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  tracker require(asio::execution::blocking_t::never_t) const noexcept { return *this; }

  template <class Function>
  void execute(Function&& function) const {
    using function_type = std::decay_t<Function>;
    auto kept = std::make_shared<function_type>(std::forward<Function>(function));
    asio::post(*context_, [kept, depth = depth_] {
      ++*depth;
      std::move (*kept)();
      --*depth;
    });
  }

  friend bool operator==(const tracker& a, const tracker& b) noexcept { return a.depth_ == b.depth_; }
  [[maybe_unused]] friend bool operator!=(const tracker& a, const tracker& b) noexcept { return !(a == b); }

 private:
  asio::io_context* context_;
  int* depth_;
};

// Completion handlers, and where and how often they were called.
struct witness {
  asio::io_context context;
  int depth = 0;
  bool initiating = false;
  int completed = 0;
  int inline_completions = 0;
  int misplaced = 0;
  std::vector<std::error_code> codes;
  std::optional<booth_ref> opened;

  witness() {
    asio::co_spawn(
        context,
        [](std::optional<booth_ref>& to) -> asio::awaitable<void> {
          auto server = co_await otpp::start<booth>(otpp::named("tokens booth"));
          to = server;
        }(opened),
        forget);
    settle(context);
    REQUIRE(opened);
  }

  // A callback on an executor of its own.
  auto callback() {
    return asio::bind_executor(tracker(context, depth), [this](std::exception_ptr error, auto&&...) {
      ++completed;
      inline_completions += initiating ? 1 : 0;
      misplaced += depth == 1 ? 0 : 1;
      codes.push_back(code_of(error));
    });
  }

  // A callback that says nothing about where it wants to be called.
  auto plain_callback() {
    return [this](std::exception_ptr error, auto&&...) {
      ++completed;
      inline_completions += initiating ? 1 : 0;
      codes.push_back(code_of(error));
    };
  }

  template <class Initiate>
  std::error_code complete(Initiate initiate) {
    int before = completed;
    initiating = true;
    initiate();
    initiating = false;
    settle(context);
    REQUIRE(completed == before + 1);
    CHECK(inline_completions == 0);
    CHECK(misplaced == 0);
    settle(context);
    CHECK(completed == before + 1);
    return codes.back();
  }
};

} // namespace

TEST_CASE("tokens: a callback is called once, on its own executor, never inside", "[tokens]") {
  witness w;
  booth_ref server = *w.opened;
  otpp::server_name<booth> nobody("tokens nobody");
  CHECK_FALSE(w.complete([&] { otpp::call<booth::ask>(server, w.callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::call(server, booth::ask(), w.callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::call(server, booth::ask(), 1s, w.callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::call_for<booth::ask>(server, 1s, w.callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::call<booth::ring>(server, w.callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::cast<booth::note>(server, w.callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::cast(server, booth::note(), w.callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::send<booth::note>(server, w.callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::send(server, booth::note(), w.callback()); }));

  CHECK(w.complete([&] { otpp::call<booth::ask>(nobody, w.callback()); }) == otpp::errc::no_process);
  CHECK(w.complete([&] { otpp::cast<booth::note>(nobody, w.callback()); }) == otpp::errc::no_process);
  CHECK(w.complete([&] { otpp::send<booth::note>(nobody, w.callback()); }) == otpp::errc::no_process);
  CHECK(w.complete([&] { otpp::call_for<booth::ask>(server, -1s, w.callback()); }) == otpp::errc::timeout);
  CHECK(w.complete([&] { otpp::call<booth::fail>(server, w.callback()); }) == std::errc::interrupted);
  CHECK(w.complete([&] { server.stop(w.callback()); }) == std::error_code());
}

TEST_CASE("tokens: a callback of stop and join is called once, on its own executor", "[tokens]") {
  witness w;
  booth_ref server = *w.opened;
  int joins = 0;
  otpp::exit_reason why = otpp::exit_reason::killed();
  server.join(asio::bind_executor(
      tracker(w.context, w.depth), [&](std::exception_ptr error, otpp::exit_reason reason) {
        w.misplaced += w.depth == 1 ? 0 : 1;
        joins += error ? 100 : 1;
        why = reason;
      }));
  settle(w.context);
  CHECK(joins == 0);
  CHECK_FALSE(w.complete([&] { server.stop(otpp::exit_reason::shutdown(), w.callback()); }));
  CHECK(joins == 1);
  CHECK(why == otpp::exit_reason::shutdown());
  CHECK(w.complete([&] { server.stop(w.callback()); }) == otpp::errc::no_process);
  CHECK(w.complete([&] {
    server.stop(otpp::exit_reason::normal(), 1s, w.callback());
  }) == otpp::errc::no_process);
  CHECK(w.complete([&] { otpp::call<booth::ask>(server, w.callback()); }) == otpp::errc::no_process);
  CHECK(w.complete([&] { otpp::cast<booth::note>(server, w.callback()); }) == otpp::errc::no_process);
}

TEST_CASE("tokens: a callback without an executor is called where the server runs", "[tokens]") {
  witness w;
  booth_ref server = *w.opened;
  CHECK_FALSE(w.complete([&] { otpp::call<booth::ask>(server, w.plain_callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::cast<booth::note>(server, w.plain_callback()); }));
  CHECK_FALSE(w.complete([&] { otpp::send<booth::note>(server, w.plain_callback()); }));
  CHECK_FALSE(w.complete([&] { server.stop(w.plain_callback()); }));
}

TEST_CASE("tokens: reply completes once and the caller has its answer", "[tokens]") {
  witness w;
  std::optional<otpp::caller<int>> kept;
  struct lender {
    struct lend {
      std::optional<otpp::caller<int>>* to;
      using reply_type = int;
    };
    int init() { return 0; }
    void handle_call(lend m, otpp::caller<int> from, int&) { m.to->emplace(std::move(from)); }
  };
  std::future<otpp::server_ref<lender>> started =
      otpp::start<lender>(otpp::options().on(w.context.get_executor()), asio::use_future);
  settle(w.context);
  otpp::server_ref<lender> server = started.get();
  int answer = 0;
  otpp::call<lender::lend>(server, &kept, [&](std::exception_ptr, int value) { answer = value; });
  settle(w.context);
  REQUIRE(kept);
  CHECK_FALSE(w.complete([&] { otpp::reply(std::move(*kept), 7, w.callback()); }));
  CHECK(answer == 7);
  kept.reset();
}

namespace {

// A handler that notices when it is moved from.
struct notebook {
  std::shared_ptr<int> completions = std::make_shared<int>(0);

  void operator()(std::exception_ptr, int) const { ++*completions; }
  void operator()(std::exception_ptr) const { ++*completions; }
  void operator()(std::exception_ptr, otpp::exit_reason) const { ++*completions; }
};

} // namespace

TEST_CASE("tokens: a handler that has a name is copied, and keeps what is in it", "[tokens]") {
  witness w;
  booth_ref server = *w.opened;
  notebook handler;
  otpp::call<booth::ask>(server, handler);
  REQUIRE(handler.completions);
  otpp::call(server, booth::ask(), handler);
  REQUIRE(handler.completions);
  otpp::cast<booth::note>(server, handler);
  REQUIRE(handler.completions);
  otpp::send<booth::note>(server, handler);
  REQUIRE(handler.completions);
  server.join(handler);
  REQUIRE(handler.completions);
  server.stop(handler);
  REQUIRE(handler.completions);
  // The server runs on w.context, and so do handlers that ask for nothing else.
  settle(w.context);
  CHECK(*handler.completions == 6);
}

TEST_CASE("tokens: a handler may be const", "[tokens]") {
  witness w;
  booth_ref server = *w.opened;
  const notebook handler;
  otpp::call<booth::ask>(server, handler);
  otpp::cast<booth::note>(server, handler);
  server.join(handler);
  server.stop(handler);
  settle(w.context);
  CHECK(*handler.completions == 4);
}

// ---- use_future, from a plain thread that may block ----

TEST_CASE("tokens: use_future serves a plain blocking thread", "[tokens]") {
  asio::io_context context;
  auto work = asio::make_work_guard(context);
  std::thread server_thread([&] { context.run(); });

  std::future<booth_ref> started =
      otpp::start<booth>(otpp::named("tokens future").on(context.get_executor()), asio::use_future);
  booth_ref server = started.get();
  std::future<int> answer = otpp::call<booth::ask>(server, asio::use_future);
  int asked = answer.get();
  std::future<ticket> bought = otpp::call<booth::buy>(server, asio::use_future);
  int number = *bought.get().number;
  std::future<void> rung = otpp::call<booth::ring>(server, asio::use_future);
  rung.get();
  std::future<int> refused = otpp::call<booth::fail>(server, asio::use_future);
  bool threw = false;
  try {
    refused.get();
  } catch (const std::out_of_range&) {
    threw = true;
  }
  std::future<int> timed_out = otpp::call_for<booth::park>(server, 1ms, asio::use_future);
  std::error_code code;
  try {
    timed_out.get();
  } catch (...) {
    code = code_of(std::current_exception());
  }
  std::future<void> cast = otpp::cast<booth::note>("tokens future", asio::use_future);
  std::error_code cast_code;
  try {
    cast.get();
  } catch (...) {
    cast_code = code_of(std::current_exception());
  }
  std::future<void> sent = otpp::send<booth::note>(server, asio::use_future);
  sent.get();
  std::future<booth_ref> found =
      otpp::wait_for_name<booth>("tokens future", 1s, otpp::registry::global(), asio::use_future);
  bool same = found.get() == server;
  std::future<otpp::exit_reason> joined = server.join(asio::use_future);
  std::future<void> stopped = server.stop(otpp::exit_reason::shutdown(), asio::use_future);
  stopped.get();
  otpp::exit_reason why = joined.get();
  work.reset();
  server_thread.join();

  CHECK(asked == 1);
  CHECK(number == 2);
  CHECK(threw);
  CHECK(code == otpp::errc::timeout);
  CHECK(cast_code == otpp::errc::bad_message); // by a string, and the server lists nothing
  CHECK(same);
  CHECK(why == otpp::exit_reason::shutdown());
}

TEST_CASE("tokens: use_future works when the caller's thread runs the context", "[tokens]") {
  witness w;
  std::future<int> answer = otpp::call<booth::ask>(*w.opened, asio::use_future);
  CHECK(answer.wait_for(0s) == std::future_status::timeout);
  settle(w.context);
  REQUIRE(answer.wait_for(10s) == std::future_status::ready);
  CHECK(answer.get() == 1);
}

TEST_CASE("tokens: use_future of a start that fails", "[tokens]") {
  witness w;
  std::future<booth_ref> taken =
      otpp::start<booth>(otpp::named("tokens booth").on(w.context.get_executor()), asio::use_future);
  settle(w.context);
  REQUIRE(taken.wait_for(10s) == std::future_status::ready);
  std::error_code code;
  try {
    taken.get();
  } catch (...) {
    code = code_of(std::current_exception());
  }
  CHECK(code == otpp::errc::name_taken);
}

// ---- the default token ----

namespace {

// Neither copied nor default-made nor assigned.
struct sealed {
  explicit sealed(int n) : number(n) {}
  sealed(sealed&& other) noexcept : number(std::exchange(other.number, -1)) {}
  sealed& operator=(sealed&&) = delete;
  int number;
};

struct vault {
  struct take {
    using reply_type = sealed;
  };
  struct take_later {
    using reply_type = sealed;
  };
  struct take_slowly {
    using reply_type = sealed;
  };
  struct refuse {
    using reply_type = sealed;
  };
  struct drop {
    using reply_type = sealed;
  };
  struct take_bool {
    using reply_type = bool;
  };
  struct take_pair {
    using reply_type = std::pair<ticket, sealed>;
  };

  int init() { return 0; }
  sealed handle_call(take, int& s) { return sealed(++s); }
  void handle_call(take_later, otpp::caller<sealed> from, int& s) { from.reply(sealed(++s)); }
  asio::awaitable<sealed> handle_call(take_slowly, int& s) {
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    co_return sealed(++s);
  }
  otpp::outcome<sealed> handle_call(refuse, int&) { return otpp::fail(std::out_of_range("no")); }
  void handle_call(drop, otpp::caller<sealed>, int&) {}
  bool handle_call(take_bool, int&) { return true; }
  std::pair<ticket, sealed> handle_call(take_pair, int& s) {
    s += 2;
    return {ticket(s - 1), sealed(s)};
  }
};

} // namespace

TEST_CASE("tokens: the default token asks nothing of an answer but to be movable", "[tokens]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<vault>();
    sealed one = co_await otpp::call<vault::take>(server);
    CHECK(one.number == 1);
    sealed two = co_await otpp::call<vault::take_later>(server);
    CHECK(two.number == 2);
    sealed three = co_await otpp::call<vault::take_slowly>(server);
    CHECK(three.number == 3);
    std::pair<ticket, sealed> both = co_await otpp::call<vault::take_pair>(server);
    CHECK(*both.first.number == 4);
    CHECK(both.second.number == 5);
    bool refused = false;
    try {
      sealed none = co_await otpp::call<vault::refuse>(server);
      CHECK(none.number == 0); // not reached
    } catch (const std::out_of_range&) {
      refused = true;
    }
    CHECK(refused);
    std::error_code code;
    try {
      sealed none = co_await otpp::call<vault::drop>(server);
      CHECK(none.number == 0); // not reached
    } catch (const otpp::error& e) {
      code = e.code();
    }
    CHECK(code == otpp::errc::no_reply);
    co_await server.stop();
  });
}

TEST_CASE("tokens: use_future asks nothing of an answer but to be movable", "[tokens]") {
  asio::io_context context;
  std::future<otpp::server_ref<vault>> started =
      otpp::start<vault>(otpp::options().on(context.get_executor()), asio::use_future);
  settle(context);
  otpp::server_ref<vault> server = started.get();
  std::future<sealed> answer = otpp::call<vault::take>(server, asio::use_future);
  std::future<sealed> refused = otpp::call<vault::refuse>(server, asio::use_future);
  settle(context);
  CHECK(answer.get().number == 1);
  CHECK_THROWS_AS(refused.get(), std::out_of_range);
}

TEST_CASE("tokens: every verb with the default token, in a coroutine that is resumed at home", "[tokens]") {
  asio::io_context theirs;
  asio::io_context ours;
  std::thread::id home = std::this_thread::get_id();
  auto work = asio::make_work_guard(theirs);
  std::thread server_thread([&] { theirs.run(); });
  int misplaced = 0;
  int completed = 0;
  struct script {
    static asio::awaitable<void> play(asio::io_context& away, std::thread::id here, int& astray, int& done) {
      auto check = [&] {
        ++done;
        astray += std::this_thread::get_id() == here ? 0 : 1;
      };
      auto server = co_await otpp::start<booth>(otpp::named("tokens away").on(away.get_executor()));
      check();
      int asked = co_await otpp::call<booth::ask>(server);
      check();
      int again = co_await otpp::call_for<booth::ask>(server, 1s);
      check();
      booth::ask message;
      int third = co_await otpp::call(server, message);
      check();
      done += asked + again + third == 6 ? 0 : 100;
      co_await otpp::cast<booth::note>(server);
      check();
      co_await otpp::send<booth::note>(server);
      check();
      auto found = co_await otpp::wait_for_name<booth>("tokens away");
      check();
      done += found == server ? 0 : 100;
      co_await server.stop();
      check();
      otpp::exit_reason why = co_await server.join();
      check();
      done += why == otpp::exit_reason::normal() ? 0 : 100;
    }
  };
  std::error_code code;
  asio::co_spawn(ours, script::play(theirs, home, misplaced, completed), [&](std::exception_ptr error) {
    code = code_of(error);
  });
  ours.run();
  work.reset();
  server_thread.join();
  CHECK_FALSE(code);
  CHECK(completed == 9);
  CHECK(misplaced == 0);
}

TEST_CASE("tokens: reply with the default token, from any coroutine", "[tokens]") {
  run([]() -> asio::awaitable<void> {
    struct lender {
      struct lend {
        std::shared_ptr<std::optional<otpp::caller<int>>> to;
        using reply_type = int;
      };
      int init() { return 0; }
      void handle_call(lend m, otpp::caller<int> from, int&) { m.to->emplace(std::move(from)); }
    };
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    auto server = co_await otpp::start<lender>();
    auto kept = std::make_shared<std::optional<otpp::caller<int>>>();
    auto answer = std::make_shared<int>(0);
    otpp::call<lender::lend>(
        server, kept,
        asio::bind_executor(executor, [answer](std::exception_ptr, int value) { *answer = value; }));
    co_await asio::post(executor, asio::use_awaitable);
    while (!*kept) {
      co_await asio::post(executor, asio::use_awaitable);
    }
    co_await otpp::reply(std::move(**kept), 5);
    while (*answer == 0) {
      co_await asio::post(executor, asio::use_awaitable);
    }
    CHECK(*answer == 5);
    kept->reset();
    co_await server.stop();
  });
}

// ---- a token of the user's own ----

namespace {

// As simple as a token can be: the initiation runs when the result is called.
struct lazy_t {};
inline constexpr lazy_t lazy{};

} // namespace

template <class R, class... Args>
struct asio::async_result<lazy_t, R(Args...)> {
  template <class Initiation, class... InitArgs>
  static auto initiate(Initiation initiation, lazy_t, InitArgs... args) {
    return [initiation = std::move(initiation),
            kept = std::make_tuple(std::move(args)...)](auto handler) mutable {
      std::apply(
          [&](auto&&... each) {
            std::move(initiation)(std::move(handler), std::forward<decltype(each)>(each)...);
          },
          std::move(kept));
    };
  }
};

TEST_CASE("tokens: an operation may be started later, and its arguments may be gone", "[tokens]") {
  witness w;
  booth_ref server = *w.opened;
  auto later = [&] {
    booth_ref gone_soon = server;
    return otpp::call<booth::ask>(gone_soon, lazy);
  }();
  auto note_later = otpp::cast<booth::note>(server, lazy);
  settle(w.context);
  CHECK(w.completed == 0);
  CHECK_FALSE(w.complete([&] { later(w.callback()); }));
  CHECK_FALSE(w.complete([&] { note_later(w.callback()); }));
}

TEST_CASE("tokens: a cast that is never started leaves nothing behind", "[tokens]") {
  std::atomic<int> alive{0};
  struct taker {
    struct parcel {
      explicit parcel(std::atomic<int>& count) : here(count) {}
      counted_in here;
      using reply_type = int;
    };
    int init() { return 0; }
    int handle_call(parcel, int&) { return 1; }
    void handle_cast(parcel, int&) {}
  };
  asio::io_context context;
  std::future<otpp::server_ref<taker>> started =
      otpp::start<taker>(otpp::options().on(context.get_executor()), asio::use_future);
  settle(context);
  otpp::server_ref<taker> server = started.get();
  {
    auto cast = otpp::cast<taker::parcel>(server, alive, lazy);
    auto call = otpp::call<taker::parcel>(server, alive, lazy);
    CHECK(alive == 2);
  }
  CHECK(alive == 0);
  {
    auto call = otpp::call<taker::parcel>(server, alive); // an awaitable that nobody awaits
    auto cast = otpp::cast<taker::parcel>(server, alive);
  }
  settle(context);
  CHECK(alive == 0);
}

namespace {

#if ASIO_VERSION >= 102300
using asio::as_tuple;
#else
using asio::experimental::as_tuple;
#endif

// Its answer can be moved so many times.
struct juggler {
  struct toss {
    std::shared_ptr<int> moves;
    using reply_type = fragile;
  };
  int init() { return 0; }
  void handle_call(toss m, otpp::caller<fragile> from, int&) { from.reply(fragile(m.moves)); }
};

} // namespace

TEST_CASE("tokens: as_tuple comes back whichever move of an answer throws", "[tokens]") {
  int failed = 0;
  int worked = 0;
  for (int at = 0; at != 20; ++at) {
    run([at, &failed, &worked]() -> asio::awaitable<void> {
      crash_log reports;
      auto server = co_await otpp::start<juggler>();
      auto moves = std::make_shared<int>(at);
      auto token = as_tuple(asio::use_awaitable);
      try {
        auto answer = co_await otpp::call<juggler::toss>(server, moves, token);
        ++(std::get<0>(answer) ? failed : worked);
      } catch (const std::exception&) {
        ++failed; // the result's last move is the coroutine's own
      }
      *moves = 1000;
      co_await server.stop();
    });
  }
  CHECK(failed > 3);
  CHECK(worked > 0);
  CHECK(failed + worked == 20);
}

// ---- tokens of newer Asio ----

#if ASIO_VERSION >= 102300
TEST_CASE("tokens: as_tuple and redirect give the error as a value", "[tokens]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<booth>();
    auto token = asio::as_tuple(asio::use_awaitable);
    auto good = co_await otpp::call<booth::ask>(server, token);
    CHECK_FALSE(std::get<0>(good));
    CHECK(std::get<1>(good) == 1);
    auto bad = co_await otpp::call<booth::ask>(otpp::server_name<booth>("tokens nobody"), token);
    CHECK(code_of(std::get<0>(bad)) == otpp::errc::no_process);
    auto stopped = co_await server.stop(token);
    CHECK_FALSE(std::get<0>(stopped));
  });
}

TEST_CASE("tokens: deferred operations can be awaited", "[tokens]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<booth>();
    auto later = otpp::call<booth::ask>(server, asio::deferred);
    int asked = co_await std::move(later)(asio::use_awaitable);
    CHECK(asked == 1);
    auto note = otpp::cast<booth::note>(server, asio::deferred);
    co_await std::move(note)(asio::use_awaitable);
    co_await server.stop();
  });
}
#endif

#if ASIO_VERSION >= 103100
TEST_CASE("tokens: cancel_after ends a call that is not answered", "[tokens]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<booth>();
    std::error_code code;
    booth::park message;
    try {
      co_await otpp::call(server, message, otpp::infinite, asio::cancel_after(1ms, asio::use_awaitable));
    } catch (const std::system_error& e) {
      code = e.code();
    }
    CHECK(code == asio::error::operation_aborted);
    int asked = co_await otpp::call<booth::ask>(server);
    CHECK(asked == 1);
    co_await server.stop();
  });
}
#endif
