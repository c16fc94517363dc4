// SPDX-License-Identifier: BSL-1.0

#include <otpp/address/server_name.hpp>
#include <otpp/address/via.hpp>
#include <otpp/gen_server.hpp>
#include <otpp/gen_statem.hpp>
#include <otpp/process.hpp>
#include <otpp/registry/registry.hpp>
#include <otpp/registry/wait_for_name.hpp>
#include <otpp/request/request_set.hpp>
#include <otpp/request/send_request.hpp>
#include <otpp/sys.hpp>
#include <otpp/testing/explore.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// OTP's gen_statem_SUITE, by the names of its cases. It has 62: 28 are in this file, 7 in gen_statem.test.cpp, 3 are refused by
// the compiler, and 24 have no meaning here. (It runs those of start, stop and abnormal once more for its second callback mode.)
//
// In this file: start1, 2, 4, 5a, 5b, 6, 8, 9, 11, 12; stop1, 2, 4, 7; abnormal1; shutdown, loop_start_fail, stop_and_reply,
// generic_timers; call_format_status, error_format_status, terminate_crash_format, get_state, replace_state; undef_terminate1,
// 2, undef_in_terminate; send_request_receive_reqid_collection.
//
// In gen_statem.test.cpp: next_events, event_order ("postponed events keep their order"); state_enter ("a state is entered before
// anything else", "its first state is entered"); state_timeout ("a change of the state cancels", "a timeout of no time");
// timeout_cancel_and_update ("a timeout may be cancelled"); event_types ("every kind of event comes"); sys1 ("shows its state").
//
// Refused by the compiler (tests/compile/fail/statem_*): abnormal2, 3, 4, which return what is no result, action or timeout.
//
// Without a meaning here: start3 (a start has no timeout, but cancellation), stop3 (times have types), start7, 10, stop6 (global)
// and stop5, 8, 9, 10 (nodes: tests/dist), abnormal1clean, abnormal1dirty (a late answer reaches nobody in any case), code_change,
// undef_code_change, pop_too_many (code is not changed while it runs), hibernate, auto_hibernate (no heap to compact), enter_loop
// (spawn), format_all_status (format_status gets the state and the data only), format_log_1, 2, format_log_with_process_label
// (crash_report::text is no callback), reply_by_alias_with_payload (an otpp::caller has no form that a user sees),
// send_request_wait_reqid_collection, send_request_check_reqid_collection (a set has one function, next).

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

namespace {

enum class suite_state { idle, busy };

// The machine of the suite.
struct suite_data : journal {
  explicit suite_data(journal said) : journal(std::move(said)) {}
  int replaced = 0;
  kept_caller kept = keep_caller(); // as the journal, shared by the copies that replace_state makes
};
struct suite_machine
    : otpp::gen_statem<suite_machine, otpp::states<suite_state::idle, suite_state::busy>, suite_data> {
  struct alive {
    using reply_type = bool;
  };
  struct delayed_answer {
    otpp::duration time;
    using reply_type = int;
  };
  struct answer_now {
    otpp::caller<int> whom;
  };
  struct leave {
    otpp::exit_reason why;
    using reply_type = int;
  };
  struct keep { // answered by what stops it
    using reply_type = int;
  };
  struct leave_with_both {
    using reply_type = int;
  };
  struct jam {};
  enum class first { step, ignore, stop, fail };

  initial init(journal said, first how) {
    switch (how) {
      case first::ignore: return otpp::ignore;
      case first::stop: return otpp::stop(std::runtime_error("failed to start"));
      case first::fail: throw std::runtime_error("bailout");
      case first::step: break;
    }
    return {suite_state::idle, suite_data(std::move(said))};
  }
  bool handle_event(alive, suite_state, suite_data&) { return true; }
  transition<> handle_event(delayed_answer m, otpp::caller<int> from, suite_state, suite_data&) {
    return keep_state().timeout("answer", m.time, answer_now{std::move(from)});
  }
  void handle_event(answer_now m, suite_state, suite_data& its) {
    its.add(m.whom.reply(1) ? "answered" : "late");
  }
  void handle_event(keep, otpp::caller<int> from, suite_state, suite_data& its) {
    its.kept->emplace(std::move(from));
  }
  transition<int> handle_event(leave m, suite_state, suite_data&) { return otpp::stop(m.why, 7); }
  transition<int> handle_event(leave_with_both, suite_state, suite_data& its) {
    its.kept->value().reply(1);
    return otpp::stop(otpp::exit_reason("reason"), 2);
  }
  void handle_event(jam, suite_state, suite_data&) { throw std::runtime_error("jammed"); }

  void terminate(const otpp::exit_reason& reason, state_type& its) {
    its.data.add("terminate:" + reason.message());
    if (reason.message() == "crash in terminate") {
      throw std::runtime_error("terminate fails");
    }
  }
  static std::string format_status(const state_type& its) {
    return its.state == suite_state::idle ? "formatted idle" : "formatted busy";
  }
};
using suite_machine_ref = otpp::server_ref<suite_machine>;
constexpr auto suite_begins = suite_machine::first::step;

// It has no terminate.
struct suite_without_end : otpp::gen_statem<suite_without_end, suite_state, int> {
  struct go {};
  state_type init() { return {suite_state::idle, 0}; }
  transition<> handle_event(go, suite_state, int&) { return next_state(suite_state::busy); }
};

// Each of three timeouts leads to the next state; the others never come.
struct suite_timers : otpp::gen_statem<suite_timers, int, journal> {
  using moment = std::chrono::steady_clock::time_point;
  struct begin {
    moment now;
  };
  struct again {
    moment now;
  };
  struct over {
    std::string name;
  };
  state_type init(journal said) { return {0, std::move(said)}; }
  transition<> handle_event(begin m, int, journal&) {
    return next_state(1)
        .timeout("a", 1500ms, over{"a of the first state"})
        .state_timeout(1500ms, over{"state"})
        .timeout("b", 1000ms, over{"b"})
        .next_event(again{m.now});
  }
  transition<> handle_event(again m, int, journal&) {
    return next_state(2)
        .timeout("c", m.now + 500ms, over{"c"})
        .timeout("d", 0ms, over{"d"})
        .timeout(0ms, over{"event"})
        .timeout("b", otpp::infinite, over{"b"})
        .timeout("a", 1000ms, over{"a"});
  }
  transition<> handle_event(const over& m, int now, journal& said) {
    said.add(m.name);
    return next_state(now + 1);
  }
};

template <class Address>
asio::awaitable<void> check_that_suite_works(Address server) {
  bool is_alive = co_await otpp::call<suite_machine::alive>(server);
  CHECK(is_alive);
}

asio::awaitable<std::string> why_suite_fails(asio::awaitable<suite_machine_ref> starting) {
  std::exception_ptr why = co_await failure_of(std::move(starting));
  std::string text = text_of(why);
  co_return text;
}

} // namespace

TEST_CASE("gen_statem: start1 start6 start9: it is linked or monitored from its start", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto body = []() -> asio::awaitable<void> {
      otpp::trap_exit();
      auto linked =
          co_await otpp::start_link<suite_machine>(otpp::named("statem-linked"), journal(), suite_begins);
      std::error_code taken =
          co_await code_of(otpp::start<suite_machine>(otpp::named("statem-linked"), journal(), suite_begins));
      CHECK(taken == otpp::errc::name_taken);
      co_await check_that_suite_works(linked);
      co_await linked.stop();
      auto end = co_await otpp::receive<otpp::exit_signal>();
      CHECK(end.from == otpp::pid(linked));

      auto watched = co_await otpp::start_monitor<suite_machine>(otpp::options(), journal(), suite_begins);
      co_await check_that_suite_works(watched.server);
      co_await watched.server.stop(otpp::exit_reason::shutdown());
      auto down = co_await otpp::receive<otpp::down>();
      CHECK(down.ref == watched.ref);
      CHECK(down.reason == otpp::exit_reason::shutdown());
    };
    auto parent = co_await otpp::spawn(body);
    otpp::exit_reason why = co_await parent.join();
    CHECK(why == otpp::exit_reason::normal());

    auto wait_with_child = []() -> asio::awaitable<void> {
      co_await otpp::start_link<suite_machine>(otpp::named("statem-child"), journal(), suite_begins);
      co_await otpp::receive<otpp::down>();
    };
    parent = co_await otpp::spawn(wait_with_child);
    auto child = co_await otpp::wait_for_name<suite_machine>("statem-child", 5s);
    co_await parent.stop(otpp::exit_reason::shutdown());
    why = co_await child.join();
    CHECK(why == otpp::exit_reason::shutdown());
  });
}

TEST_CASE("gen_statem: start8 start11 start12 stop1 stop2 stop4 stop7: names and ends", "[gen_statem]") {
  crash_log log;
  run([]() -> asio::awaitable<void> {
    for (int n = 0; n != 2; ++n) { // the name is free when the stop has completed
      journal said;
      auto server = co_await otpp::start<suite_machine>(otpp::named("statem"), said, suite_begins);
      std::error_code taken =
          co_await code_of(otpp::start<suite_machine>(otpp::named("statem"), said, suite_begins));
      CHECK(taken == otpp::errc::name_taken);
      co_await check_that_suite_works(server);
      co_await check_that_suite_works(otpp::server_name<suite_machine>("statem"));
      co_await otpp::stop("statem", otpp::exit_reason("other reason"), 5s);
      CHECK(server.has_ended());
      otpp::exit_reason why = co_await server.join();
      CHECK(why.message() == "other reason");
      CHECK(said.text() == "terminate:other reason");
      std::error_code again = co_await code_of(server.stop());
      CHECK(again == otpp::errc::no_process);
      std::error_code by_name = co_await code_of(otpp::stop("statem"));
      CHECK(by_name == otpp::errc::no_process);
    }
    otpp::registry names;
    auto server =
        co_await otpp::start<suite_machine>(otpp::named("statem").in(names), journal(), suite_begins);
    std::error_code taken = co_await code_of(
        otpp::start<suite_machine>(otpp::named("statem").in(names), journal(), suite_begins));
    CHECK(taken == otpp::errc::name_taken);
    auto by_registry = otpp::via<otpp::registry, suite_machine>(names, "statem");
    co_await check_that_suite_works(by_registry);
    co_await otpp::stop(by_registry);
    CHECK(server.has_ended());
    otpp::exit_reason why = co_await server.join();
    CHECK(why == otpp::exit_reason::normal());
    std::error_code gone = co_await code_of(otpp::stop(by_registry));
    CHECK(gone == otpp::errc::no_process);
  });
  CHECK(log.texts().size() == 2);
}

TEST_CASE(
    "gen_statem: start4 start5a start5b loop_start_fail: what fails to start leaves nothing",
    "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto body = []() -> asio::awaitable<void> {
      otpp::trap_exit();
      for (int n = 0; n != 5; ++n) {
        auto named = otpp::named("statem-fails");
        std::error_code ignored =
            co_await code_of(otpp::start<suite_machine>(named, journal(), suite_machine::first::ignore));
        CHECK(ignored == otpp::errc::ignored);
        ignored =
            co_await code_of(otpp::start_link<suite_machine>(named, journal(), suite_machine::first::ignore));
        CHECK(ignored == otpp::errc::ignored);
        ignored = co_await code_of(
            otpp::start_monitor<suite_machine>(named, journal(), suite_machine::first::ignore));
        CHECK(ignored == otpp::errc::ignored);
        std::string text = co_await why_suite_fails(
            otpp::start<suite_machine>(named, journal(), suite_machine::first::stop));
        CHECK(text == "failed to start");
        text = co_await why_suite_fails(
            otpp::start_link<suite_machine>(named, journal(), suite_machine::first::stop));
        CHECK(text == "failed to start");
        text = co_await why_suite_fails(
            otpp::start<suite_machine>(named, journal(), suite_machine::first::fail));
        CHECK(text == "bailout");
        CHECK_FALSE(otpp::whereis<suite_machine>("statem-fails"));
      }
      std::error_code nothing = co_await code_of(otpp::receive<otpp::exit_signal, otpp::down>(0ms));
      CHECK(nothing == otpp::errc::timeout);
    };
    auto parent = co_await otpp::spawn(body);
    otpp::exit_reason why = co_await parent.join();
    CHECK(why == otpp::exit_reason::normal());
  });
}

TEST_CASE("gen_statem: abnormal1: an answer that is late reaches nobody", "[gen_statem]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      journal said;
      auto server = co_await otpp::start<suite_machine>(otpp::named("statem-slow"), said, suite_begins);
      otpp::server_name<suite_machine> name("statem-slow");
      int answer = co_await otpp::call_for<suite_machine::delayed_answer>(name, 2s, 100ms);
      CHECK(answer == 1);
      std::error_code late = co_await code_of(otpp::call_for<suite_machine::delayed_answer>(name, 100ms, 2s));
      CHECK(late == otpp::errc::timeout);
      CHECK(said.text() == "answered");
      co_await check_that_suite_works(server);
      std::error_code none = co_await code_of(otpp::wait_for_name<suite_machine>("statem-nobody", 2s));
      CHECK(none == otpp::errc::timeout);
      CHECK(said.text() == "answered late");
      // The next has the same name and replaces it: of this one no answer is tried.
      late = co_await code_of(otpp::call_for<suite_machine::delayed_answer>(server, 100ms, 2s));
      CHECK(late == otpp::errc::timeout);
      answer = co_await otpp::call_for<suite_machine::delayed_answer>(server, otpp::infinite, 3s);
      CHECK(answer == 1);
      CHECK(said.text() == "answered late answered");
      co_await server.stop();
    });
    one.run();
  });
}

TEST_CASE("gen_statem: shutdown stop_and_reply start2: all answers come and then the end", "[gen_statem]") {
  crash_log log;
  run([]() -> asio::awaitable<void> {
    auto body = []() -> asio::awaitable<void> {
      otpp::trap_exit();
      auto server = co_await otpp::start_link<suite_machine>(journal(), suite_begins);
      otpp::exit_reason why = otpp::exit_reason::shutdown("reason");
      int last = co_await otpp::call<suite_machine::leave>(server, why);
      CHECK(last == 7);
      auto end = co_await otpp::receive<otpp::exit_signal>();
      CHECK(end.reason == why);
      std::error_code gone = co_await code_of(otpp::call<suite_machine::alive>(server));
      CHECK(gone == otpp::errc::no_process);

      auto other = co_await otpp::start_link<suite_machine>(journal(), suite_begins);
      auto first = otpp::send_request<suite_machine::keep>(other);
      auto second = otpp::send_request<suite_machine::leave_with_both>(other);
      int one = co_await first.wait();
      int two = co_await second.wait();
      CHECK(one + 10 * two == 21);
      end = co_await otpp::receive<otpp::exit_signal>();
      CHECK(end.reason.message() == "reason");
      std::error_code nothing = co_await code_of(otpp::receive<otpp::exit_signal>(0ms));
      CHECK(nothing == otpp::errc::timeout);
    };
    auto parent = co_await otpp::spawn(body);
    otpp::exit_reason why = co_await parent.join();
    CHECK(why == otpp::exit_reason::normal());
  });
  CHECK(log.texts().size() == 1); // of the second
}

TEST_CASE("gen_statem: generic_timers: each name has its own time", "[gen_statem]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", [&one]() -> asio::awaitable<void> {
      journal said;
      auto server = co_await otpp::start<suite_timers>(said);
      auto begin = one.now();
      co_await otpp::cast<suite_timers::begin>(server, begin);
      std::error_code none = co_await code_of(otpp::wait_for_name<suite_timers>("statem-nobody", 499ms));
      CHECK(none == otpp::errc::timeout);
      CHECK(said.text() == "d");
      none = co_await code_of(otpp::wait_for_name<suite_timers>("statem-nobody", 2ms));
      CHECK(said.text() == "d c");
      none = co_await code_of(otpp::wait_for_name<suite_timers>("statem-nobody", 1h));
      CHECK(said.text() == "d c a");
      co_await server.stop();
    });
    one.run();
  });
}

TEST_CASE(
    "gen_statem: call_format_status error_format_status terminate_crash_format: it is shown",
    "[gen_statem]") {
  crash_log log;
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<suite_machine>(otpp::named("statem-shown"), journal(), suite_begins);
    otpp::server_status status = co_await otpp::get_status(server);
    CHECK(status.state == "formatted idle");
    otpp::server_status by_name = co_await otpp::get_status("statem-shown");
    CHECK(by_name.state == "formatted idle");
    co_await otpp::cast<suite_machine::jam>(server);
    otpp::exit_reason why = co_await server.join();
    CHECK(why.message() == "jammed");

    auto other = co_await otpp::start<suite_machine>(journal(), suite_begins);
    std::error_code cut = co_await code_of(other.stop(otpp::exit_reason("crash in terminate")));
    CHECK(cut == otpp::errc::exited);
    why = co_await other.join();
    CHECK(why.message().find("terminate fails") != std::string::npos); // undef_in_terminate, too
    REQUIRE(why.previous());
    CHECK(why.previous()->message() == "crash in terminate");
  });
  REQUIRE(log.texts().size() == 2);
  CHECK(log.texts()[0].find("formatted idle") != std::string::npos);
  CHECK(log.texts()[1].find("formatted idle") != std::string::npos);
}

TEST_CASE("gen_statem: get_state replace_state: of one that runs or is suspended", "[gen_statem]") {
  run([]() -> asio::awaitable<void> {
    auto server = co_await otpp::start<suite_machine>(otpp::named("statem-state"), journal(), suite_begins);
    otpp::server_name<suite_machine> name("statem-state");
    auto look = [](const suite_machine::state_type& its) {
      return std::to_string(its.data.replaced) + (its.state == suite_state::idle ? " idle" : " busy");
    };
    auto replace_data = [](suite_machine::state_type& its) { ++its.data.replaced; };
    auto replace_state = [](suite_machine::state_type& its) { its.state = suite_state::busy; };
    auto fail_to_replace = [](suite_machine::state_type& its) {
      its = {suite_state::idle, suite_data(journal())};
      throw boom();
    };
    std::string seen = co_await otpp::inspect(server, look);
    CHECK(seen == "0 idle");
    co_await otpp::replace_state(server, replace_data);
    seen = co_await otpp::inspect(name, look);
    CHECK(seen == "1 idle");
    co_await otpp::replace_state(name, replace_state, 5s);
    seen = co_await otpp::inspect(server, look);
    CHECK(seen == "1 busy");
    std::exception_ptr failed = co_await failure_of(otpp::replace_state(server, fail_to_replace));
    CHECK(text_of(failed) == "boom");
    co_await otpp::suspend(server);
    seen = co_await otpp::inspect(server, look);
    CHECK(seen == "1 busy");
    co_await otpp::replace_state(server, replace_data);
    seen = co_await otpp::inspect(server, look);
    CHECK(seen == "2 busy");
    co_await otpp::resume(server);
    co_await check_that_suite_works(server);
    co_await server.stop();
  });
}

TEST_CASE("gen_statem: undef_terminate1 undef_terminate2: it needs no terminate", "[gen_statem]") {
  crash_log log;
  run([]() -> asio::awaitable<void> {
    for (const otpp::exit_reason& why : {otpp::exit_reason::normal(), otpp::exit_reason("test")}) {
      auto server = co_await otpp::start<suite_without_end>();
      co_await server.stop(why);
      otpp::exit_reason end = co_await server.join();
      CHECK(end.message() == why.message());
    }
  });
  CHECK(log.texts().size() == 1);
}

TEST_CASE(
    "gen_statem: send_request_receive_reqid_collection: answers come as they are given", "[gen_statem]") {
  explore(orders::fifo(), [](world& one) {
    one.spawn("client", []() -> asio::awaitable<void> {
      std::vector<suite_machine_ref> servers;
      for (int n = 0; n != 3; ++n) {
        auto server = co_await otpp::start<suite_machine>(journal(), suite_begins);
        servers.push_back(server);
      }
      otpp::request_set<int, int> set;
      set.add(1, otpp::send_request<suite_machine::delayed_answer>(servers[0], 400ms));
      set.add(2, otpp::send_request<suite_machine::delayed_answer>(servers[1], 200ms));
      set.add(3, otpp::send_request<suite_machine::delayed_answer>(servers[2], 1ms));
      otpp::kill(servers[0]);
      std::string labels;
      while (!set.empty()) {
        auto next = co_await set.next(5s);
        labels += std::to_string(next.label) + (next.answer.error() ? "! " : " ");
      }
      CHECK(labels == "1! 3 2 ");
      for (int n : {1, 2}) {
        co_await servers[static_cast<std::size_t>(n)].stop();
      }
    });
    one.run();
  });
}
