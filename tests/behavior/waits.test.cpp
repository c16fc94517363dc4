// SPDX-License-Identifier: BSL-1.0

// Every operation that waits is registered before anybody else knows of it: it is told, or it is destroyed with its
// caller's context, whatever happens to the other side.

#include <otpp/otpp.hpp>
#include <otpp/request.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/probe.hpp"
#include "support/run.hpp"

using namespace std::chrono_literals;

namespace {

struct line {
  int n;
};
struct word {
  int n;
};

struct tally {
  struct next {
    using reply_type = int;
  };
  int init() { return 0; }
  int handle_call(next, int& n) { return ++n; }
};

// Keeps whoever asks waiting.
struct mute {
  struct ask {
    using reply_type = int;
  };
  using state_type = std::vector<otpp::caller<int>>;
  state_type init() { return {}; }
  void handle_call(ask, otpp::caller<int> from, state_type& s) { s.push_back(std::move(from)); }
};

template <class Callbacks>
otpp::server_ref<Callbacks> start_on(asio::io_context& context) {
  std::optional<otpp::server_ref<Callbacks>> made;
  otpp::start<Callbacks>(
      otpp::options().on(context.get_executor()),
      asio::bind_executor(
          context.get_executor(), [&](std::exception_ptr, std::optional<otpp::server_ref<Callbacks>> server) {
            made = std::move(server);
          }));
  context.restart();
  context.poll();
  return made.value();
}

// A completion handler that counts how often it was called, and how many copies of it live.
struct receives_line {
  ending* how;
  counted_in alive;
  void operator()(std::exception_ptr error, line) const { how->write(std::move(error)); }
};

} // namespace

TEST_CASE("waits: a receive that the body does not wait for is told of the body's end", "[waits]") {
  ending how;
  std::atomic<int> alive{0};
  run([&]() -> asio::awaitable<void> {
    auto body = [](ending* told, std::atomic<int>* count) -> asio::awaitable<void> {
      otpp::receive<line>(receives_line{told, counted_in(*count)});
      co_return;
    };
    otpp::pid who = co_await otpp::spawn(body(&how, &alive));
    co_await who.join();
  });
  CHECK(how.times == 1);
  CHECK(how.code == asio::error::operation_aborted);
  CHECK(alive == 0);
}

TEST_CASE("waits: a receive is destroyed with the context to which it is bound", "[waits]") {
  ending how;
  std::atomic<int> alive{0};
  run([&]() -> asio::awaitable<void> {
    auto theirs = std::make_unique<asio::io_context>();
    auto body = [](asio::any_io_executor at, ending* told, std::atomic<int>* count) -> asio::awaitable<void> {
      otpp::receive<line>(asio::bind_executor(at, receives_line{told, counted_in(*count)}));
      word last = co_await otpp::receive<word>();
      CHECK(last.n == 1);
    };
    auto who = co_await otpp::spawn(body(theirs->get_executor(), &how, &alive));
    CHECK(alive == 1);
    theirs.reset();
    CHECK(alive == 0);
    co_await otpp::send<line>(who, 1); // nobody waits for it any more
    co_await otpp::send<word>(who, 1);
    co_await who.join();
  });
  CHECK(how.times == 0);
}

TEST_CASE("waits: of two receives at once the first to get its message wins", "[waits]") {
  using namespace asio::experimental::awaitable_operators;
  run([]() -> asio::awaitable<void> {
    int got = 0;
    auto body = [](int& to) -> asio::awaitable<void> {
      auto either = co_await (otpp::receive<line>() || otpp::receive<word>());
      to = either.index() == 0 ? std::get<0>(either).n : 0;
    };
    auto who = co_await otpp::spawn(body(got));
    co_await otpp::send<line>(who, 7); // what the first of the two waits for
    co_await who.join();
    CHECK(got == 7);
  });
}

TEST_CASE("waits: two receives at once each get their message, in any order", "[waits]") {
  using namespace asio::experimental::awaitable_operators;
  run([]() -> asio::awaitable<void> {
    int sum = 0;
    auto body = [](int& to) -> asio::awaitable<void> {
      auto came = co_await (otpp::receive<line>() && otpp::receive<word>());
      to = std::get<0>(came).n + std::get<1>(came).n;
    };
    auto who = co_await otpp::spawn(body(sum));
    co_await otpp::send<word>(who, 1);
    co_await otpp::send<line>(who, 2);
    co_await who.join();
    CHECK(sum == 3);
  });
}

TEST_CASE("waits: a receive whose time is over leaves the message to the next", "[waits]") {
  run([]() -> asio::awaitable<void> {
    int got = 0;
    std::error_code first;
    event is_over;
    auto body = [](int& to, std::error_code& code, event over) -> asio::awaitable<void> {
      code = co_await code_of(otpp::receive<line>(1ms));
      over.happen();
      line next = co_await otpp::receive<line>();
      to = next.n;
    };
    auto who = co_await otpp::spawn(body(got, first, is_over));
    co_await is_over.wait();
    co_await otpp::send<line>(who, 3);
    co_await who.join();
    CHECK(first == otpp::errc::timeout);
    CHECK(got == 3);
  });
}

// A `next` that finds a response there was once answered by another thread, in a lane that nobody kept.
TEST_CASE("waits: a set's next on strands of a pool", "[waits]") {
  constexpr int servers = 6;
  constexpr int clients = 8;
  constexpr int rounds = 60;
  asio::thread_pool theirs(2);
  asio::thread_pool ours(3);
  std::vector<otpp::server_ref<tally>> all;
  for (int i = 0; i != servers; ++i) {
    all.push_back(otpp::start<tally>(otpp::options().on(theirs.get_executor()), asio::use_future).get());
  }
  std::atomic<int> responses{0};
  auto client = [&]() -> asio::awaitable<void> {
    for (int round = 0; round != rounds; ++round) {
      otpp::request_set<int, int> set;
      for (int i = 0; i != servers; ++i) {
        set.add(i, otpp::send_request<tally::next>(all[static_cast<std::size_t>(i)]));
      }
      while (!set.empty()) {
        auto one = co_await set.next(30s);
        responses += one.answer.has_value() ? 1 : 0;
      }
    }
  };
  std::vector<std::future<void>> done;
  for (int i = 0; i != clients; ++i) {
    done.push_back(asio::co_spawn(asio::make_strand(ours), client(), asio::use_future));
  }
  for (std::future<void>& one : done) {
    one.get();
  }
  CHECK(responses == servers * clients * rounds);
}

// An answer in the turn in which the call was made once ran the callback there, whatever strand it was bound to.
TEST_CASE("waits: a callback that is bound to a strand of the server's pool runs in the strand", "[waits]") {
  asio::thread_pool pool(2);
  auto server = otpp::start<tally>(otpp::options().on(pool.get_executor()), asio::use_future).get();
  auto strand = asio::make_strand(pool);
  std::promise<bool> is_in_strand;
  auto client = [&]() -> asio::awaitable<void> {
    co_await otpp::call<tally::next>(server); // from here on this is resumed in a turn of the pool
    otpp::call<tally::next>(server, asio::bind_executor(strand, [&](std::exception_ptr, int) {
                              is_in_strand.set_value(strand.running_in_this_thread());
                            }));
  };
  asio::co_spawn(pool, client(), asio::use_future).get();
  CHECK(is_in_strand.get_future().get());
}

TEST_CASE("waits: a signal that is emitted after the caller's context has gone does nothing", "[waits]") {
  asio::cancellation_signal signal;
  std::atomic<int> alive{0};
  ending how;
  std::optional<asio::io_context> theirs(std::in_place);
  otpp::server_ref<mute> server = start_on<mute>(*theirs);
  auto call_from = [&](asio::io_context& ours, asio::cancellation_signal& by) {
    otpp::call_for<mute::ask>(
        server, otpp::infinite,
        asio::bind_cancellation_slot(
            by.slot(),
            asio::bind_executor(
                ours.get_executor(), [&how, keep = counted_in(alive)](std::exception_ptr error, int) {
                  how.write(std::move(error));
                })));
    theirs->restart();
    theirs->poll(); // the server has taken the call
  };
  {
    asio::io_context ours;
    call_from(ours, signal);
  }
  CHECK(alive == 0); // the handler goes with its context
  signal.emit(asio::cancellation_type::terminal);
  CHECK(how.times == 0);

  // And the other way round: the signal goes first, then the context with what still waits there.
  {
    asio::io_context ours;
    auto brief = std::make_unique<asio::cancellation_signal>();
    call_from(ours, *brief);
    brief.reset();
  }
  CHECK(alive == 0);
  CHECK(how.times == 0);

  // If the server has gone as well, nothing of the call is left but the signal's slot.
  {
    asio::io_context ours;
    call_from(ours, signal);
  }
  server = {};
  theirs.reset();
  signal.emit(asio::cancellation_type::terminal);
  CHECK(alive == 0);
  CHECK(how.times == 0);
}

namespace {

// Calls, when it is destroyed, with the executor of a context that is being destroyed.
struct calls_at_the_end {
  calls_at_the_end(
      otpp::server_ref<tally> server, asio::io_context& context, std::shared_ptr<asio::io_context> kept,
      std::atomic<int>& alive)
      : to(std::move(server)), ours(&context), keep(std::move(kept)), count(&alive) {}
  calls_at_the_end(calls_at_the_end&& other) noexcept = default;
  calls_at_the_end& operator=(calls_at_the_end&&) = delete;
  ~calls_at_the_end() {
    if (keep) {
      otpp::call<tally::next>(
          to, asio::bind_executor(
                  ours->get_executor(),
                  [held = std::move(keep), alive = counted_in(*count)](std::exception_ptr, int) {}));
    }
  }

  void operator()() {}

  otpp::server_ref<tally> to;
  asio::io_context* ours;
  std::shared_ptr<asio::io_context> keep;
  std::atomic<int>* count;
};

} // namespace

// What a context refuses is destroyed in no gate: here it has the last reference to the server's context.
TEST_CASE("waits: a handler that owns the server's context may be destroyed by a call", "[waits]") {
  std::atomic<int> alive{0};
  auto theirs = std::make_shared<asio::io_context>();
  otpp::server_ref<tally> server = start_on<tally>(*theirs);
  for (bool is_used : {true, false}) {
    CAPTURE(is_used);
    auto ours = std::make_unique<asio::io_context>();
    if (is_used) {
      start_on<tally>(*ours); // the library knows this context before it goes
    }
    asio::post(*ours, calls_at_the_end(server, *ours, is_used ? theirs : std::move(theirs), alive));
    ours.reset();
    CHECK(alive == 0);
  }
  CHECK(server.has_ended()); // with its context
}
