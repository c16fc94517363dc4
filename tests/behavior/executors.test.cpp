// SPDX-License-Identifier: BSL-1.0

// Executors that are not Asio's own: what they may do, and what happens to servers and callers on one that does
// what no executor should.

#include <otpp/otpp.hpp>
#include <otpp/sys.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/execution.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace std::chrono_literals;

// What an executor does with a function that it is given, unless it runs it on its context.
enum class conduct { posts, throws, drops };

// An executor of a context, which it may own.
template <class Context>
struct foreign_executor {
  std::shared_ptr<Context> context;
  std::shared_ptr<conduct> how = std::make_shared<conduct>(conduct::posts);

  asio::execution_context& query(asio::execution::context_t) const noexcept { return *context; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  foreign_executor require(asio::execution::blocking_t::never_t) const { return *this; }
  template <class Function>
  void execute(Function&& function) const {
    switch (*how) {
      case conduct::posts: asio::post(*context, std::forward<Function>(function)); break;
      case conduct::throws: throw std::runtime_error("this pool has stopped");
      case conduct::drops: [[maybe_unused]] std::decay_t<Function> dropped(std::forward<Function>(function));
    }
  }
  friend bool operator==(const foreign_executor& a, const foreign_executor& b) noexcept {
    return a.how == b.how;
  }
  friend bool operator!=(const foreign_executor& a, const foreign_executor& b) noexcept { return !(a == b); }
};

template <class Context>
std::shared_ptr<Context> unowned(Context& context) {
  return std::shared_ptr<Context>(std::shared_ptr<void>(), &context);
}

struct lodger {
  struct get {
    using reply_type = int;
  };
  struct note {};
  int init() { return 0; }
  int handle_call(get, int& n) { return n; }
  void handle_cast(note, int& n) { ++n; }
};

// Keeps calls, and answers them all at a cast.
struct keeper {
  struct ask {
    using reply_type = int;
  };
  struct answer {};
  using state_type = std::vector<otpp::caller<int>>;
  state_type init() { return {}; }
  void handle_call(ask, otpp::caller<int> from, state_type& kept) { kept.push_back(std::move(from)); }
  void handle_cast(answer, state_type& kept) { kept.clear(); }
};

template <class Callbacks>
otpp::server_ref<Callbacks> start_on(asio::io_context& context, const asio::any_io_executor& executor) {
  std::optional<otpp::server_ref<Callbacks>> started;
  auto body = [&]() -> asio::awaitable<void> {
    started = co_await otpp::start<Callbacks>(otpp::options().on(executor));
  };
  asio::co_spawn(context, body(), asio::detached);
  context.restart();
  context.run();
  REQUIRE(started);
  return *started;
}

// A server on an executor that is about to refuse it.
struct evicted {
  asio::io_context theirs;
  asio::io_context ours;
  foreign_executor<asio::io_context> executor{unowned(theirs)};
  otpp::server_ref<lodger> server = start_on<lodger>(theirs, executor);
};

} // namespace

TEST_CASE("executors: one that refuses or drops work ends its server with a reason") {
  conduct bad = GENERATE(conduct::throws, conduct::drops);
  evicted one;
  std::optional<otpp::exit_reason> reason;
  one.server.join(asio::bind_executor(
      one.ours.get_executor(), [&](std::exception_ptr, otpp::exit_reason why) { reason = why; }));
  *one.executor.how = bad;
  otpp::try_cast<lodger::note>(one.server);
  one.ours.run();
  REQUIRE(reason);
  CHECK(reason->message() == "its executor refuses to run it");
  CHECK(one.server.has_ended());
  CHECK_FALSE(otpp::try_cast<lodger::note>(one.server));
}

TEST_CASE("executors: a server that has ended does not end again where its executor refuses work") {
  conduct bad = GENERATE(conduct::throws, conduct::drops);
  evicted one;
  one.server.stop(asio::bind_executor(one.ours.get_executor(), [](std::exception_ptr) {}));
  one.theirs.restart();
  one.theirs.run();
  REQUIRE(one.server.has_ended());
  *one.executor.how = bad;
  for (int n = 0; n != 3; ++n) {
    otpp::kill(one.server); // comes too late
  }
  std::optional<otpp::exit_reason> reason;
  one.server.join(asio::bind_executor(
      one.ours.get_executor(), [&](std::exception_ptr, otpp::exit_reason why) { reason = why; }));
  one.ours.run();
  REQUIRE(reason);
  CHECK(*reason == otpp::exit_reason::normal());
}

TEST_CASE("executors: calls to a server whose executor refuses work say that it has exited") {
  conduct bad = GENERATE(conduct::throws, conduct::drops);
  evicted one;
  *one.executor.how = bad;
  std::optional<otpp::errc> code;
  otpp::call<lodger::get>(
      one.server, asio::bind_executor(one.ours.get_executor(), [&](std::exception_ptr error, int) {
        try {
          std::rethrow_exception(error);
        } catch (const otpp::error& e) {
          code = static_cast<otpp::errc>(e.code().value());
        }
      }));
  one.ours.run();
  CHECK(code == otpp::errc::exited);
}

TEST_CASE("executors: a caller whose executor refuses its answer is destroyed, and the server goes on") {
  conduct bad = GENERATE(conduct::throws, conduct::drops);
  asio::io_context theirs;
  asio::io_context ours;
  foreign_executor<asio::io_context> executor{unowned(ours)};
  otpp::server_ref<lodger> server = start_on<lodger>(theirs, theirs.get_executor());

  auto alive = std::make_shared<int>(0);
  bool is_called = false;
  otpp::call_for<lodger::get>(
      server, otpp::infinite,
      asio::bind_executor(asio::any_io_executor(executor), [&is_called, alive](std::exception_ptr, int) {
        is_called = true;
      }));
  *executor.how = bad;
  theirs.restart();
  theirs.run();
  CHECK(alive.use_count() == 1);
  CHECK_FALSE(is_called);

  *executor.how = conduct::posts;
  bool is_answered = false;
  otpp::call<lodger::get>(
      server, asio::bind_executor(asio::any_io_executor(executor), [&is_answered](std::exception_ptr, int) {
        is_answered = true;
      }));
  theirs.restart();
  theirs.run();
  ours.restart();
  ours.run();
  CHECK(is_answered);
}

TEST_CASE("executors: one that owns its context does not keep it") {
  std::weak_ptr<asio::thread_pool> pool;
  std::promise<void> is_gone;
  {
    auto destroy = [&](asio::thread_pool* last) {
      std::thread([&is_gone, last] { // the last owner may be one of the pool's own threads
        delete last;
        is_gone.set_value();
      })
          .detach();
    };
    std::shared_ptr<asio::thread_pool> owned(new asio::thread_pool(1), destroy);
    pool = owned;
    asio::io_context ours;
    auto body = [](asio::any_io_executor on) -> asio::awaitable<void> {
      auto server = co_await otpp::start<lodger>(otpp::options().on(std::move(on)));
      co_await otpp::call<lodger::get>(server);
      co_await server.stop();
    };
    asio::co_spawn(ours, body(foreign_executor<asio::thread_pool>{std::move(owned)}), asio::detached);
    ours.run();
  }
  is_gone.get_future().wait();
  CHECK(pool.expired());
}

TEST_CASE("executors: the last owner of a context may be a caller's") {
  asio::io_context theirs;
  otpp::server_ref<keeper> server = start_on<keeper>(theirs, theirs.get_executor());
  std::weak_ptr<asio::io_context> context;
  {
    auto owned = std::make_shared<asio::io_context>();
    context = owned;
    foreign_executor<asio::io_context> executor{owned};
    otpp::call_for<keeper::ask>(
        server, 1ms, asio::bind_executor(asio::any_io_executor(executor), [](std::exception_ptr, int) {}));
    owned->run();
  }
  otpp::try_cast<keeper::answer>(server); // releases what kept the executor
  theirs.restart();
  theirs.run();
  CHECK(context.expired());
}

TEST_CASE("executors: the destructor of one may ask the library") {
  struct asker {
    std::size_t* asked;
    explicit asker(std::size_t& count) : asked(&count) {}
    asker(const asker&) = delete;
    asker& operator=(const asker&) = delete;
    ~asker() { *asked += otpp::processes().size(); }
  };
  std::size_t asked = 0;
  asio::io_context context;
  otpp::server_ref<keeper> server = start_on<keeper>(context, context.get_executor());
  for (int i = 0; i != 6; ++i) {
    auto reporting = std::make_shared<asker>(asked);
    auto with = std::shared_ptr<asio::io_context>(reporting, &context);
    otpp::call_for<keeper::ask>(
        server, 1ms,
        asio::bind_executor(
            asio::any_io_executor(foreign_executor<asio::io_context>{std::move(with)}),
            [](std::exception_ptr, int) {}));
    context.restart();
    context.run();
  }
  otpp::try_cast<keeper::answer>(server);
  context.restart();
  context.run();
  CHECK(asked == 6);
}

TEST_CASE("executors: a handler that blocks its strand holds up no timeouts of others") {
  struct blocker {
    struct block {
      std::shared_future<void> until;
    };
    int init() { return 0; }
    void handle_cast(block m, int&) { m.until.wait(); }
  };
  asio::thread_pool pool(2);
  asio::any_io_executor blocked = asio::make_strand(pool);
  asio::any_io_executor other = asio::make_strand(pool);
  std::promise<void> unblock;
  auto first = [&]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<blocker>(otpp::options().on(blocked));
    std::shared_future<void> until = unblock.get_future().share();
    co_await otpp::cast<blocker::block>(server, until);
  };
  auto second = []() -> asio::awaitable<bool> {
    auto server = co_await otpp::start<keeper>();
    bool is_late = false;
    try {
      co_await otpp::call_for<keeper::ask>(server, 10ms);
    } catch (const otpp::error& e) {
      is_late = e.code() == otpp::errc::timeout;
    }
    co_return is_late;
  };
  asio::co_spawn(blocked, first(), asio::use_future).get();
  std::future<bool> is_late = asio::co_spawn(other, second(), asio::use_future);
  CHECK(is_late.get()); // hangs if the blocked strand looks after it
  unblock.set_value();
  pool.join();
}

namespace {

// Sees at its destruction whether the server has ended.
template <class Callbacks>
struct witness {
  const otpp::server_ref<Callbacks>* server;
  bool* has_ended;
  witness(const otpp::server_ref<Callbacks>& of, bool& result) : server(&of), has_ended(&result) {}
  witness(const witness&) = delete;
  witness& operator=(const witness&) = delete;
  ~witness() { *has_ended = server->has_ended(); }
};

} // namespace

TEST_CASE("executors: a context ends its servers before it shuts its strands down") {
  // Other threads may post to a strand until its servers have ended.
  otpp::server_ref<lodger> server;
  bool has_ended = false;
  {
    asio::io_context context;
    server = start_on<lodger>(context, context.get_executor());
    // The first strand, and younger than what the library has in this context.
    asio::post(asio::make_strand(context), [seen = std::make_unique<witness<lodger>>(server, has_ended)] {});
  }
  CHECK(has_ended);
}

TEST_CASE("executors: a context ends its servers before it shuts its timers down") {
  // Other threads may destroy a timer of the library's until the servers have ended.
  otpp::server_ref<keeper> server;
  bool has_ended = false;
  {
    asio::io_context context;
    server = start_on<keeper>(context, context.get_executor());
    otpp::call_for<keeper::ask>(
        server, 1h, asio::bind_executor(context.get_executor(), [](std::exception_ptr, int) {}));
    context.restart();
    context.poll(); // the library has a timer now
    auto last = std::make_shared<asio::steady_timer>(context, 1h);
    last->async_wait([last, seen = std::make_unique<witness<keeper>>(server, has_ended)](std::error_code) {});
    CHECK_FALSE(server.has_ended());
  }
  CHECK(has_ended);
}
