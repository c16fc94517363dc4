// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_server/cast.hpp>

#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/self.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <exception>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace {

constexpr otpp::server_name<counter> the_cast_counter{"cast-counter"};

// A server that is held up by its first message, with a limit to its mailbox.
asio::awaitable<otpp::server_ref<scribe>> start_held(journal said, event go_on, std::size_t limit) {
  auto server = co_await otpp::start<scribe>(otpp::options().mailbox_limit(limit), said);
  co_await otpp::cast<scribe::hold>(server, go_on);
  co_await until([&] { return go_on.is_awaited(); });
  co_return server;
}

asio::awaitable<void> fill_and_stop() {
  journal said;
  event go_on;
  auto server = co_await start_held(said, go_on, 1);
  co_await otpp::cast<scribe::note>(server, "a");
  pending<> waiting;
  otpp::cast<scribe::note>(server, "b", waiting.token());
  pending<> stopped;
  server.stop(stopped.token());
  go_on.happen();
  co_await waiting.get();
  co_await stopped.get();
  CHECK(said.text() == "hold held a b terminate:normal");
}

} // namespace

TEST_CASE("cast: every form tells the server", "[cast]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("cast-counter"), 0);
    counter::set three{3};
    co_await otpp::cast<counter::set>(server, 1);
    int count = co_await otpp::call<counter::get>(server);
    CHECK(count == 1);
    co_await otpp::cast<counter::set>(the_cast_counter, 2);
    count = co_await otpp::call<counter::get>(server);
    CHECK(count == 2);
    co_await otpp::cast("cast-counter", three);
    count = co_await otpp::call<counter::get>(server);
    CHECK(count == 3);
    pending<> in_place;
    otpp::cast<counter::set>(server, 4, in_place.token());
    co_await in_place.get();
    count = co_await otpp::call<counter::get>(server);
    CHECK(count == 4);
    pending<> made;
    otpp::cast(server, counter::set{5}, made.token());
    co_await made.get();
    count = co_await otpp::call<counter::get>(server);
    CHECK(count == 5);
    CHECK(otpp::try_cast<counter::set>(server, 6));
    CHECK(otpp::try_cast(the_cast_counter, counter::set{7}));
    count = co_await otpp::call<counter::get>(server);
    CHECK(count == 7);
    co_await server.stop();
  });
}

TEST_CASE("cast: to nobody it is no_process, and try_cast says false", "[cast]") {
  run([]() -> asio::awaitable<void> {
    std::error_code error = co_await code_of(otpp::cast<counter::set>("cast-nobody", 1));
    CHECK(error == otpp::errc::no_process);
    CHECK_FALSE(otpp::try_cast<counter::set>("cast-nobody", 1));
    auto server = co_await otpp::start<counter>(0);
    co_await server.stop();
    error = co_await code_of(otpp::cast<counter::set>(server, 1));
    CHECK(error == otpp::errc::no_process);
    CHECK_FALSE(otpp::try_cast<counter::set>(server, 1));
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    pending<> with_token;
    otpp::cast<counter::set>(server, 1, asio::bind_executor(executor, with_token.token()));
    error = co_await with_token.code();
    CHECK(error == otpp::errc::no_process);
  });
}

TEST_CASE("cast: a message that a server does not list is bad_message, by its name", "[cast]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<counter>(otpp::named("cast-counter"), 0);
    otpp::error error = co_await error_of(otpp::cast<scribe::note>("cast-counter", "x"));
    CHECK(error.code() == otpp::errc::bad_message);
    CHECK(std::string(error.what()).find("scribe::note") != std::string::npos);
    CHECK_FALSE(otpp::try_cast<scribe::note>("cast-counter", "x"));
    // An info is no cast.
    std::error_code code = co_await code_of(otpp::cast<counter::reset>("cast-counter"));
    CHECK(code == otpp::errc::bad_message);
    CHECK_FALSE(server.has_ended());
    co_await server.stop();
  });
}

TEST_CASE("cast: without a limit nobody waits, not even the server itself", "[cast]") {
  struct chatterbox {
    struct talk {
      int times;
    };
    struct word {};
    struct heard {
      using reply_type = int;
    };
    int init() { return 0; }
    asio::awaitable<void> handle_cast(talk m, int&) {
      auto me = otpp::self<chatterbox>();
      for (int n = 0; n != m.times; ++n) {
        co_await otpp::cast<word>(me);
      }
    }
    void handle_cast(word, int& n) { ++n; }
    int handle_call(heard, int& n) { return n; }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<chatterbox>();
    co_await otpp::cast<chatterbox::talk>(server, 100000);
    int heard = 0;
    while (heard != 100000) {
      heard = co_await otpp::call<chatterbox::heard>(server);
    }
    CHECK(heard == 100000);
    co_await server.stop();
  });
}

TEST_CASE("cast: a call that gives up in line for room is not handled", "[cast]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await start_held(said, go_on, 1);
    co_await otpp::cast<scribe::note>(server, "a");
    std::error_code code =
        co_await code_of(otpp::call_for<scribe::ask>(server, std::chrono::milliseconds(1), 1));
    CHECK(code == otpp::errc::timeout);
    go_on.happen();
    co_await otpp::cast<scribe::note>(server, "b");
    co_await server.stop();
    CHECK(said.text() == "hold held a b terminate:normal");
  });
}

TEST_CASE("cast: where there is no room a sender waits, and try_cast does not", "[cast]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await start_held(said, go_on, 2);
    co_await otpp::cast<scribe::note>(server, "a");
    CHECK(otpp::try_cast<scribe::note>(server, "b"));
    CHECK_FALSE(otpp::try_cast<scribe::note>(server, "lost"));
    pending<> first;
    pending<> second;
    otpp::cast<scribe::note>(server, "c", first.token());
    otpp::cast<scribe::note>(server, "d", second.token());
    CHECK_FALSE(otpp::try_cast<scribe::note>(server, "lost"));
    co_await some_steps();
    CHECK_FALSE(first.is_done());
    CHECK_FALSE(second.is_done());
    go_on.happen();
    co_await first.get();
    co_await second.get();
    co_await server.stop();
    CHECK(said.text() == "hold held a b c d terminate:normal");
  });
}

TEST_CASE("cast: a handler that finds its own mailbox full is told so", "[cast]") {
  struct full {
    struct talk {
      using reply_type = std::error_code;
    };
    struct word {};
    int init() { return 0; }
    asio::awaitable<std::error_code> handle_call(talk, int&) {
      auto me = otpp::self<full>();
      std::error_code first = co_await code_of(otpp::cast<word>(me));
      CHECK_FALSE(first);
      std::error_code second = co_await code_of(otpp::cast<word>(me));
      co_return second;
    }
    void handle_cast(word, int&) {}
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<full>(otpp::options().mailbox_limit(1));
    std::error_code error = co_await otpp::call<full::talk>(server);
    CHECK(error == otpp::errc::mailbox_full);
    co_await server.stop();
  });
}

TEST_CASE("cast: who waits for room is let go when the server ends", "[cast]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await start_held(said, go_on, 1);
    pending<int> crash;
    bool taken = otpp::try_cast<scribe::note>(server, "a");
    CHECK(taken);
    pending<> waiting;
    otpp::cast<scribe::note>(server, "b", waiting.token());
    pending<> also;
    otpp::cast<scribe::note>(server, "c", also.token());
    crash_log reports;
    pending<> stopped; // passes those who wait
    server.stop(otpp::ahead, stopped.token());
    go_on.happen();
    co_await stopped.get();
    std::error_code first = co_await waiting.code();
    std::error_code second = co_await also.code();
    CHECK(first == otpp::errc::exited);
    CHECK(second == otpp::errc::exited);
    CHECK(reports.dropped() == 1); // the other two are told
    CHECK(said.text() == "hold held terminate:normal");
  });
}

TEST_CASE("cast: who is cancelled while waiting for room has sent nothing", "[cast]") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event go_on;
    auto server = co_await start_held(said, go_on, 1);
    bool taken = otpp::try_cast<scribe::note>(server, "a");
    CHECK(taken);
    asio::cancellation_signal cancel;
    pending<> first;
    otpp::cast<scribe::note>(server, "b", asio::bind_cancellation_slot(cancel.slot(), first.token()));
    pending<> second;
    otpp::cast<scribe::note>(server, "c", second.token());
    cancel.emit(asio::cancellation_type::terminal);
    std::error_code error = co_await first.code();
    CHECK(error == asio::error::operation_aborted);
    go_on.happen();
    co_await second.get();
    co_await server.stop();
    CHECK(said.text() == "hold held a c terminate:normal");
  });
}

TEST_CASE("cast: a sender that waits for room leaves nothing behind wherever it ends", "[cast]") {
  run(fill_and_stop);
  std::size_t steps = abandon_at_every_step(fill_and_stop);
  CHECK(steps > 1);
}

TEST_CASE("cast: a message is moved, never copied", "[cast]") {
  struct carrier {
    struct parcel {
      std::unique_ptr<int> content;
      const void** opened_at;
    };
    struct done {
      using reply_type = int;
    };
    int init() { return 0; }
    void handle_cast(parcel&& m, int& sum) {
      sum += *m.content;
      *m.opened_at = m.content.get();
    }
    int handle_call(done, int& sum) { return sum; }
  };
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<carrier>();
    const void* opened_at = nullptr;
    auto content = std::make_unique<int>(8);
    const void* sent = content.get();
    co_await otpp::cast<carrier::parcel>(server, std::move(content), &opened_at);
    int sum = co_await otpp::call<carrier::done>(server);
    CHECK(sum == 8);
    CHECK(opened_at == sent);
    co_await server.stop();
  });
}

namespace {

struct session;

// Ends at its only message.
struct last_reader {
  struct done {
    std::shared_ptr<session> who;
  };

  int init() { return 0; }
  otpp::outcome<> handle_cast(done message, int&) {
    message.who.reset();
    return otpp::stop();
  }
};

struct session {
  otpp::server_ref<last_reader> server;
};

} // namespace

TEST_CASE("cast: the last reference to a server may be in the message that ends it", "[cast]") {
  asio::thread_pool pool(1);
  int refused = 0;
  for (int n = 0; n != 2000; ++n) {
    auto started = otpp::start<last_reader>(otpp::options().on(pool.get_executor()), asio::use_future);
    auto owner = std::make_shared<session>(session{started.get()});
    session& here = *owner;
    refused += otpp::try_cast<last_reader::done>(here.server, std::move(owner)) ? 0 : 1;
  }
  pool.join();
  CHECK(refused == 0); // and the sanitizers have nothing to say
}
