// SPDX-License-Identifier: BSL-1.0

// A client's memory fails: its operation ends once, nothing was sent if it says so, and the server never
// notices.

#include "subject.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/use_future.hpp>

#if __has_include(<asio/deferred.hpp>)
#include <asio/deferred.hpp>
#else // Asio before 1.26
#include <asio/experimental/deferred.hpp>
#endif

#include <future>
#include <utility>

namespace {

#if __has_include(<asio/deferred.hpp>)
constexpr asio::deferred_t deferred;
#else
constexpr asio::experimental::deferred_t deferred;
#endif

// Too large to be kept in an any_io_executor, so that every copy with other properties takes memory, as does
// whatever is posted. (A strand is one of this kind, but does not survive a failure of its own: Asio's.)
class heavy_executor {
 public:
  explicit heavy_executor(asio::io_context& context) : inner_(context.get_executor()) {}

  asio::execution_context& query(asio::execution::context_t) const noexcept {
    return asio::query(inner_, asio::execution::context);
  }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.never;
  }
  heavy_executor require(asio::execution::blocking_t::never_t) const { return *this; }
  heavy_executor require(asio::execution::outstanding_work_t::tracked_t) const {
    heavy_executor result(*this);
    result.inner_ = asio::prefer(inner_, asio::execution::outstanding_work.tracked);
    return result;
  }
  template <class Function>
  void execute(Function&& function) const {
    otpp::detail::hand_to(
        asio::require(inner_, asio::execution::blocking.never), std::forward<Function>(function));
  }
  friend bool operator==(const heavy_executor& a, const heavy_executor& b) noexcept {
    return a.inner_ == b.inner_;
  }
  friend bool operator!=(const heavy_executor& a, const heavy_executor& b) noexcept { return !(a == b); }

 private:
  asio::any_io_executor inner_;
  [[maybe_unused]] char weight_[64] = {};
};

} // namespace

TEST_CASE("memory: a call that is awaited is made or not made", "[memory]") {
  SECTION("with the default timeout") {
    long count = fail_at_every_index(with_subject([](subject_ref server) -> asio::awaitable<int> {
      auto make = [&] { return otpp::call<subject::add>(server, 5); };
      ended<int> how = co_await await_armed<int>(make);
      expect(how.value == 5 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      expect(how.value.has_value() != has_struck(), "a failed allocation has no effect");
      co_return how.value ? 5 : 0;
    }));
    tell("call, awaited", count);
    CHECK(count == 2); // the frame that awaits, and the operation
  }
  SECTION("forever") {
    long count = fail_at_every_index(with_subject([](subject_ref server) -> asio::awaitable<int> {
      auto make = [&] { return otpp::call_for<subject::add>(server, otpp::infinite, 5); };
      ended<int> how = co_await await_armed<int>(make);
      expect(how.value == 5 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      co_return how.value ? 5 : 0;
    }));
    tell("call, awaited, infinite", count);
    CHECK(count == 2);
  }
  SECTION("with a message and an answer that have memory of their own") {
    long count = fail_at_every_index(with_subject([](subject_ref server) -> asio::awaitable<int> {
      auto make = [&] { return otpp::call<subject::echo>(server, long_text); };
      ended<std::string> how = co_await await_armed<std::string>(make);
      expect(how.value == long_text || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      co_return how.value ? 1 : 0;
    }));
    tell("call, awaited, strings", count);
    CHECK(count >= 3);
  }
  SECTION("with a message that is made already") {
    long count = fail_at_every_index(with_subject([](subject_ref server) -> asio::awaitable<int> {
      subject::echo message{long_text};
      auto make = [&] { return otpp::call(server, message, otpp::infinite); };
      ended<std::string> how = co_await await_armed<std::string>(make);
      expect(how.value == long_text || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      expect(message.text == long_text, "the caller's message is its own");
      co_return how.value ? 1 : 0;
    }));
    tell("call, awaited, named message", count);
    CHECK(count >= 3);
  }
  SECTION("with a cancellation slot") {
    long count = fail_at_every_index(with_subject([](subject_ref server) -> asio::awaitable<int> {
      asio::cancellation_signal signal;
      auto make = [&] {
        return otpp::call<subject::add>(
            server, 5, asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable));
      };
      ended<int> how = co_await await_armed<int>(make);
      expect(how.value == 5 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      co_return how.value ? 5 : 0;
    }));
    tell("call, awaited, with a cancellation slot", count);
    CHECK(count >= 3);
  }
}

// The box is made by the caller, when the answer is there.
TEST_CASE("memory: an answer in a box arrives or is bad_alloc", "[memory]") {
  long count = fail_at_every_index(with_subject([](subject_ref server) -> asio::awaitable<int> {
    bool was_sent = false;
    try {
      arm();
      clumsy answer = co_await otpp::call<subject::boxed>(server);
      disarm();
      expect(answer.n == 1, "a wrong answer");
      was_sent = true;
    } catch (const std::bad_alloc&) {
      disarm();
    }
    int sum = co_await otpp::call<subject::get>(server);
    expect(sum == 1 || !was_sent, "an answer to nothing");
    co_return sum;
  }));
  tell("call, awaited, boxed answer", count);
  CHECK(count >= 4);
}

TEST_CASE("memory: a call to a name is made, or not made", "[memory]") {
  SECTION("a string") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        subject_ref server = co_await otpp::start<subject>(otpp::named("memory.named"), 0);
        auto make = [] { return otpp::call<subject::add>("memory.named", 5); };
        ended<int> how = co_await await_armed<int>(make);
        expect(how.value == 5 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
        int sum = co_await otpp::call<subject::get>(server);
        expect(sum == (how.value ? 5 : 0), "the server's state is not what it should be");
        co_await server.stop();
      };
      in_context(body);
    });
    tell("call of a string address", count);
    CHECK(count == 2);
  }
  SECTION("of nobody") {
    long count = fail_at_every_index(with_subject([](subject_ref) -> asio::awaitable<int> {
      auto make = [] { return otpp::call<subject::add>("memory.nobody", 5); };
      ended<int> how = co_await await_armed<int>(make);
      expect(
          has_code(how.error, otpp::errc::no_process) || how.is_out_of_memory(),
          "neither no_process nor bad_alloc");
      co_return 0;
    }));
    tell("call of a name that nobody has", count);
    CHECK(count >= 3);
  }
  SECTION("in a registry of one's own") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        otpp::registry names;
        subject_ref server = co_await otpp::start<subject>(otpp::named("it").in(names), 0);
        otpp::server_name<subject> it("it", names);
        auto make = [&] { return otpp::cast<subject::set>(it, long_text, 7); };
        ended<void> how = co_await await_armed<void>(make);
        expect(!how.error || how.is_out_of_memory(), "neither sent nor bad_alloc");
        int sum = co_await otpp::call<subject::get>(server);
        expect(sum == (how.error ? 0 : 7), "a cast that threw was delivered, or the other way round");
        co_await server.stop();
      };
      in_context(body);
    });
    tell("cast to a server_name", count);
    CHECK(count >= 3);
  }
}

TEST_CASE("memory: a call with a callback ends once", "[memory]") {
  SECTION("on the server's executor") {
    long count = fail_at_every_index([] {
      world w;
      tally<int> how;
      how.begin_armed([&] { otpp::call<subject::add>(w.server(), 5, how.handler()); });
      w.run();
      disarm();
      how.check();
      expect(how.value() == 5 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      int wanted = how.value() ? 5 : 0;
      expect(w.ask() == wanted, "the server's state is not what it should be");
    });
    tell("call with a callback", count);
    CHECK(count >= 1);
  }
  SECTION("on an executor of its own, whose context is new") {
    long count = fail_at_every_index([] {
      world w;
      asio::io_context mine;
      tally<int> how;
      how.begin_armed([&] {
        otpp::call<subject::echo>(
            w.server(), long_text, asio::bind_executor(mine, [&](std::exception_ptr error, std::string text) {
              expect(error || text == long_text, "a wrong answer");
              how.handler()(error, 1);
            }));
      });
      for (int round = 0; round != 4; ++round) {
        w.context().restart();
        w.context().poll();
        mine.restart();
        mine.poll();
      }
      disarm();
      how.check();
      expect(how.value() || how.is_out_of_memory(), "neither an answer nor bad_alloc");
      int wanted = how.value() ? 1 : 0;
      expect(w.ask() == wanted, "the server's state is not what it should be");
    });
    tell("call from a context that is new", count);
    CHECK(count >= 4);
  }
  SECTION("cancelled") {
    long count = fail_at_every_index([] {
      world w;
      asio::cancellation_signal signal;
      tally<int> how;
      how.begin_armed([&] {
        otpp::call_for<subject::later>(
            w.server(), otpp::infinite,
            asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(w.context(), how.handler())));
      });
      w.context().restart();
      w.context().poll();
      signal.emit(asio::cancellation_type::terminal);
      w.run();
      disarm();
      how.check();
      expect(
          how.is_out_of_memory() || has_code(how.error(), asio::error::operation_aborted),
          "neither cancelled nor bad_alloc");
      int wanted = how.was_refused() || !has_code(how.error(), asio::error::operation_aborted) ? -1 : 1;
      int sum = w.ask();
      expect(sum == wanted || wanted == -1, "the server's state is not what it should be");
    });
    tell("call with a callback, cancelled", count);
    CHECK(count >= 3);
  }
}

TEST_CASE("memory: a call with a future ends once", "[memory]") {
  long count = fail_at_every_index([] {
    world w;
    std::future<int> answer;
    bool was_refused = false;
    arm();
    try {
      answer = otpp::call<subject::add>(w.server(), 5, asio::use_future);
    } catch (const std::bad_alloc&) {
      was_refused = true;
    }
    w.run();
    disarm();
    int got = 0;
    if (!was_refused) {
      bool is_there = answer.wait_for(std::chrono::seconds(3)) == std::future_status::ready;
      expect(is_there, "the future has nothing");
      try {
        got = is_there ? answer.get() : -1;
      } catch (const std::bad_alloc&) {
      } catch (const std::future_error&) {
        expect(false, "a broken promise");
      }
    }
    expect(w.ask() == got, "the server's state is not what it should be");
  });
  tell("call with a future", count);
  CHECK(count >= 2);
}

TEST_CASE("memory: a deferred call ends once", "[memory]") {
  long count = fail_at_every_index([] {
    world w;
    tally<int> how;
    how.begin_armed([&] {
      auto call = otpp::call<subject::add>(w.server(), 5, deferred);
      std::move(call)(how.handler());
    });
    w.run();
    disarm();
    how.check();
    expect(how.value() == 5 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
    int wanted = how.value() ? 5 : 0;
    expect(w.ask() == wanted, "the server's state is not what it should be");
  });
  tell("call, deferred", count);
  CHECK(count >= 1);
}

TEST_CASE("memory: a cast that throws was not delivered", "[memory]") {
  SECTION("awaited") {
    long count = fail_at_every_index(with_subject([](subject_ref server) -> asio::awaitable<int> {
      auto make = [&] { return otpp::cast<subject::set>(server, long_text, 7); };
      ended<void> how = co_await await_armed<void>(make);
      expect(!how.error || how.is_out_of_memory(), "neither sent nor bad_alloc");
      expect((how.error != nullptr) == has_struck(), "a failed allocation has no effect");
      co_return how.error ? 0 : 7;
    }));
    tell("cast, awaited", count);
    CHECK(count >= 3);
  }
  SECTION("with a callback") {
    long count = fail_at_every_index([] {
      world w;
      tally<nothing> how;
      how.begin_armed([&] { otpp::cast<subject::set>(w.server(), long_text, 7, how.handler()); });
      w.run();
      disarm();
      how.check();
      expect(!how.error() || how.is_out_of_memory(), "neither sent nor bad_alloc");
      int wanted = how.was_refused() || how.error() ? 0 : 7;
      expect(w.ask() == wanted, "the server's state is not what it should be");
    });
    tell("cast with a callback", count);
    CHECK(count >= 2);
  }
  SECTION("waiting for room") {
    long count = fail_at_every_index([] {
      world w(1);
      subject_ref server = w.server();
      bool is_done = false;
      bool failed = false;
      auto body = [&]() -> asio::awaitable<void> {
        bool is_full = otpp::try_cast<subject::set>(server, "", 1);
        expect(is_full, "the first finds room");
        auto make = [&] { return otpp::cast<subject::set>(server, long_text, 7); };
        ended<void> how = co_await await_armed<void>(make);
        expect(!how.error || how.is_out_of_memory(), "neither sent nor bad_alloc");
        failed = how.error != nullptr;
        int sum = co_await otpp::call<subject::get>(server);
        expect(sum == (failed ? 1 : 7), "a cast that threw was delivered, or the other way round");
        is_done = true;
      };
      asio::co_spawn(w.context(), body(), [](std::exception_ptr) {});
      w.run();
      disarm();
      expect(is_done, "it hangs");
    });
    tell("cast that waits for room", count);
    CHECK(count >= 4);
  }
}

TEST_CASE("memory: an info that throws was not delivered", "[memory]") {
  SECTION("awaited") {
    long count = fail_at_every_index(with_subject([](subject_ref server) -> asio::awaitable<int> {
      auto make = [&] { return otpp::send<subject::bump>(server); };
      ended<void> how = co_await await_armed<void>(make);
      expect(!how.error || how.is_out_of_memory(), "neither sent nor bad_alloc");
      co_return how.error ? 0 : 1;
    }));
    tell("send, awaited", count);
    CHECK(count >= 2);
  }
  SECTION("with a future") {
    long count = fail_at_every_index([] {
      world w;
      std::future<void> done;
      bool was_refused = false;
      arm();
      try {
        done = otpp::send<subject::bump>(w.server(), asio::use_future);
      } catch (const std::bad_alloc&) {
        was_refused = true;
      }
      w.run();
      disarm();
      bool failed = was_refused;
      if (!was_refused) {
        bool is_there = done.wait_for(std::chrono::seconds(3)) == std::future_status::ready;
        expect(is_there, "the future has nothing");
        try {
          if (is_there) {
            done.get();
          }
        } catch (const std::bad_alloc&) {
          failed = true;
        }
      }
      expect(w.ask() == (failed ? 0 : 1), "the server's state is not what it should be");
    });
    tell("send with a future", count);
    CHECK(count >= 2);
  }
}

TEST_CASE("memory: try_cast and try_send say whether they have sent", "[memory]") {
  long count = fail_at_every_index([] {
    world w;
    arm();
    bool cast = otpp::try_cast<subject::set>(w.server(), long_text, 7);
    bool sent = otpp::try_send<subject::bump>(w.server());
    bool named = otpp::try_cast<subject::set>("memory.nobody", long_text, 7);
    disarm();
    expect(!named, "it went to nobody");
    expect((cast && sent) || has_struck(), "it fails without a reason");
    int wanted = (cast ? 7 : 0) + (sent ? 1 : 0);
    expect(w.ask() == wanted, "the server's state is not what it should be");
  });
  tell("try_cast and try_send", count);
  CHECK(count >= 3);
}

TEST_CASE("memory: a timeout expires whatever fails", "[memory]") {
  SECTION("awaited") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        subject_ref server = co_await otpp::start<subject>(0);
        auto make = [&] { return otpp::call_for<subject::later>(server, std::chrono::milliseconds(1)); };
        ended<int> how = co_await await_armed<int>(make);
        expect(
            has_code(how.error, otpp::errc::timeout) || how.is_out_of_memory(),
            "neither a timeout nor bad_alloc");
        int sum = co_await otpp::call<subject::get>(server);
        expect(sum == 0 || sum == 1, "it was handled at most once");
        co_await server.stop();
      };
      in_context(body);
    });
    tell("call that times out", count);
    CHECK(count >= 5); // its timer too
  }
  SECTION("on an executor that takes memory for everything") {
    long count = fail_at_every_index([] {
      world w;
      tally<int> how;
      how.begin_armed([&] {
        otpp::call_for<subject::later>(
            w.server(), std::chrono::milliseconds(1),
            asio::bind_executor(heavy_executor(w.context()), how.handler()));
      });
      w.run();
      disarm();
      how.check();
      expect(
          has_code(how.error(), otpp::errc::timeout) || how.is_out_of_memory(),
          "neither a timeout nor bad_alloc");
      int sum = w.ask();
      expect(sum == 0 || sum == 1, "it was handled at most once");
    });
    tell("call from a heavy executor that times out", count);
    CHECK(count >= 5);
  }
}

namespace {

// Begins a call that is answered later, on whatever executor `with` binds its handler to.
template <class With>
void call_answered_later(With with) {
  world w;
  tally<int> how;
  how.begin_armed(
      [&] { otpp::call_for<subject::later>(w.server(), otpp::infinite, with(w.context(), how.handler())); });
  w.context().restart();
  w.context().poll();
  disarm();
  expect(how.is_over() || !w.context().stopped(), "run() returns although a call waits");
  bool is_there = otpp::try_cast<subject::release>(w.server());
  expect(is_there, "the server is there");
  arm();
  w.run();
  disarm();
  how.check();
  expect(how.value() == 1 || how.is_out_of_memory(), "neither an answer nor bad_alloc");
  int wanted = how.value() ? 1 : 0;
  expect(w.ask() == wanted, "the server's state is not what it should be");
}

} // namespace

TEST_CASE("memory: a call whose answer comes later ends once", "[memory]") {
  SECTION("on the executor of the context") {
    long count = fail_at_every_index([] {
      call_answered_later(
          [](asio::io_context&, auto&& handler) { return std::forward<decltype(handler)>(handler); });
    });
    tell("call that is answered later", count);
    CHECK(count >= 1);
  }
  SECTION("on an executor that takes memory for everything") {
    long count = fail_at_every_index([] {
      call_answered_later([](asio::io_context& context, auto&& handler) {
        return asio::bind_executor(heavy_executor(context), std::forward<decltype(handler)>(handler));
      });
    });
    tell("call from a heavy executor that is answered later", count);
    CHECK(count >= 3);
  }
}

namespace {

// Leaves its callers to whoever started it.
struct keeper {
  struct ask {
    using reply_type = int;
  };
  using place = std::optional<otpp::caller<int>>;

  place* init(place* where) { return where; }
  void handle_call(ask, otpp::caller<int> from, place*& where) { where->emplace(std::move(from)); }
};

} // namespace

TEST_CASE("memory: a reply has reached the caller, whatever fails where it was given", "[memory]") {
  long count = fail_at_every_index([] {
    world w;
    std::optional<otpp::caller<int>> kept;
    std::optional<otpp::server_ref<keeper>> server;
    auto starting = [&]() -> asio::awaitable<void> {
      otpp::server_ref<keeper> made = co_await otpp::start<keeper>(&kept);
      server.emplace(made);
    };
    asio::co_spawn(w.context(), starting(), [](std::exception_ptr) {});
    w.run();
    tally<int> how;
    otpp::call_for<keeper::ask>(*server, otpp::infinite, how.handler());
    w.context().restart();
    w.context().poll();
    expect(kept.has_value(), "the handler has the caller");
    auto body = [&]() -> asio::awaitable<void> {
      auto make = [&] { return otpp::reply(std::move(*kept), 8); };
      ended<void> replied = co_await await_armed<void>(make);
      expect(!replied.error || replied.is_out_of_memory(), "neither done nor bad_alloc");
    };
    asio::co_spawn(w.context(), body(), [](std::exception_ptr) {});
    w.run();
    disarm();
    how.check();
    expect(how.value() == 8, "the answer is given before reply() allocates anything");
  });
  tell("reply, awaited", count);
  CHECK(count == 2);
}

TEST_CASE("memory: two failures are no worse than one", "[.verify][memory]") {
  SECTION("a call that times out") {
    long pairs = failing_memory::fail_at_every_pair([] {
      auto body = []() -> asio::awaitable<void> {
        subject_ref server = co_await otpp::start<subject>(0);
        for (int attempt = 0; attempt != 2; ++attempt) {
          auto make = [&] { return otpp::call_for<subject::later>(server, std::chrono::milliseconds(1)); };
          ended<int> how = co_await await_armed<int>(make);
          expect(
              has_code(how.error, otpp::errc::timeout) || how.is_out_of_memory(),
              "neither a timeout nor bad_alloc");
        }
        co_await server.stop();
      };
      in_context(body);
    });
    tell("pairs: call that times out", pairs);
    CHECK(pairs >= 20);
  }
  SECTION("a call, a cast and a stop") {
    long pairs = failing_memory::fail_at_every_pair([] {
      auto body = []() -> asio::awaitable<void> {
        subject_ref server = co_await otpp::start<subject>(0);
        auto call = [&] { return otpp::call<subject::echo>(server, long_text); };
        auto cast = [&] { return otpp::cast<subject::set>(server, long_text, 7); };
        auto stop = [&] { return server.stop(); };
        ended<std::string> called = co_await await_armed<std::string>(call);
        ended<void> told = co_await await_armed<void>(cast);
        int sum = co_await otpp::call<subject::get>(server);
        int wanted = told.error ? (called.value ? 1 : 0) : 7;
        expect(sum == wanted, "the server's state is not what it should be");
        ended<void> stopped = co_await await_armed<void>(stop);
        if (stopped.error) {
          co_await server.stop();
        }
      };
      in_context(body);
    });
    tell("pairs: call, cast and stop", pairs);
    CHECK(pairs >= 15);
  }
}
