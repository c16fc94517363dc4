// SPDX-License-Identifier: BSL-1.0

#include <otpp/process/pipe.hpp>

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/error.hpp>
#include <asio/experimental/channel.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;

namespace {

using int_channel = asio::experimental::channel<void(std::error_code, int)>;

// A server that pipes what it is told to, and writes down what comes of it.
struct plumber {
  struct state {
    journal said;
    event until;
    std::shared_ptr<int_channel> numbers;
    int asked = 0; // how often a stream has asked for its next

    state(journal where, event when) : said(std::move(where)), until(std::move(when)) {}
    state(const state&) = delete;
    ~state() { said.add("state"); }
  };

  using action = void (*)(state&);
  struct act {
    action what;
    using reply_type = void;
  };
  struct look {
    using reply_type = int;
  };

  struct take {
    std::shared_ptr<int_channel> numbers;
    using reply_type = void;
  };

  // What operations become.
  struct result {
    std::exception_ptr error;
    int value = 0;
  };
  struct done {
    std::error_code error;
  };
  struct number {
    std::error_code error;
    int value = 0;
  };
  struct item {
    std::exception_ptr error;
    std::optional<int> value;
  };
  struct unlisted {};
  using messages = otpp::message_list<result, done>;

  state init(journal said, event until) { return state(std::move(said), std::move(until)); }
  void handle_call(act m, state& s) { m.what(s); }
  int handle_call(look, state& s) { return s.asked; }
  void handle_call(take m, state& s) { s.numbers = m.numbers; }
  void handle_info(result m, state& s) { s.said.add(m.error ? text_of(m.error) : std::to_string(m.value)); }
  void handle_info(done m, state& s) { s.said.add(m.error ? "failed" : "done"); }
  void handle_info(number m, state& s) { s.said.add(m.error ? "closed" : std::to_string(m.value)); }
  asio::awaitable<void> handle_info(item m, state& s) {
    s.said.add(m.error ? text_of(m.error) : m.value ? std::to_string(*m.value) : std::string("end"));
    if (m.value && *m.value == 2) {
      co_await s.until.wait();
      s.said.add("goes-on");
    }
  }
  void terminate(const otpp::exit_reason& reason, state& s) { s.said.add("terminate:" + reason.message()); }
};

using plumber_ref = otpp::server_ref<plumber>;

// Touches the state when the frame that has it is destroyed.
struct piped_frame {
  plumber::state& s;
  ~piped_frame() { s.said.add("gone"); }
};

asio::awaitable<int> wait_and_give(plumber::state& s) {
  piped_frame here{s};
  co_await s.until.wait();
  co_return 7;
}

asio::awaitable<int> fail_to_give_any(plumber::state&) {
  co_await asio::post(asio::use_awaitable);
  throw boom();
}

constexpr auto to_result = [](std::exception_ptr error, int value) {
  return plumber::result{std::move(error), value};
};

void pipe_seven(plumber::state& s) { otpp::pipe<plumber>(wait_and_give(s), to_result); }
void pipe_failure(plumber::state& s) {
  otpp::pipe([&s] { return fail_to_give_any(s); }, to_result); // looked up in the list of messages
}
void pipe_timer(plumber::state& s) {
  auto timer = std::make_shared<asio::steady_timer>(s.numbers->get_executor(), 1ms);
  otpp::pipe<plumber>(
      [timer](auto token) { return timer->async_wait(std::move(token)); },
      [timer](std::error_code error) { return plumber::done{error}; });
}
void pipe_unlisted(plumber::state& s) {
  try {
    otpp::pipe(wait_and_give(s), [](std::exception_ptr, int) { return plumber::unlisted(); });
  } catch (const otpp::error& error) {
    s.said.add(error.code() == otpp::errc::bad_message ? "refused" : "?");
  }
}

// 1, 2 and so on, to 4.
asio::awaitable<std::optional<int>> count_on(plumber::state& s) {
  co_await asio::post(asio::use_awaitable);
  std::optional<int> next;
  if (++s.asked <= 4) {
    next = s.asked;
  }
  co_return next;
}

constexpr auto to_item = [](std::exception_ptr error, std::optional<int> value) {
  return plumber::item{std::move(error), value};
};

void pipe_count(plumber::state& s) {
  otpp::pipe_each<plumber>([&s] { return count_on(s); }, to_item);
}
asio::awaitable<std::optional<int>> wait_for_one(plumber::state& s) {
  int seven = co_await wait_and_give(s);
  co_return std::optional<int>(seven);
}
void pipe_waits(plumber::state& s) {
  otpp::pipe_each<plumber>([&s] { return wait_for_one(s); }, to_item);
}
void pipe_channel(plumber::state& s) {
  otpp::pipe_each<plumber>(
      [&s] { return [&s](auto token) { return s.numbers->async_receive(std::move(token)); }; },
      [](std::error_code error, int value) { return plumber::number{error, value}; });
}

asio::awaitable<plumber_ref> start_plumber(journal said, event until) {
  auto how = otpp::options().mailbox_limit(1);
  plumber_ref server = co_await otpp::start<plumber>(how, said, until);
  co_return server;
}

} // namespace

TEST_CASE("pipe: the result comes as a message, or the error, and the server goes on meanwhile") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event until_then;
    plumber_ref server = co_await start_plumber(said, until_then);
    co_await otpp::call<plumber::act>(server, &pipe_seven);
    co_await otpp::call<plumber::act>(server, &pipe_failure);
    co_await until([&said] { return said.text() == "boom"; });
    int asked = co_await otpp::call<plumber::look>(server);
    CHECK(asked == 0);
    until_then.happen();
    co_await until([&said] { return said.text() == "boom gone 7"; });
    co_await otpp::call<plumber::act>(server, &pipe_unlisted);
    CHECK(said.text() == "boom gone 7 refused");
    co_await server.stop();
  });
}

TEST_CASE("pipe: an operation of Asio gives its own arguments") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto executor = co_await asio::this_coro::executor;
    plumber_ref server = co_await start_plumber(said, event());
    co_await otpp::call<plumber::take>(server, std::make_shared<int_channel>(executor));
    co_await otpp::call<plumber::act>(server, &pipe_timer);
    while (said.text().empty()) {
      co_await asio::post(asio::use_awaitable);
    }
    CHECK(said.text() == "done");
    co_await server.stop();
  });
}

TEST_CASE("pipe: it ends with the server, before the state, and no message comes") {
  run([]() -> asio::awaitable<void> {
    journal said;
    plumber_ref server = co_await start_plumber(said, event());
    co_await otpp::call<plumber::act>(server, &pipe_seven);
    co_await otpp::call<plumber::act>(server, &pipe_waits);
    co_await some_steps();
    co_await server.stop();
    CHECK(said.text() == "gone gone terminate:normal state");
  });
}

TEST_CASE("pipe: outside of a process there is nobody to tell") {
  auto nothing = [](std::exception_ptr) { return plumber::result(); };
  auto work = []() -> asio::awaitable<void> { co_return; };
  std::error_code code;
  try {
    otpp::pipe(work, nothing);
  } catch (const otpp::error& error) {
    code = error.code();
  }
  CHECK(code == otpp::errc::no_process);
}

TEST_CASE("pipe: the body of a process receives the messages, one of a stream after the other") {
  run([]() -> asio::awaitable<void> {
    int asked = 0;
    auto body = [&asked]() -> asio::awaitable<int> {
      otpp::pipe_each(
          [&asked]() -> asio::awaitable<std::optional<int>> {
            co_return ++asked < 4 ? std::optional(asked) : std::nullopt;
          },
          [](std::exception_ptr, std::optional<int> value) { return value; });
      co_await some_steps();
      CHECK(asked == 1); // the first has not been received
      int sum = 0;
      while (true) {
        auto next = co_await otpp::receive<std::optional<int>>();
        if (!next) {
          co_return sum;
        }
        sum += *next;
      }
    };
    auto process = co_await otpp::spawn(body);
    int sum = co_await process.join();
    CHECK(sum == 6);
  });
}

TEST_CASE("pipe: a stream waits until its message has left the mailbox, and ends with an empty optional") {
  run([]() -> asio::awaitable<void> {
    journal said;
    event until_then;
    plumber_ref server = co_await start_plumber(said, until_then);
    co_await otpp::call<plumber::act>(server, &pipe_count);
    co_await until([&said] { return said.text() == "1 2"; });
    co_await some_steps(); // the handler of 2 waits, 3 is in the mailbox, and 4 is not asked for
    until_then.happen();
    int asked = co_await otpp::call<plumber::look>(server);
    CHECK(asked == 3);
    co_await until([&said] { return said.text() == "1 2 goes-on 3 4 end"; });
    co_await some_steps();
    asked = co_await otpp::call<plumber::look>(server);
    CHECK(asked == 5);
    co_await server.stop();
  });
}

TEST_CASE("pipe: a channel is a stream until it is closed") {
  run([]() -> asio::awaitable<void> {
    journal said;
    auto executor = co_await asio::this_coro::executor;
    auto numbers = std::make_shared<int_channel>(executor, 10);
    plumber_ref server = co_await start_plumber(said, event());
    co_await otpp::call<plumber::take>(server, numbers);
    co_await otpp::call<plumber::act>(server, &pipe_channel);
    for (int n = 1; n != 4; ++n) {
      numbers->try_send(std::error_code(), n);
    }
    co_await until([&said] { return said.text() == "1 2 3"; });
    numbers->close();
    co_await until([&said] { return said.text() == "1 2 3 closed"; });
    co_await server.stop();
  });
}

TEST_CASE("pipe: in every order of results, stop and kill, it ends before the state", "[explorer]") {
  using namespace otpp::testing;
  report all = explore(orders::all(2), [](world& one) {
    journal said;
    event done;
    auto server = std::make_shared<std::optional<plumber_ref>>();
    one.spawn("client", [said, done, server]() -> asio::awaitable<void> {
      plumber_ref started = co_await otpp::start<plumber>(said, done);
      server->emplace(started);
      auto act = [](plumber::state& s) {
        pipe_seven(s);
        pipe_waits(s);
      };
      co_await failure_of(otpp::call<plumber::act>(started, plumber::action(act)));
      co_await failure_of(started.stop());
      co_await started.join();
    });
    one.may("kill", [server] {
      if (*server) {
        otpp::kill(**server);
      }
    });
    one.may("it happens", [done] { done.happen(); });
    one.may_destroy_main_context();
    one.run();
    std::string text = said.text();
    bool is_last = text.size() >= 5 && text.substr(text.size() - 5) == "state";
    one.check(is_last || !one.has_main_context(), "the state was not the last");
  });
  CHECK(all.is_complete);
  CHECK(all.schedules > 10);
}
