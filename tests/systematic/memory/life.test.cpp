// SPDX-License-Identifier: BSL-1.0

// Memory fails where servers are started, named, waited for and stopped.

#include "subject.hpp"

#include <otpp/otpp.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/use_future.hpp>

#include <future>
#include <stdexcept>
#include <vector>

namespace {

struct refuser {
  struct get {
    using reply_type = int;
  };
  int init(int how) {
    if (how < 0) {
      throw std::runtime_error("not today");
    }
    return how;
  }
  int handle_call(get, int& n) { return n; }
};

struct ignorer {
  otpp::init_result<int> init() { return otpp::ignore; }
};

// Keeps its init waiting until it is cancelled.
struct waiter {
  asio::awaitable<int> init(asio::steady_timer* until) {
    co_await until->async_wait(asio::use_awaitable);
    co_return 1;
  }
};

} // namespace

TEST_CASE("memory: a start starts, or has no effect", "[memory]") {
  SECTION("without a name") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        auto make = [] { return otpp::start<subject>(3); };
        ended<subject_ref> how = co_await await_armed<subject_ref>(make);
        expect(how.value || how.is_out_of_memory(), "neither started nor bad_alloc");
        expect(how.value.has_value() != has_struck(), "a failed allocation has no effect");
        if (how.value) {
          int n = co_await otpp::call<subject::get>(*how.value);
          expect(n == 3, "a wrong state");
          co_await how.value->stop();
        }
      };
      in_context(body);
    });
    tell("start", count);
    CHECK(count >= 3);
  }
  SECTION("with a name and a limit") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        otpp::registry names;
        auto make = [&] {
          return otpp::start<subject>(otpp::named(long_text).in(names).mailbox_limit(2), 3);
        };
        ended<subject_ref> how = co_await await_armed<subject_ref>(make);
        expect(how.value || how.is_out_of_memory(), "neither started nor bad_alloc");
        bool is_there = otpp::whereis<subject>(long_text, names).has_value();
        expect(is_there == how.value.has_value(), "what did not start has no name, and what did has its own");
        if (!how.value) {
          how.value = co_await otpp::start<subject>(otpp::named(long_text).in(names), 3);
        }
        int n = co_await otpp::call<subject::get>(*how.value);
        expect(n == 3, "a wrong state");
        co_await how.value->stop();
        expect(names.names().empty(), "the name is free");
      };
      in_context(body);
    });
    tell("start with a name and a limit", count);
    CHECK(count >= 8);
  }
  SECTION("with a name that is taken") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        otpp::registry names;
        subject_ref first = co_await otpp::start<subject>(otpp::named("it").in(names), 3);
        auto make = [&] { return otpp::start<subject>(otpp::named("it").in(names), 4); };
        ended<subject_ref> how = co_await await_armed<subject_ref>(make);
        expect(
            has_code(how.error, otpp::errc::name_taken) || how.is_out_of_memory(),
            "neither name_taken nor bad_alloc");
        expect(otpp::whereis<subject>("it", names) == first, "the name is still the first one's");
        co_await first.stop();
      };
      in_context(body);
    });
    tell("start with a name that is taken", count);
    CHECK(count >= 8);
  }
  SECTION("that is refused") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        auto make = [] { return otpp::start<refuser>(otpp::named("memory.refuser"), -1); };
        ended<otpp::server_ref<refuser>> how = co_await await_armed<otpp::server_ref<refuser>>(make);
        expect(how.error && !how.value, "it started");
        bool is_there = otpp::whereis<refuser>("memory.refuser").has_value();
        expect(!is_there, "the name is free");
        auto ignored = [] { return otpp::start<ignorer>(); };
        ended<otpp::server_ref<ignorer>> other = co_await await_armed<otpp::server_ref<ignorer>>(ignored);
        expect(
            has_code(other.error, otpp::errc::ignored) || other.is_out_of_memory(),
            "neither ignored nor bad_alloc");
      };
      in_context(body);
    });
    tell("start that is refused, and one that is ignored", count);
    CHECK(count >= 12);
  }
  SECTION("on another context, with a future") {
    long count = fail_at_every_index([] {
      asio::io_context context;
      std::future<subject_ref> made;
      bool was_refused = false;
      arm();
      try {
        made = otpp::start<subject>(otpp::options().on(context.get_executor()), 3, asio::use_future);
      } catch (const std::bad_alloc&) {
        was_refused = true;
      }
      context.run_for(std::chrono::seconds(3));
      disarm();
      if (was_refused) {
        return;
      }
      bool is_there = made.wait_for(std::chrono::seconds(3)) == std::future_status::ready;
      expect(is_there, "the future has nothing");
      try {
        subject_ref server = made.get();
        tally<int> asked;
        otpp::call<subject::get>(server, asked.handler());
        context.restart();
        context.run_for(std::chrono::seconds(3));
        expect(asked.value() == 3, "a wrong state");
      } catch (const std::bad_alloc&) {
      }
    });
    tell("start on another context, with a future", count);
    CHECK(count >= 6);
  }
}

TEST_CASE("memory: a start that is cancelled ends once", "[memory]") {
  long count = fail_at_every_index([] {
    asio::io_context context;
    asio::steady_timer until(context, asio::steady_timer::time_point::max());
    asio::cancellation_signal signal;
    bool is_done = false;
    auto body = [&]() -> asio::awaitable<void> {
      std::exception_ptr error;
      try {
        otpp::server_ref<waiter> made = co_await otpp::start<waiter>(
            &until, asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable));
        expect(false, "it started");
      } catch (...) {
        error = std::current_exception();
      }
      disarm();
      is_done = true;
      expect(
          is_bad_alloc(error) || has_code(error, asio::error::operation_aborted),
          "neither cancelled nor bad_alloc");
    };
    asio::co_spawn(context, body(), [](std::exception_ptr) {});
    context.poll();
    bool is_refused = false;
    arm();
    try {
      signal.emit(asio::cancellation_type::terminal);
    } catch (const std::bad_alloc&) {
      is_refused = true;
    }
    disarm(); // what follows is Asio's timer and the test's own init
    if (is_refused) {
      signal.emit(asio::cancellation_type::terminal);
    }
    context.restart();
    context.run_for(std::chrono::seconds(3));
    expect(is_done, "it hangs");
  });
  tell("start that is cancelled", count);
  CHECK(count >= 1);
}

TEST_CASE("memory: a name is registered, or it is not", "[memory]") {
  auto body = []() -> asio::awaitable<void> {
    otpp::registry names;
    subject_ref server = co_await otpp::start<subject>(0);
    bool is_registered = false;
    arm();
    try {
      otpp::register_name(long_text, server, names);
      is_registered = true;
    } catch (const std::bad_alloc&) {
    }
    disarm();
    expect(is_registered != has_struck(), "a failed allocation has no effect");
    bool is_there = otpp::whereis<subject>(long_text, names).has_value();
    expect(is_there == is_registered, "a name that failed to register is there");
    arm();
    bool was_removed = otpp::unregister_name(long_text, names);
    disarm();
    expect(was_removed == is_registered, "a name goes without memory");
    otpp::register_name(long_text, server, names);
    std::vector<std::string> all;
    arm();
    try {
      all = otpp::registered(names);
    } catch (const std::bad_alloc&) {
    }
    disarm();
    expect(all.size() == 1 || has_struck(), "a name is missing");
    co_await server.stop();
    expect(names.names().empty(), "the name outlives its server");
    server = co_await otpp::start<subject>(0);
    arm();
    try {
      otpp::register_name(long_text, server, names);
    } catch (const std::bad_alloc&) {
    }
    disarm();
    names.remove(long_text);
    co_await server.stop();
    arm();
    try {
      otpp::register_name(long_text, server, names);
      expect(false, "what has ended got a name");
    } catch (const std::bad_alloc&) {
    } catch (const otpp::error& error) {
      expect(error.code() == otpp::errc::no_process, "neither no_process nor bad_alloc");
    }
    disarm();
    expect(names.names().empty(), "what has ended has a name");
  };
  long count = fail_at_every_index([&] { in_context(body); });
  tell("names", count);
  CHECK(count >= 8);
}

TEST_CASE("memory: a wait for a name ends once", "[memory]") {
  SECTION("that is there") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        otpp::registry names;
        subject_ref server = co_await otpp::start<subject>(otpp::named(long_text).in(names), 3);
        auto make = [&] { return otpp::wait_for_name<subject>(long_text, otpp::infinite, names); };
        ended<subject_ref> how = co_await await_armed<subject_ref>(make);
        expect(how.value == server || how.is_out_of_memory(), "neither found nor bad_alloc");
        co_await server.stop();
      };
      in_context(body);
    });
    tell("wait_for_name that is there", count);
    CHECK(count >= 3);
  }
  SECTION("that comes later") {
    long count = fail_at_every_index([] {
      otpp::registry names;
      world w;
      bool is_done = false;
      auto body = [&]() -> asio::awaitable<void> {
        auto make = [&] { return otpp::wait_for_name<subject>(long_text, otpp::infinite, names); };
        ended<subject_ref> how = co_await await_armed<subject_ref>(make);
        is_done = true;
        expect(how.value == w.server() || how.is_out_of_memory(), "neither found nor bad_alloc");
      };
      asio::co_spawn(w.context(), body(), [](std::exception_ptr) {});
      w.context().restart();
      w.context().poll();
      bool is_registered = false;
      if (!is_done) {
        arm();
      }
      try {
        otpp::register_name(long_text, w.server(), names);
        is_registered = true;
      } catch (const std::bad_alloc&) {
      }
      disarm();
      if (!is_registered) {
        expect(!is_done, "a name that failed to register was found");
        otpp::register_name(long_text, w.server(), names);
      }
      w.run();
      expect(is_done, "it hangs");
    });
    tell("wait_for_name that comes later", count);
    CHECK(count >= 5);
  }
  SECTION("that never comes") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        otpp::registry names;
        auto make = [&] {
          return otpp::wait_for_name<subject>(long_text, std::chrono::milliseconds(1), names);
        };
        ended<subject_ref> how = co_await await_armed<subject_ref>(make);
        expect(
            has_code(how.error, otpp::errc::timeout) || how.is_out_of_memory(),
            "neither a timeout nor bad_alloc");
      };
      in_context(body);
    });
    tell("wait_for_name that never comes", count);
    CHECK(count >= 8);
  }
}

TEST_CASE("memory: a stop stops, or has no effect", "[memory]") {
  SECTION("awaited") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        otpp::registry names;
        subject_ref server = co_await otpp::start<subject>(otpp::named("it").in(names), 0);
        auto make = [&] { return server.stop(); };
        ended<void> how = co_await await_armed<void>(make);
        expect(!how.error || how.is_out_of_memory(), "neither stopped nor bad_alloc");
        expect(server.has_ended() == !how.error, "a stop that failed has no effect");
        if (how.error) {
          int n = co_await otpp::call<subject::add>(server, 5);
          expect(n == 5, "the server answers no more");
          co_await server.stop();
        }
        expect(names.names().empty(), "the name is free");
      };
      in_context(body);
    });
    tell("stop, awaited", count);
    CHECK(count == 3); // the frame that awaits, the operation, and the list of who watches the server
  }
  SECTION("with a callback, and calls that are queued") {
    long count = fail_at_every_index([] {
      world w;
      tally<nothing> stopped;
      tally<int> before;
      tally<int> after;
      otpp::call<subject::add>(w.server(), 5, before.handler());
      stopped.begin_armed([&] {
        w.server().stop(otpp::exit_reason::shutdown(), std::chrono::seconds(5), stopped.handler());
      });
      after.begin_armed([&] { otpp::call<subject::add>(w.server(), 5, after.handler()); });
      w.run();
      disarm();
      stopped.check();
      before.check();
      after.check();
      expect(before.value() == 5, "what came before the stop is handled");
      if (!stopped.is_out_of_memory()) {
        expect(
            has_code(after.error(), otpp::errc::exited) || after.is_out_of_memory(),
            "what came after the stop is told of the end");
        expect(w.server().has_ended(), "it goes on");
      }
    });
    tell("stop with a callback, and calls", count);
    CHECK(count >= 3);
  }
  SECTION("of one that has ended") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        subject_ref server = co_await otpp::start<subject>(0);
        co_await server.stop();
        auto stop = [&] { return server.stop(); };
        ended<void> how = co_await await_armed<void>(stop);
        expect(
            has_code(how.error, otpp::errc::no_process) || how.is_out_of_memory(),
            "neither no_process nor bad_alloc");
        auto join = [&] { return server.join(); };
        ended<otpp::exit_reason> joined = co_await await_armed<otpp::exit_reason>(join);
        expect(
            joined.value == otpp::exit_reason::normal() || joined.is_out_of_memory(),
            "neither the reason nor bad_alloc");
      };
      in_context(body);
    });
    tell("stop and join of one that has ended", count);
    CHECK(count >= 6);
  }
}

TEST_CASE("memory: a join ends once", "[memory]") {
  long count = fail_at_every_index([] {
    world w;
    tally<otpp::exit_reason> joined;
    joined.begin_armed([&] { w.server().join(joined.handler()); });
    w.context().restart();
    w.context().poll();
    tally<nothing> stopped;
    disarm();
    w.server().stop(stopped.handler());
    arm();
    w.run();
    disarm();
    joined.check();
    stopped.check();
    expect(!stopped.error(), "it did not stop");
    expect(
        joined.value() == otpp::exit_reason::normal() || joined.is_out_of_memory(),
        "neither the reason nor bad_alloc");
  });
  tell("join", count);
  CHECK(count >= 1);
}

TEST_CASE("memory: two failures of a start are no worse than one", "[.verify][memory]") {
  long pairs = failing_memory::fail_at_every_pair([] {
    auto body = []() -> asio::awaitable<void> {
      otpp::registry names;
      auto make = [&] { return otpp::start<subject>(otpp::named(long_text).in(names), 3); };
      ended<subject_ref> first = co_await await_armed<subject_ref>(make);
      ended<subject_ref> second;
      if (!first.value) {
        second = co_await await_armed<subject_ref>(make);
      }
      std::optional<subject_ref> server = first.value ? first.value : second.value;
      bool is_there = otpp::whereis<subject>(long_text, names).has_value();
      expect(is_there == server.has_value(), "what did not start has no name, and what did has its own");
      if (server) {
        auto stop = [&] { return server->stop(); };
        ended<void> stopped = co_await await_armed<void>(stop);
        if (stopped.error) {
          co_await server->stop();
        }
      }
      expect(names.names().empty(), "the name is free");
    };
    in_context(body);
  });
  tell("pairs: start and stop with a name", pairs);
  CHECK(pairs >= 50);
}
