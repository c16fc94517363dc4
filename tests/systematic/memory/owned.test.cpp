// SPDX-License-Identifier: BSL-1.0

// Memory fails where servers start coroutines of their own, and where many servers are waited for and stopped.

#include "subject.hpp"

#include <otpp/otpp.hpp>

#include <asio/post.hpp>

#include <string>
#include <vector>

namespace {

// Starts coroutines that change its state.
struct host {
  struct begin {
    using reply_type = std::string;
  };
  struct compute {
    using reply_type = std::string;
  };
  struct get {
    using reply_type = int;
  };

  int init() { return 0; }

  // From here on there is memory: Asio needs some for the end of a coroutine, and ends the program without
  // (docs/guarantees.md).
  static asio::awaitable<int> add_one(int& sum) {
    disarm();
    co_return ++sum;
  }

  // The rest of the handler has the memory that it needs.
  std::string handle_call(begin, int& sum) {
    std::string how = "started";
    arm();
    try {
      otpp::co_spawn(add_one(sum));
    } catch (const std::bad_alloc&) {
      disarm();
      how = "refused";
    }
    return how; // memory may fail until the coroutine has begun
  }
  asio::awaitable<std::string> handle_call(compute, int& sum) {
    auto make = [&] { return otpp::co_spawn(add_one(sum), asio::use_awaitable); };
    ended<int> how = co_await await_armed<int>(make);
    expect(how.value || how.is_out_of_memory(), "neither a value nor bad_alloc");
    co_return how.value ? "computed" : "refused";
  }
  int handle_call(get, int& sum) { return sum; }
};

} // namespace

TEST_CASE("memory: a coroutine of a server runs, or the server is told", "[memory]") {
  SECTION("that nobody waits for") {
    quiet no_reports;
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        auto server = co_await otpp::start<host>();
        std::exception_ptr error;
        std::string how;
        try {
          how = co_await otpp::call<host::begin>(server);
        } catch (...) {
          error = std::current_exception();
        }
        disarm();
        if (how == "refused") {
          int sum = co_await otpp::call<host::get>(server);
          expect(sum == 0, "a coroutine that was refused has run");
          co_await server.stop();
        } else if (how == "started" && !has_struck()) {
          co_await asio::post(asio::use_awaitable);
          int sum = co_await otpp::call<host::get>(server);
          expect(sum == 1, "it has not run");
          co_await server.stop();
        } else {
          // It could not begin, which ends the server like what a coroutine throws; or the answer failed.
          expect(has_struck(), "it failed without a reason");
          try {
            co_await server.stop();
          } catch (const otpp::error&) {
          }
        }
      };
      in_context(body);
    });
    tell("co_spawn", count);
    CHECK(count >= 3);
  }
  SECTION("that its handler waits for") {
    long count = fail_at_every_index([] {
      auto body = []() -> asio::awaitable<void> {
        auto server = co_await otpp::start<host>();
        std::string how = co_await otpp::call<host::compute>(server);
        int sum = co_await otpp::call<host::get>(server);
        expect((how == "computed") == (sum == 1), "it has run, or it has not");
        co_await server.stop();
      };
      in_context(body);
    });
    tell("co_spawn, awaited", count);
    CHECK(count >= 3);
  }
}

TEST_CASE("memory: a wait for many ends once", "[memory]") {
  long count = fail_at_every_index([] {
    auto body = []() -> asio::awaitable<void> {
      std::vector<subject_ref> all;
      for (int n = 0; n != 3; ++n) {
        subject_ref one = co_await otpp::start<subject>(n);
        all.push_back(one);
      }
      for (subject_ref& one : all) {
        otpp::exit(one, otpp::exit_reason::shutdown());
      }
      using reasons = std::vector<otpp::exit_reason>;
      auto make = [&] { return otpp::join_all(all); };
      ended<reasons> how = co_await await_armed<reasons>(make);
      expect(how.value || how.is_out_of_memory(), "neither the reasons nor bad_alloc");
      expect(!how.value || *how.value == reasons(3, otpp::exit_reason::shutdown()), "not the reason of each");
      for (subject_ref& one : all) {
        otpp::exit_reason why = co_await one.join();
        expect(why == otpp::exit_reason::shutdown(), "another reason");
      }
    };
    in_context(body);
  });
  tell("join_all", count);
  CHECK(count >= 3);
}

TEST_CASE("memory: stop_all stops what it can, and says that it has not stopped all", "[memory]") {
  long count = fail_at_every_index([] {
    asio::io_context servers;
    std::vector<subject_ref> all;
    auto start = [&]() -> asio::awaitable<void> {
      for (int n = 0; n != 3; ++n) {
        subject_ref one = co_await otpp::start<subject>(n);
        all.push_back(one);
      }
    };
    asio::co_spawn(servers, start(), [](std::exception_ptr) {});
    servers.run();
    servers.restart();
    auto body = [&]() -> asio::awaitable<void> {
      auto make = [&] { return otpp::stop_all(servers); };
      ended<void> how = co_await await_armed<void>(make);
      expect(!how.error || how.is_out_of_memory(), "neither stopped nor bad_alloc");
      if (how.error) {
        co_await otpp::stop_all(servers);
      }
      for (subject_ref& one : all) {
        expect(one.has_ended(), "one is left");
      }
    };
    bool is_done = false;
    asio::co_spawn(servers, body(), [&](std::exception_ptr error) {
      is_done = true;
      expect(!error, "the coroutine let an exception out");
    });
    servers.run_for(std::chrono::seconds(3));
    disarm();
    expect(is_done, "it hangs");
  });
  tell("stop_all", count);
  CHECK(count >= 3);
}
