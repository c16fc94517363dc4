// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/remote_name.hpp>

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/self.hpp>
#include <otpp/request/multi_call.hpp>
#include <otpp/request/send_request.hpp>
#include <otpp/timer.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/pending.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/error.hpp>
#include <asio/this_coro.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace far_away {

// What both sides know of each other.
struct get {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("get");
};
struct add {
  int n;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("add");
};
struct nothing {
  using reply_type = void;
  static constexpr auto term = otpp::as::tagged("nothing");
};
struct bump {
  int n;
  static constexpr auto term = otpp::as::tagged("bump");
};
struct spoil {
  std::string how;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("spoil");
};
struct spoil_quietly { // the same, for nothing
  std::string how;
  using reply_type = void;
  static constexpr auto term = otpp::as::tagged("spoil_quietly");
};
struct keep {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("keep");
};
struct name_of { // answers with a text
  using reply_type = std::string;
  static constexpr auto term = otpp::as::tagged("name_of");
};
struct number_of_name { // the same, as one expects who is mistaken
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("name_of");
};
struct long_name { // answers with a text of 1,000 letters
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("long_name");
};
struct unlisted {
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("unlisted");
};
struct weight {
  double grams;
  using reply_type = int;
  static constexpr auto term = otpp::as::tagged("weight");
};

struct fetch { // answers {ok, N}, or {error, not_found} for what is negative
  int n;
  using reply_type = otpp::dist::ok<int>;
  static constexpr auto term = otpp::as::tagged("fetch");
};

struct worker {
  struct long_name_here {
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("long_name");
  };
  using messages = otpp::message_list<
      get, add, nothing, bump, spoil, spoil_quietly, keep, name_of, long_name_here, weight, fetch>;

  struct seen {
    std::vector<otpp::caller<int>> kept;
    int count = 0;
    std::optional<otpp::exit_reason> ended;
    event asked;
  };
  using state = std::shared_ptr<seen>;

  static state init(state s) {
    otpp::trap_exit();
    return s;
  }
  static int handle_call(get, state& s) { return s->count; }
  static int handle_call(add request, state& s) { return s->count += request.n; }
  static void handle_call(nothing, state& s) { ++s->count; }
  static std::string handle_call(name_of, state&) { return "worker"; }
  static std::string handle_call(long_name_here, state&) { return std::string(1000, 'x'); }
  static otpp::outcome<otpp::dist::ok<int>> handle_call(fetch request, state&) {
    if (request.n < 0) {
      return otpp::fail(otpp::dist::remote_error(otpp::atom("not_found")));
    }
    return otpp::dist::ok<int>{request.n};
  }
  static int handle_call(weight one, state&) { return static_cast<int>(one.grams); }
  static otpp::outcome<int> handle_call(spoil request, state&) { return end<int>(request.how); }
  static otpp::outcome<> handle_call(spoil_quietly request, state&) { return end<void>(request.how); }
  static void handle_call(keep, otpp::caller<int> from, state& s) {
    s->kept.push_back(std::move(from));
    s->asked.happen();
  }
  static void handle_cast(bump request, state& s) { s->count += request.n; }
  static void handle_info(bump request, state& s) { s->count += 100 * request.n; }
  static void terminate(const otpp::exit_reason& why, state& s) {
    s->ended = why;
    s->kept.clear();
  }

 private:
  template <class Reply>
  static otpp::outcome<Reply> end(const std::string& how) {
    if (how == "crash") {
      throw std::runtime_error("boom");
    }
    if (how == "reason") {
      throw otpp::dist::remote_reason(std::pair(otpp::atom("disk_full"), 7));
    }
    if (how == "stop") {
      return otpp::stop();
    }
    if (how == "shutdown") {
      return otpp::stop(otpp::exit_reason::shutdown());
    }
    if (how == "shutdown with a detail") {
      return otpp::stop(otpp::exit_reason::shutdown("for the night"));
    }
    if (how == "fail") {
      return otpp::fail(otpp::dist::remote_error(otpp::atom("not_found")));
    }
    if (how == "fail in words") {
      return otpp::fail("no such thing");
    }
    if (how == "fail with a code") {
      return otpp::fail(std::make_exception_ptr(otpp::error(otpp::errc::max_children)));
    }
    throw std::logic_error("what?");
  }
};

// A worker at b, and the nodes.
struct site {
  two_nodes& nodes;
  std::shared_ptr<worker::seen> seen;
  otpp::server_ref<worker> server;

  otpp::dist::remote_name<> address() const { return nodes.a.remote("worker", "b@127.0.0.1"); }

  asio::awaitable<otpp::error> error(std::string how) const {
    return error_of(otpp::call<spoil>(address(), how));
  }
};

asio::awaitable<site> worker_at_b(two_nodes& nodes) {
  site made{nodes, std::make_shared<worker::seen>(), {}};
  made.server = co_await otpp::start<worker>(made.seen);
  nodes.b.publish(made.server, "worker");
  co_return made;
}

template <class Body>
void with_a_worker(Body body) {
  crash_log crashes;
  with_two_nodes([&](two_nodes& nodes) -> asio::awaitable<void> {
    site here = co_await worker_at_b(nodes);
    co_await body(here);
  });
}

std::string term_of(const otpp::exit_reason& reason) {
  try {
    if (reason.exception()) {
      std::rethrow_exception(reason.exception());
    }
    return "none: " + reason.message();
  } catch (const otpp::dist::remote_reason& own) {
    return otpp::to_string(own.term());
  } catch (const std::exception& other) {
    return std::string("another: ") + other.what();
  }
}

std::string error_term_of(const std::exception_ptr& error) {
  try {
    if (error) {
      std::rethrow_exception(error);
    }
    return "none";
  } catch (const otpp::dist::remote_error& own) {
    return otpp::to_string(own.term());
  } catch (const std::exception& other) {
    return std::string("another: ") + other.what();
  }
}

bool has_words(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

} // namespace far_away

using far_away::with_a_worker;

} // namespace

TEST_CASE("remote_name: a call, a cast and a message arrive, and a call is answered", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto to = s.address();
    CHECK(to.name() == "worker");
    CHECK(to.node_name() == "b@127.0.0.1");
    int first = co_await otpp::call<far_away::add>(to, 5);
    CHECK(first == 5);
    co_await otpp::cast<far_away::bump>(to, 2);
    co_await otpp::send<far_away::bump>(to, 3);
    CHECK(otpp::try_cast<far_away::bump>(to, 4));
    CHECK(otpp::try_send<far_away::bump>(to, 1));
    int all = co_await otpp::call<far_away::get>(to);
    CHECK(all == 5 + 2 + 300 + 4 + 100);
    co_await otpp::call<far_away::nothing>(to);
    far_away::add two{2};
    int last = co_await otpp::call(to, two, 5s);
    CHECK(last == 5 + 2 + 300 + 4 + 100 + 1 + 2);
    CHECK(s.nodes.a.peers() == std::vector<std::string>{"b@127.0.0.1"});
    CHECK(s.nodes.b.peers() == std::vector<std::string>{"a@127.0.0.1"});
  });
}

TEST_CASE("remote_name: a name that nobody has, and one whose server has ended", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto nobody = s.nodes.a.remote("nobody", "b@127.0.0.1");
    otpp::error unknown = co_await error_of(otpp::call<far_away::get>(nobody));
    CHECK(unknown.code() == otpp::errc::no_process);
    CHECK(far_away::has_words(unknown.what(), "{nobody,'b@127.0.0.1'}"));
    co_await otpp::cast<far_away::bump>(nobody, 1); // silent
    co_await otpp::send<far_away::bump>(nobody, 1);

    co_await s.server.stop();
    otpp::error ended = co_await error_of(otpp::call<far_away::get>(s.address()));
    CHECK(ended.code() == otpp::errc::no_process);
    CHECK(s.nodes.b.statistics().dropped == 2);
  });
}

TEST_CASE("remote_name: a server ends during a call, and the caller gets its reason", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    otpp::error error = co_await s.error("crash");
    CHECK(error.code() == otpp::errc::exited);
    CHECK(far_away::term_of(error.reason()) == "{exception,<<\"boom\">>}");
    CHECK_FALSE(error.reason().is_clean());
    CHECK(far_away::has_words(error.what(), "far_away::spoil at {worker,'b@127.0.0.1'}"));
    CHECK(far_away::has_words(error.what(), "{exception,<<\"boom\">>}"));
  });
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    otpp::error error = co_await s.error("reason");
    CHECK(error.code() == otpp::errc::exited);
    CHECK(far_away::term_of(error.reason()) == "{disk_full,7}");
  });
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    otpp::error error = co_await s.error("stop");
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason() == otpp::exit_reason::normal());
  });
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    otpp::error error = co_await s.error("shutdown");
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason() == otpp::exit_reason::shutdown());
  });
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    otpp::error error = co_await s.error("shutdown with a detail");
    CHECK(error.code() == otpp::errc::exited);
    CHECK(far_away::has_words(error.what(), "for the night"));
  });
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto call = in_background(co_await asio::this_coro::executor, otpp::call<far_away::keep>(s.address()));
    co_await s.seen->asked.wait();
    otpp::kill(s.server);
    otpp::error error = co_await error_of(call.get());
    CHECK(error.code() == otpp::errc::exited);
    CHECK(error.reason() == otpp::exit_reason::killed());
    CHECK(call.times() == 1);
  });
}

TEST_CASE("remote_name: what a handler fails with", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto to = s.address();
    std::exception_ptr error = co_await failure_of(otpp::call<far_away::spoil>(to, "fail"));
    CHECK(far_away::error_term_of(error) == "not_found");
    error = co_await failure_of(otpp::call<far_away::spoil>(to, "fail in words"));
    CHECK(far_away::error_term_of(error) == "{exception,<<\"no such thing\">>}");
    error = co_await failure_of(otpp::call<far_away::spoil>(to, "fail with a code"));
    CHECK(far_away::error_term_of(error) == "max_children");
    error = co_await failure_of(otpp::call<far_away::spoil_quietly>(to, "fail"));
    CHECK(far_away::error_term_of(error) == "not_found"); // also where the answer is nothing
    int alive = co_await otpp::call<far_away::get>(to);
    CHECK(alive == 0);
  });
}

TEST_CASE("remote_name: a handler drops its caller", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto call = in_background(co_await asio::this_coro::executor, otpp::call<far_away::keep>(s.address()));
    co_await s.seen->asked.wait();
    CHECK(s.seen->kept.at(0).is_waiting());
    s.seen->kept.clear();
    std::error_code code = co_await call.code();
    CHECK(code == otpp::errc::no_reply);
  });
}

TEST_CASE("remote_name: an unknown message", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto to = s.address();
    otpp::error error = co_await error_of(otpp::call<far_away::unlisted>(to));
    CHECK(error.code() == otpp::errc::bad_message);
    CHECK(s.nodes.b.statistics().unknown == 1);
    co_await otpp::cast<far_away::add>(to, 1); // a message for calls
    co_await otpp::send<far_away::add>(to, 1);
    int count = co_await otpp::call<far_away::get>(to);
    CHECK(count == 0);
    CHECK(s.nodes.b.statistics().unknown == 3);
  });
}

TEST_CASE("remote_name: an answer of another shape", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto to = s.address();
    std::string name = co_await otpp::call<far_away::name_of>(to);
    CHECK(name == "worker");
    otpp::error error = co_await error_of(otpp::call<far_away::number_of_name>(to));
    CHECK(error.code() == otpp::errc::bad_reply);
    CHECK(far_away::has_words(error.what(), "<<\"worker\">>"));
    otpp::error longer = co_await error_of(otpp::call<far_away::long_name>(to));
    CHECK(longer.code() == otpp::errc::bad_reply);
    CHECK(std::string(longer.what()).size() < 500); // the term is cut
  });
}

TEST_CASE("remote_name: a message that has no form as it is", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto to = s.address();
    double infinity = std::numeric_limits<double>::infinity();
    std::exception_ptr error = co_await failure_of(otpp::call<far_away::weight>(to, infinity));
    CHECK_THROWS_AS(std::rethrow_exception(error), std::invalid_argument);
    co_await otpp::cast<far_away::weight>(to, infinity);
    int grams = co_await otpp::call<far_away::weight>(to, 7.5);
    CHECK(grams == 7);
    CHECK(s.nodes.a.statistics().dropped == 1);
  });
}

namespace {
namespace far_away {

struct hold {
  static constexpr auto term = otpp::as::tagged("hold");
};

// Is busy as long as the test wants, with room for one message.
struct narrow {
  using messages = otpp::message_list<hold, bump, get>;

  struct state {
    event held;
    event until;
    int count = 0;
  };

  static state init(event held, event until) { return {held, until}; }
  static asio::awaitable<void> handle_cast(hold, state& s) {
    s.held.happen();
    co_await s.until.wait();
  }
  static void handle_cast(bump, state& s) { ++s.count; }
  static int handle_call(get, state& s) { return s.count; }
};

} // namespace far_away
} // namespace

TEST_CASE("remote_name: a full mailbox", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    event held;
    event until_then;
    auto server = co_await otpp::start<far_away::narrow>(otpp::options().mailbox_limit(1), held, until_then);
    nodes.b.publish(server, "narrow");
    auto to = nodes.a.remote("narrow", "b@127.0.0.1");
    co_await otpp::cast<far_away::hold>(to);
    co_await held.wait();
    co_await otpp::cast<far_away::bump>(to, 1); // has room
    otpp::error error = co_await error_of(otpp::call<far_away::get>(to));
    CHECK(error.code() == otpp::errc::mailbox_full);
    co_await otpp::cast<far_away::bump>(to, 1); // is lost
    error = co_await error_of(otpp::call<far_away::get>(to));
    CHECK(error.code() == otpp::errc::mailbox_full);
    CHECK(nodes.b.statistics().dropped == 1);
    until_then.happen();
    int count = co_await otpp::call<far_away::get>(server);
    CHECK(count == 1);
  });
}

TEST_CASE("remote_name: a call times out, and its late answer is dropped", "[dist]") {
  connection_log log;
  run_long([]() -> asio::awaitable<void> {
    two_nodes nodes;
    otpp::dist::node_options quick = nodes.table.options("a@127.0.0.1");
    quick.tick(2s); // an eighth of it is the time until the other is told
    nodes.a = co_await nodes.table.open(quick);
    nodes.b = co_await nodes.table.open("b@127.0.0.1");
    far_away::site s = co_await far_away::worker_at_b(nodes);
    auto to = s.address();
    std::error_code code = co_await code_of(otpp::call_for<far_away::keep>(to, 50ms));
    CHECK(code == otpp::errc::timeout);
    co_await s.seen->asked.wait();
    CHECK(s.seen->kept.size() == 1);
    co_await until_later([&] { return !s.seen->kept[0].is_waiting(); });
    CHECK_FALSE(s.seen->kept[0].reply(1));
    int next = co_await otpp::call<far_away::add>(to, 2);
    CHECK(next == 2);
    co_await close_two_nodes(nodes);
  });
}

TEST_CASE(
    "remote_name: an answer that comes before the other side knows of the timeout is dropped", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto to = s.address();
    std::error_code code = co_await code_of(otpp::call_for<far_away::keep>(to, 20ms));
    CHECK(code == otpp::errc::timeout);
    co_await s.seen->asked.wait();
    CHECK(s.seen->kept.at(0).reply(1)); // a knows better
    int next = co_await otpp::call<far_away::add>(to, 2);
    CHECK(next == 2);
  });
}

TEST_CASE("remote_name: a call is cancelled", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    pending<int> call;
    asio::cancellation_signal cancel;
    otpp::call<far_away::keep>(s.address(), asio::bind_cancellation_slot(cancel.slot(), call.token()));
    co_await s.seen->asked.wait();
    cancel.emit(asio::cancellation_type::terminal);
    std::error_code code = co_await call.code();
    CHECK(code == asio::error::operation_aborted);
    CHECK(s.seen->kept.at(0).reply(1));
    int next = co_await otpp::call<far_away::add>(s.address(), 2);
    CHECK(next == 2);
    CHECK(call.times() == 1);
  });
}

TEST_CASE("remote_name: requests, many calls, and timers", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto to = s.address();
    auto request = otpp::send_request<far_away::add>(to, 5);
    int sum = co_await request.wait(5s);
    CHECK(sum == 5);

    std::vector<otpp::dist::remote_name<>> all{to, s.nodes.a.remote("nobody", "b@127.0.0.1"), to};
    auto answers = co_await otpp::multi_call<far_away::add>(all, 5s, 1);
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].value() == 6);
    CHECK_FALSE(answers[1]);
    CHECK(text_of(answers[1].error()).find("nobody") != std::string::npos);
    CHECK(answers[2].value() == 7);

    otpp::send_after<far_away::bump>(1ms, to, 1);
    co_await until_later([&] { return s.seen->count == 107; });
  });
}

TEST_CASE("remote_name: a server is stopped, and ends with the reason", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    co_await s.address().stop();
    CHECK(s.server.has_ended());
    CHECK(s.seen->ended == otpp::exit_reason::normal());
    std::error_code again = co_await code_of(s.address().stop());
    CHECK(again == otpp::errc::no_process);
  });
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    co_await s.address().stop(otpp::exit_reason::shutdown(), 5s);
    CHECK(s.seen->ended == otpp::exit_reason::shutdown());
  });
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    co_await s.address().stop(otpp::exit_reason(otpp::dist::remote_reason(otpp::atom("tired"))));
    REQUIRE(s.seen->ended);
    CHECK(far_away::term_of(*s.seen->ended) == "tired");
  });
}

TEST_CASE(
    "remote_name: a stop waits while the server is busy with its end, and is told of another reason",
    "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    co_await otpp::call<far_away::get>(s.address());
    // The crash is in the mailbox before the stop.
    auto crash = in_background(executor, otpp::call<far_away::spoil>(s.address(), "crash"));
    auto stop = in_background(executor, s.address().stop());
    std::error_code code = co_await stop.code();
    CHECK((code == otpp::errc::exited || code == otpp::errc::no_process));
    std::error_code crashed = co_await crash.code();
    CHECK(crashed == otpp::errc::exited);
  });
}

namespace {
namespace far_away {

using known = otpp::dist::remote_name<otpp::message_list<add, bump>>;

static_assert(otpp::address<known>);
static_assert(otpp::address<otpp::dist::remote_name<>>);
static_assert(otpp::address<otpp::dist::remote_name<worker>>);

} // namespace far_away
} // namespace

TEST_CASE("remote_name: with a list of messages, or a class of callbacks", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto listed =
        s.nodes.a.remote<otpp::message_list<far_away::add, far_away::bump>>("worker", "b@127.0.0.1");
    int sum = co_await otpp::call<far_away::add>(listed, 5);
    CHECK(sum == 5);
    co_await otpp::cast<far_away::bump>(listed, 1);
    co_await otpp::send<far_away::bump>(listed, 1);
    auto typed = s.nodes.a.remote<far_away::worker>("worker", "b@127.0.0.1");
    int all = co_await otpp::call<far_away::get>(typed);
    CHECK(all == 106);
    co_await typed.stop();
    CHECK(s.server.has_ended());
  });
}

TEST_CASE("remote_name: names that no server or node can have", "[dist]") {
  with_two_nodes([](two_nodes& nodes) -> asio::awaitable<void> {
    CHECK_THROWS_AS(nodes.a.remote(std::string(256, 'x'), "b@127.0.0.1"), std::invalid_argument);
    CHECK_THROWS_AS(nodes.a.remote("worker", "b"), std::invalid_argument);
    CHECK_THROWS_AS(nodes.a.remote("worker", "@127.0.0.1"), std::invalid_argument);
    CHECK_THROWS_AS(nodes.a.remote("worker", ""), std::invalid_argument);
    co_return;
  });
}

TEST_CASE("remote_name: a name on the node itself", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    otpp::error error =
        co_await error_of(otpp::call<far_away::get>(s.nodes.b.remote("worker", "b@127.0.0.1")));
    CHECK(error.code() == otpp::errc::no_connection);
  });
}

TEST_CASE("remote_name: outlives its node, and one of no node", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    auto to = s.address();
    auto of_none = otpp::dist::node().remote("worker", "b@127.0.0.1");
    std::error_code code = co_await code_of(otpp::call<far_away::get>(of_none));
    CHECK(code == otpp::errc::no_process);
    co_await otpp::call<far_away::get>(to);
    co_await s.nodes.a.close();
    code = co_await code_of(otpp::call<far_away::get>(to));
    CHECK(code == otpp::errc::no_process);
    CHECK_FALSE(otpp::try_cast<far_away::bump>(to, 1));
  });
}

TEST_CASE("remote_name: the answers {ok, V} and {error, R}", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    otpp::dist::ok<int> found = co_await otpp::call<far_away::fetch>(s.address(), 7);
    CHECK(found.value == 7);
    std::exception_ptr failure = co_await failure_of(otpp::call<far_away::fetch>(s.address(), -1));
    CHECK(text_of(failure) == "not_found");
    otpp::term term = otpp::term::of(found);
    CHECK(term.view().text() == "{ok,7}");
  });
}

TEST_CASE("remote_name: any term is called, and any is the answer", "[dist]") {
  with_a_worker([](far_away::site& s) -> asio::awaitable<void> {
    otpp::dist::any_call name{otpp::term::of(otpp::atom("name_of"))};
    otpp::term answer = co_await otpp::call(s.address(), name);
    CHECK(answer.view().text() == "<<\"worker\">>");
    far_away::add five{5};
    otpp::term sum = co_await otpp::call<otpp::dist::any_call>(s.address(), otpp::term::of(five));
    CHECK(sum.get<int>() == 5);
    std::error_code code = co_await code_of(
        otpp::call<otpp::dist::any_call>(s.address(), otpp::term::of(otpp::atom("nonsense"))));
    CHECK(code == otpp::errc::bad_message);
  });
}
