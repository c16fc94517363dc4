// SPDX-License-Identifier: BSL-1.0

#include <otpp/gen_statem/gen_statem.hpp>

#include <otpp/address/server_name.hpp>
#include <otpp/draining.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/send.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/gen_server/stop.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/supervisor.hpp>
#include <otpp/sys/inspect.hpp>
#include <otpp/sys/suspend.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/run.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

// tests/behavior/otp_suite.test.cpp lists the cases of OTP's gen_statem_SUITE; some of them are here.
//
// What the tests of orders and timeouts expect is what OTP 25 was seen to do with the same machine.

namespace {

// ---- states that are values ----

enum class bolt { locked, open };

struct door_data {
  std::string code;
  int opened = 0;
};

struct door : otpp::gen_statem<door, otpp::states<bolt::locked, bolt::open>, door_data> {
  struct push {
    std::string code;
    using reply_type = bool;
  };
  struct count {
    using reply_type = int;
  };
  struct lock {};
  struct jam {};
  using messages = otpp::message_list<push, count, lock>;

  initial init(std::string code) {
    if (code.empty()) {
      return otpp::ignore;
    }
    if (code == "broken") {
      return otpp::stop(std::runtime_error("broken"));
    }
    return {bolt::locked, door_data{std::move(code)}};
  }
  transition<bool> handle_event(const push& with, otpp::in_state<bolt::locked>, door_data& data) {
    if (with.code != data.code) {
      return false;
    }
    ++data.opened;
    return next_state(bolt::open).reply(true);
  }
  bool handle_event(push, otpp::in_state<bolt::open>, door_data&) { return true; }
  transition<> handle_event(lock, bolt, door_data&) { return next_state(bolt::locked); }
  int handle_event(count, bolt, door_data& data) { return data.opened; }
  void handle_event(jam, bolt, door_data&) { throw std::runtime_error("jammed"); }

  static std::string format_status(const state_type& its) {
    return std::string(its.state == bolt::open ? "open" : "locked") + ' ' + std::to_string(its.data.opened);
  }
};

static_assert(otpp::handles_event<door, door::push>);
static_assert(!otpp::handles_event<door, otpp::down>);
static_assert(otpp::handles_call<door, door::push>);
static_assert(!otpp::handles_cast<door, door::push>);
static_assert(otpp::handles_cast<door, door::lock> && otpp::handles_info<door, door::lock>);
static_assert(!otpp::handles_call<door, otpp::down>);

// ---- states that are types ----

struct line {
  struct idle {};
  struct ringing {
    std::unique_ptr<std::string> number; // so that the state can only be moved
  };
  using state = std::variant<idle, ringing>;
};

struct telephone : otpp::gen_statem<telephone, line::state, int> {
  struct ring {
    std::unique_ptr<std::string> number;
  };
  struct who {
    using reply_type = std::string;
  };
  struct hang_up {};

  state_type init() { return {line::idle(), 0}; }
  transition<> handle_event(ring one, line::idle&, int& rung) {
    ++rung;
    return next_state(line::ringing{std::move(one.number)});
  }
  void handle_event(ring, line::ringing& its, int&) { *its.number += '!'; }
  std::string handle_event(who, line::ringing& its, int&) { return *its.number; }
  std::string handle_event(who, any_state where, int&) { return where->index() == 0 ? "nobody" : "?"; }
  template <class Any>
  transition<> handle_event(hang_up, Any&, int&) {
    return next_state(line::idle());
  }
};

// ---- a machine that does what it is told, as OTP's map_statem ----

enum class at { a, b, c };

struct notes {
  std::vector<std::string> lines;
  std::function<otpp::state_entry<struct puppet, at>()> on_enter;
  std::function<otpp::initial_state<struct puppet, at, std::shared_ptr<notes>>()> first;
};
using notebook = std::shared_ptr<notes>;

struct puppet : otpp::gen_statem<puppet, at, notebook> {
  // Is noted with the state.
  struct say {
    std::string word;
  };
  // Is postponed in `a`.
  struct not_in_a {
    std::string word;
  };
  struct ask_not_in_a {
    int n;
    using reply_type = int;
  };
  struct act {
    std::function<otpp::transition<puppet, at>()> what;
  };

  initial init(notebook with) {
    if (with->first) {
      return with->first();
    }
    return {at::a, std::move(with)};
  }
  void handle_event(const say& one, at where, notebook& its) { note(where, one.word, its); }
  transition<> handle_event(not_in_a one, at where, notebook& its) {
    std::string word = std::move(one.word); // it works on a copy
    if (where == at::a) {
      return postpone();
    }
    note(where, word, its);
    return keep_state();
  }
  transition<int> handle_event(ask_not_in_a one, at where, notebook&) {
    if (where == at::a) {
      return postpone();
    }
    return one.n + 1;
  }
  transition<> handle_event(const act& one, at, notebook&) { return one.what(); }
  entry handle_enter(at from, at to, notebook& its) {
    note(from, "enter", its);
    note(to, "entered", its);
    return its->on_enter ? its->on_enter() : entry();
  }

 private:
  static void note(at where, const std::string& word, notebook& its) {
    its->lines.push_back(std::string(1, "abc"[static_cast<std::size_t>(where)]) + ' ' + word);
  }
};
using words = std::vector<std::string>;

asio::awaitable<void> do_in(
    otpp::server_ref<puppet> whom, std::function<otpp::transition<puppet, at>()> what) {
  co_await otpp::cast<puppet::act>(whom, std::move(what));
}

// Starts a puppet, has it do things in the usual order, with time that is not waited for, and returns what it has noted
// since it was started.
words play(std::function<asio::awaitable<void>(otpp::server_ref<puppet>, notebook)> script) {
  words noted;
  explore(orders::fifo(), [&](world& one) {
    auto notes_of = std::make_shared<notes>();
    one.spawn("client", [&]() -> asio::awaitable<void> {
      auto server = co_await otpp::start<puppet>(notes_of);
      co_await otpp::inspect(server, [](const puppet::state_type&) {});
      notes_of->lines.clear();
      co_await script(server, notes_of);
    });
    one.run();
    noted = notes_of->lines;
  });
  return noted;
}

// ---- callers, coroutines ----

enum class desk { closed, open };

struct clerk
    : otpp::gen_statem<clerk, otpp::states<desk::closed, desk::open>, std::vector<otpp::caller<int>>> {
  using line = std::vector<otpp::caller<int>>;
  struct queue {
    int n;
    using reply_type = int;
  };
  struct open {
    using reply_type = void;
  };
  struct slow {
    event until;
    int n;
    using reply_type = int;
  };
  struct refuse {
    using reply_type = int;
  };
  struct leave {
    using reply_type = int;
  };
  struct by_value {
    std::unique_ptr<int> only;
    using reply_type = int;
  };
  struct by_reference {
    std::unique_ptr<int> only;
    using reply_type = int;
  };
  struct dropped {
    using reply_type = int;
  };

  state_type init() { return {desk::closed, line()}; }
  void handle_event(queue, otpp::caller<int> from, otpp::in_state<desk::closed>, line& waiting) {
    waiting.push_back(std::move(from));
  }
  int handle_event(queue one, otpp::in_state<desk::open>, line&) { return one.n; }
  transition<> handle_event(open, desk, line& waiting) {
    int n = 0;
    for (auto& each : waiting) {
      each.reply(++n);
    }
    waiting.clear();
    return next_state(desk::open);
  }
  asio::awaitable<transition<int>> handle_event(slow one, desk, line&) {
    co_await one.until.wait();
    co_return next_state(desk::open).reply(one.n);
  }
  transition<int> handle_event(refuse, desk, line&) { return otpp::fail("not today"); }
  transition<int> handle_event(leave, desk, line&) { return otpp::stop(otpp::exit_reason::shutdown(), 7); }
  transition<int> handle_event(by_value one, desk, line&) {
    auto mine = std::move(one.only);
    return postpone();
  }
  transition<int> handle_event(const by_reference& one, desk where, line&) {
    if (where == desk::closed) {
      return postpone();
    }
    return *one.only;
  }
  transition<> handle_event(dropped, otpp::caller<int>, otpp::in_state<desk::closed>, line&) {
    return postpone();
  }
  transition<> handle_event(dropped, otpp::caller<int> from, otpp::in_state<desk::open>, line&) {
    from.reply(5);
    return {};
  }
};

asio::awaitable<void> one_day_of_a_clerk() {
  auto server = co_await otpp::start<clerk>();
  pending<int> first;
  pending<int> second;
  pending<int> third;
  otpp::call<clerk::queue>(server, 1, first.token());
  otpp::call<clerk::dropped>(server, second.token());
  otpp::call<clerk::by_reference>(server, std::make_unique<int>(3), third.token());
  co_await otpp::call<clerk::open>(server);
  int a = co_await first.get();
  int b = co_await second.get();
  int c = co_await third.get();
  int d = co_await otpp::call<clerk::queue>(server, 4);
  CHECK(
      words{std::to_string(a), std::to_string(b), std::to_string(c), std::to_string(d)} ==
      words{"1", "5", "3", "4"});
  event until;
  pending<int> slow;
  otpp::call<clerk::slow>(server, until, 6, slow.token());
  asio::any_io_executor here = co_await asio::this_coro::executor;
  co_await asio::post(here, asio::use_awaitable);
  until.happen();
  int e = co_await slow.get();
  CHECK(e == 6);
  co_await server.stop();
}

// ---- a machine among processes ----

enum class watch { asleep, awake };

struct watchman : otpp::gen_statem<watchman, otpp::states<watch::asleep, watch::awake>, std::vector<int>> {
  struct look_after { // is told which it is, when one ends
    otpp::pid who;
    bool is_linked;
    using reply_type = otpp::monitor_ref;
  };
  struct forget {
    otpp::monitor_ref which;
    using reply_type = bool;
  };
  struct wake {};
  struct ask { // how many have ended; postponed while it sleeps
    using reply_type = int;
  };

  state_type init() {
    otpp::trap_exit();
    return {watch::asleep, {}};
  }
  otpp::monitor_ref handle_event(look_after one, watch, std::vector<int>&) {
    if (one.is_linked) {
      otpp::link(one.who);
      return {};
    }
    return otpp::monitor(one.who);
  }
  bool handle_event(forget one, watch, std::vector<int>&) { return otpp::demonitor(one.which); }
  transition<> handle_event(wake, watch, std::vector<int>&) { return next_state(watch::awake); }
  transition<int> handle_event(ask, otpp::in_state<watch::asleep>, std::vector<int>&) { return postpone(); }
  transition<int> handle_event(ask, otpp::in_state<watch::awake>, std::vector<int>& ended) {
    if (ended.empty()) {
      throw std::runtime_error("nobody has ended");
    }
    return static_cast<int>(ended.size());
  }
  transition<> handle_event(const otpp::down&, watch where, std::vector<int>& ended) {
    return note(where, 1, ended);
  }
  transition<> handle_event(const otpp::exit_signal&, watch where, std::vector<int>& ended) {
    return note(where, 2, ended);
  }
  transition<> handle_event(otpp::draining, watch, std::vector<int>& ended) {
    ended.push_back(3);
    return keep_state().timeout("soon", 10ms, wake());
  }

 private:
  static transition<> note(watch where, int what, std::vector<int>& ended) {
    if (where == watch::asleep) {
      return postpone();
    }
    ended.push_back(what);
    return keep_state();
  }
};

// What is supervised, monitored and linked, in one go.
asio::awaitable<void> one_night_of_a_watchman() {
  auto spec = otpp::supervisor_spec().add(otpp::child<watchman>("watchman").named("watchman"));
  auto top = co_await otpp::start_supervisor(spec);
  otpp::server_name<watchman> name("watchman");
  pending<int> crashing;
  otpp::call<watchman::ask>(name, crashing.token());
  co_await otpp::cast<watchman::wake>(name);
  std::error_code code = co_await crashing.code(); // it was postponed, and its handler throws
  CHECK(code == otpp::errc::exited);
  co_await otpp::count_children(top); // it has been restarted

  std::vector<otpp::monitor_ref> refs;
  std::vector<otpp::server_ref<door>> doors;
  for (bool is_linked : {false, false, true}) {
    auto one = co_await otpp::start<door>("1");
    auto ref = co_await otpp::call<watchman::look_after>(name, one, is_linked);
    refs.push_back(ref);
    doors.push_back(one);
  }
  for (auto& one : doors) {
    co_await one.stop(otpp::exit_reason::shutdown()); // which is postponed
  }
  pending<int> answer;
  otpp::call<watchman::ask>(name, answer.token());
  co_await otpp::call<watchman::forget>(name, refs[0]);
  co_await otpp::cast<watchman::wake>(name);
  int ended = co_await answer.get(); // behind what was taken back
  CHECK(ended == 2);
  co_await top.stop();
}

} // namespace

TEST_CASE("gen_statem: handles an event by the state that it is in", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<door>("1234");
    bool wrong = co_await otpp::call<door::push>(server, "1");
    bool right = co_await otpp::call<door::push>(server, "1234");
    bool open = co_await otpp::call<door::push>(server, "1");
    co_await otpp::cast<door::lock>(server);
    bool locked = co_await otpp::call<door::push>(server, "1");
    co_await otpp::send<door::lock>(server);
    int opened = co_await otpp::call<door::count>(server);
    CHECK_FALSE(wrong);
    CHECK(right);
    CHECK(open);
    CHECK_FALSE(locked);
    CHECK(opened == 1);
    co_await server.stop();
  });
}

TEST_CASE("gen_statem: states may be types, which can only be moved", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<telephone>();
    std::string nobody = co_await otpp::call<telephone::who>(server);
    co_await otpp::cast<telephone::ring>(server, std::make_unique<std::string>("123"));
    co_await otpp::cast<telephone::ring>(server, std::make_unique<std::string>("4"));
    std::string somebody = co_await otpp::call<telephone::who>(server);
    co_await otpp::cast<telephone::hang_up>(server);
    std::string gone = co_await otpp::call<telephone::who>(server);
    int rung = co_await otpp::inspect(server, [](const telephone::state_type& its) { return its.data; });
    CHECK(nobody == "nobody");
    CHECK(somebody == "123!");
    CHECK(gone == "nobody");
    CHECK(rung == 1);
    co_await server.stop();
  });
}

TEST_CASE("gen_statem: is a server to whoever starts, calls and stops it", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<door>(otpp::named("door"), "1");
    std::error_code taken = co_await code_of(otpp::start<door>(otpp::named("door"), "1"));
    CHECK(taken == otpp::errc::name_taken);
    constexpr otpp::server_name<door> name("door");
    bool by_name = co_await otpp::call<door::push>(name, "2");
    std::string text = "door";
    int by_text = co_await otpp::call<door::count>(text);
    std::error_code unlisted = co_await code_of(otpp::cast<door::jam>(text));
    CHECK_FALSE(by_name);
    CHECK(by_text == 0);
    CHECK(unlisted == otpp::errc::bad_message);
    co_await otpp::stop("door");
    CHECK(server.has_ended());
    std::error_code gone = co_await code_of(otpp::call<door::count>(name));
    CHECK(gone == otpp::errc::no_process);
  });
}

TEST_CASE("gen_statem: may refuse to run", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    std::error_code ignored = co_await code_of(otpp::start<door>(""));
    CHECK(ignored == otpp::errc::ignored);
    std::exception_ptr stopped = co_await failure_of(otpp::start<door>("broken"));
    CHECK(text_of(stopped) == "broken");
  });
}

TEST_CASE("gen_statem: a handler that throws ends it", "[gen_statem]") {
  crash_log log;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<door>("1");
    co_await otpp::cast<door::jam>(server);
    otpp::error why = co_await error_of(otpp::call<door::count>(server));
    CHECK(why.code() == otpp::errc::exited);
    CHECK(text_of(why.reason().exception()) == "jammed");
  });
  REQUIRE(log.texts().size() == 1);
  CHECK(log.texts()[0].find("locked 0") != std::string::npos);
}

TEST_CASE("gen_statem: shows its state and its data", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<door>("1");
    co_await otpp::replace_state(server, [](door::state_type its) {
      its.state = bolt::open;
      return its;
    });
    co_await otpp::suspend(server);
    bool is_open =
        co_await otpp::inspect(server, [](const door::state_type& its) { return its.state == bolt::open; });
    CHECK(is_open);
    pending<int> count;
    otpp::call<door::count>(server, count.token());
    co_await otpp::inspect(server, [](const door::state_type&) {});
    CHECK_FALSE(count.is_done());
    co_await otpp::resume(server);
    int n = co_await count.get();
    CHECK(n == 0);
    co_await server.stop();
  });
}

TEST_CASE("gen_statem: a call may be answered later, from another state", "[gen_statem]") {
  run(one_day_of_a_clerk);
}

TEST_CASE("gen_statem: leaves nothing behind wherever it ends", "[gen_statem]") {
  CHECK(abandon_at_every_step(one_day_of_a_clerk) > 1);
}

TEST_CASE("gen_statem: stops with an answer, or fails without", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>();
    std::exception_ptr refused = co_await failure_of(otpp::call<clerk::refuse>(server));
    CHECK(text_of(refused) == "not today");
    int last = co_await otpp::call<clerk::leave>(server);
    CHECK(last == 7);
    CHECK(server.has_ended());
  });
}

TEST_CASE("gen_statem: what was moved away cannot be postponed", "[gen_statem]") {
  crash_log log;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<clerk>();
    otpp::error why = co_await error_of(otpp::call<clerk::by_value>(server, std::make_unique<int>(1)));
    CHECK(why.code() == otpp::errc::exited);
  });
  REQUIRE(log.texts().size() == 1);
  CHECK(log.texts()[0].find("postponed a message that it had taken") != std::string::npos);
}

TEST_CASE("gen_statem: postponed events keep their order, behind what a handler inserts", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook) -> asio::awaitable<void> {
    co_await otpp::cast<puppet::not_in_a>(server, "1");
    co_await otpp::cast<puppet::not_in_a>(server, "2");
    co_await do_in(server, [] {
      return puppet::next_state(at::b)
          .next_event(puppet::say{"3"})
          .next_event(puppet::say{"4"})
          .timeout(otpp::duration::zero(), puppet::say{"never: the others cancel it"});
    });
    co_await otpp::cast<puppet::say>(server, "5");
  });
  CHECK(noted == words{"a enter", "b entered", "b 3", "b 4", "b 1", "b 2", "b 5"});
}

TEST_CASE("gen_statem: what is postponed and changes the state is handled at once", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook its) -> asio::awaitable<void> {
    auto times = std::make_shared<int>(0);
    auto twice = [times, its]() -> otpp::transition<puppet, at> {
      its->lines.push_back("act");
      if (++*times == 1) {
        return puppet::next_state(at::b).postpone();
      }
      return puppet::next_state(at::b); // the same state
    };
    co_await do_in(server, twice);
    co_await otpp::cast<puppet::say>(server, "next");
  });
  CHECK(noted == words{"act", "a enter", "b entered", "act", "b next"});
}

TEST_CASE("gen_statem: a call that is postponed is answered in the state that does", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<puppet>(std::make_shared<notes>());
    pending<int> answer;
    otpp::call<puppet::ask_not_in_a>(server, 1, answer.token());
    co_await otpp::inspect(server, [](const puppet::state_type&) {});
    CHECK_FALSE(answer.is_done());
    co_await do_in(server, [] { return puppet::next_state(at::b); });
    int n = co_await answer.get();
    CHECK(n == 2);
    co_await server.stop();
  });
}

TEST_CASE("gen_statem: who waits for a postponed call hears of the end", "[gen_statem]") {
  crash_log log;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<puppet>(std::make_shared<notes>());
    pending<int> answer;
    otpp::call<puppet::ask_not_in_a>(server, 1, answer.token());
    co_await otpp::cast<puppet::not_in_a>(server, "lost");
    co_await server.stop(otpp::exit_reason::shutdown());
    std::error_code code = co_await answer.code();
    CHECK(code == otpp::errc::exited);
    CHECK(answer.times() == 1);
  });
  CHECK(log.dropped() == 1);
}

TEST_CASE("gen_statem: a state is entered before anything else", "[gen_statem]") {
  crash_log log; // one cast is dropped
  words noted = play([](otpp::server_ref<puppet> server, notebook its) -> asio::awaitable<void> {
    its->on_enter = [] { return puppet::entry().state_timeout(otpp::duration::zero(), puppet::say{"over"}); };
    co_await do_in(server, [] { return puppet::next_state(at::a); }); // is not entered: it is in it
    co_await otpp::cast<puppet::say>(server, "1");
    co_await do_in(server, [] { return puppet::repeat_state().next_event(puppet::say{"2"}); });
    co_await otpp::inspect(server, [](const puppet::state_type&) {});
    its->on_enter = [] { return puppet::entry(otpp::stop()); };
    co_await do_in(server, [] { return puppet::next_state(at::c); });
    co_await otpp::cast<puppet::say>(server, "never");
    co_await server.join();
  });
  CHECK(noted == words{"a 1", "a enter", "a entered", "a 2", "a over", "a enter", "c entered"});
}

TEST_CASE("gen_statem: its first state is entered after it has started, from itself", "[gen_statem]") {
  explore(orders::fifo(), [](world& one) {
    auto its = std::make_shared<notes>();
    one.spawn("client", [&]() -> asio::awaitable<void> { co_await otpp::start<puppet>(its); });
    one.run();
    one.check(its->lines == words{"a enter", "a entered"}, "not entered");
  });
}

TEST_CASE("gen_statem: init may set timeouts and insert events, which come after the entry", "[gen_statem]") {
  explore(orders::fifo(), [](world& one) {
    auto its = std::make_shared<notes>();
    its->first = [its] {
      return puppet::initial(at::b, its).next_event(puppet::say{"1"}).state_timeout(0s, puppet::say{"2"});
    };
    one.spawn("client", [&]() -> asio::awaitable<void> { co_await otpp::start<puppet>(its); });
    one.run();
    one.check(its->lines == words{"b enter", "b entered", "b 1", "b 2"}, "another order");
    its->first = nullptr;
  });
}

TEST_CASE("gen_statem: every kind of event comes to handle_event", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook) -> asio::awaitable<void> {
    co_await do_in(server, [] {
      return puppet::next_state(at::b)
          .next_event(puppet::not_in_a{"internal"})
          .state_timeout(1ms, puppet::not_in_a{"state"})
          .timeout("name", 2ms, puppet::not_in_a{"named"});
    });
    co_await otpp::cast<puppet::not_in_a>(server, "cast");
    co_await otpp::send<puppet::not_in_a>(server, "info");
    int n = co_await otpp::call<puppet::ask_not_in_a>(server, 1);
    CHECK(n == 2);
    co_await do_in(server, [] { return puppet::keep_state().timeout(1us, puppet::not_in_a{"event"}); });
  });
  CHECK(
      noted ==
      words{"a enter", "b entered", "b internal", "b cast", "b info", "b event", "b state", "b named"});
}

TEST_CASE("gen_statem: a change of the state cancels its timeout, a repetition does not", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook) -> asio::awaitable<void> {
    co_await do_in(server, [] {
      return puppet::keep_state()
          .state_timeout(10ms, puppet::say{"never"})
          .timeout("name", 20ms, puppet::say{"named"});
    });
    co_await do_in(server, [] { return puppet::next_state(at::b); });
    co_await do_in(server, [] { return puppet::keep_state().state_timeout(30ms, puppet::say{"state"}); });
    co_await do_in(server, [] { return puppet::repeat_state(); });
  });
  CHECK(noted == words{"a enter", "b entered", "b enter", "b entered", "b named", "b state"});
}

TEST_CASE("gen_statem: every event cancels the event timeout", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook) -> asio::awaitable<void> {
    co_await do_in(server, [] {
      return puppet::keep_state()
          .timeout(10ms, puppet::say{"never"})
          .timeout("first", 5ms, puppet::act{[] {
                     return puppet::keep_state().timeout(10ms, puppet::say{"event"});
                   }});
    });
  });
  CHECK(noted == words{"a event"});
}

TEST_CASE("gen_statem: a timeout may be cancelled, replaced, or given another message", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook) -> asio::awaitable<void> {
    co_await do_in(server, [] {
      return puppet::keep_state()
          .timeout("cancelled", 10ms, puppet::say{"never"})
          .timeout("infinite", 10ms, puppet::say{"never"})
          .timeout("replaced", 10ms, puppet::say{"never"})
          .timeout("updated", 10ms, puppet::say{"never"})
          .state_timeout(5ms, puppet::say{"never"})
          .state_timeout(0s, puppet::say{"never"})
          .update_state_timeout(puppet::say{"at once"});
    });
    co_await do_in(server, [] {
      return puppet::keep_state()
          .cancel_timeout("cancelled")
          .timeout("infinite", otpp::infinite, puppet::say{"never"})
          .timeout("replaced", 20ms, puppet::say{"20"})
          .update_timeout("updated", puppet::say{"10"})
          .update_timeout("not running", puppet::say{"at once, too"})
          .state_timeout(15ms, puppet::say{"never"})
          .cancel_state_timeout();
    });
  });
  CHECK(noted == words{"a at once", "a at once, too", "a 10", "a 20"});
}

TEST_CASE(
    "gen_statem: a timeout of no time comes before the mailbox, after what is inserted", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook) -> asio::awaitable<void> {
    co_await do_in(server, [] {
      return puppet::keep_state()
          .state_timeout(0s, puppet::say{"2"})
          .timeout(0s, puppet::say{"never"})
          .timeout("name", std::chrono::steady_clock::time_point(), puppet::say{"3"})
          .next_event(puppet::say{"1"});
    });
    co_await otpp::cast<puppet::say>(server, "4");
    co_await do_in(server, [] {
      return puppet::keep_state().timeout(0s, puppet::say{"5"}).state_timeout(0s, puppet::act{[] {
                                                                                return puppet::next_state(
                                                                                    at::b);
                                                                              }});
    });
  });
  CHECK(noted == words{"a 1", "a 2", "a 3", "a 4", "a 5", "a enter", "b entered"});
}

TEST_CASE("gen_statem: a timeout that is cancelled in the mailbox does not come", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook) -> asio::awaitable<void> {
    co_await do_in(server, [] { return puppet::keep_state().state_timeout(10ms, puppet::say{"never"}); });
    co_await otpp::suspend(server);
    co_await do_in(
        server, [] { return puppet::next_state(at::b).state_timeout(10ms, puppet::not_in_a{"state"}); });
    co_await code_of(
        otpp::call_for<puppet::ask_not_in_a>(server, 20ms, 1)); // the timeout is in the mailbox by now
    co_await otpp::resume(server);
  });
  CHECK(noted == words{"a enter", "b entered", "b state"});
}

TEST_CASE("gen_statem: a timeout may be postponed", "[gen_statem]") {
  words noted = play([](otpp::server_ref<puppet> server, notebook) -> asio::awaitable<void> {
    co_await do_in(
        server, [] { return puppet::keep_state().timeout("name", 1ms, puppet::not_in_a{"name"}); });
    co_await do_in(server, [] {
      return puppet::keep_state().timeout(
          "other", 2ms, puppet::act{[] { return puppet::next_state(at::b); }});
    });
  });
  CHECK(noted == words{"a enter", "b entered", "b name"});
}

TEST_CASE("gen_statem: a postponed call completes once, whatever comes first", "[gen_statem]") {
  crash_log log; // of dropped casts
  int ways[] = {0, 0};
  explore(orders::all(2), [&ways](world& one) {
    otpp::server_ref<puppet> server;
    one.spawn("starter", [&]() -> asio::awaitable<void> {
      server = co_await otpp::start<puppet>(std::make_shared<notes>());
    });
    one.run_in_order();
    int completions = 0;
    one.spawn("caller", [&]() -> asio::awaitable<void> {
      std::error_code code =
          co_await code_of(otpp::call_for<puppet::ask_not_in_a>(server, otpp::infinite, 1));
      one.check(!code || code == otpp::errc::exited || code == otpp::errc::no_process, "another error");
      ++completions;
      ++ways[code ? 1 : 0];
    });
    one.spawn("mover", [&]() -> asio::awaitable<void> {
      otpp::try_cast<puppet::act>(server, [] { return puppet::next_state(at::b); });
      co_return;
    });
    one.spawn("stopper", [&]() -> asio::awaitable<void> { co_await server.stop(); });
    one.run();
    one.check(completions == 1, "not completed once");
  });
  CHECK(ways[0] > 0);
  CHECK(ways[1] > 0);
}

TEST_CASE("gen_statem: is supervised, monitors and is linked, and may postpone the news", "[gen_statem]") {
  crash_log log;
  run([]() -> asio::awaitable<void> { co_await one_night_of_a_watchman(); });
}

TEST_CASE("gen_statem: what is postponed is done before it has drained", "[gen_statem]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      auto server = co_await otpp::start<watchman>();
      pending<int> answer;
      otpp::call<watchman::ask>(server, answer.token());
      co_await server.drain(1min);
      int heard = co_await answer.get();
      CHECK(heard == 1);
    });
    one.run();
  });
}
