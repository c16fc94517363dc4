// SPDX-License-Identifier: BSL-1.0

#include <otpp/supervisor/supervisor.hpp>

#include <otpp/otpp.hpp>
#include <otpp/supervisor/dynamic_supervisor.hpp>
#include <otpp/testing.hpp>

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"
#include "support/crash_log.hpp"
#include "support/error_of.hpp"
#include "support/event.hpp"
#include "support/pending.hpp"
#include "support/relative.hpp"
#include "support/run.hpp"
#include "support/supervised.hpp"
#include "support/until.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// OTP's supervisor_SUITE, by the names of its cases, and more.

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;
using report_kind = otpp::supervisor_report::kind;

namespace {

using top_ref = otpp::server_ref<otpp::supervisor>;

otpp::child_spec one(const family_ptr& all, const std::string& name) {
  return otpp::child<member>(name, all, name).named(name);
}

otpp::supervisor_spec abc(const family_ptr& all, otpp::strategy how) {
  return otpp::supervisor_spec(how).add(one(all, "a")).add(one(all, "b")).add(one(all, "c"));
}

otpp::server_name<member> at(const char* name) { return otpp::server_name<member>(name); }

// Completes when the supervisor has heard of it, and has done what it does at once.
asio::awaitable<void> lose(top_ref top, std::string name, otpp::exit_reason why) {
  auto found = otpp::whereis<member>(name);
  REQUIRE(found);
  co_await otpp::cast<member::leave>(*found, std::move(why));
  co_await found->join();
  if (!top.has_ended()) {
    co_await failure_of(otpp::which_children(top));
  }
}
asio::awaitable<void> lose(top_ref top, std::string name) {
  return lose(std::move(top), std::move(name), otpp::exit_reason(std::runtime_error("boom")));
}

// Completes when no child is being restarted.
asio::awaitable<void> settle_all(top_ref top) {
  bool is_settled = false;
  while (!is_settled) {
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    is_settled =
        std::none_of(children.begin(), children.end(), [](const auto& child) { return child.is_restarting; });
  }
}

asio::awaitable<void> pause(otpp::duration time) {
  co_await code_of(otpp::wait_for_name<member>("a name that nobody has", time));
}

} // namespace

TEST_CASE("supervisor: sup_start_map, starts in order, ends in reverse") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(otpp::named("top"), abc(all, otpp::one_for_one));
    CHECK(all->take() == "+a+b+c");
    std::vector<otpp::child_info> children = co_await otpp::which_children("top");
    CHECK(children.size() == 3);
    CHECK((children[0].id == "a" && children[0].who == otpp::pid(*otpp::whereis<member>("a"))));
    CHECK_FALSE(children[2].is_supervisor);
    otpp::child_counts counts = co_await otpp::count_children(top);
    CHECK((counts.specs == 3 && counts.active == 3 && counts.workers == 3 && counts.supervisors == 0));
    co_await top.stop(otpp::exit_reason::shutdown());
    CHECK(all->take() == "-c-b-a");
  });
  CHECK(log.texts().empty());
}

TEST_CASE("supervisor: sup_start_error_return, what was started is ended, and the reason is told") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  all->failures["c"] = 1;
  in_a_world([&](world&) -> asio::awaitable<void> {
    otpp::error e = co_await error_of(otpp::start_supervisor(abc(all, otpp::one_for_one)));
    CHECK(e.code() == otpp::errc::exited);
    CHECK(e.reason().message() == "c fails");
    CHECK(std::string(e.what()).find("starting child \"c\"") != std::string::npos);
    CHECK(all->take() == "+a+b!c-b-a");
    top_ref top = co_await otpp::start_supervisor(abc(all, otpp::one_for_one)); // the names are free
    co_await top.stop();
  });
  CHECK(log.has(report_kind::start_error));
}

TEST_CASE("supervisor: duplicate ids, permanent significant children and a period of zero are refused") {
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    auto twice = otpp::supervisor_spec().add(one(all, "a")).add(one(all, "a"));
    std::exception_ptr failure = co_await failure_of(otpp::start_supervisor(twice));
    CHECK(text_of(failure).find("two children") != std::string::npos);
    auto wrong =
        otpp::supervisor_spec().ends(otpp::auto_shutdown::any_significant).add(one(all, "a").significant());
    failure = co_await failure_of(otpp::start_supervisor(wrong));
    CHECK(text_of(failure).find("cannot be significant") != std::string::npos);
    CHECK(all->take().empty());
    auto never = otpp::supervisor_spec().intensity(1, 0s);
    failure = co_await failure_of(otpp::start_supervisor(never));
    CHECK(text_of(failure).find("must be longer than zero") != std::string::npos);
  });
  CHECK_THROWS_AS(
      otpp::temporary_child<member>("a", all, "a").restart(otpp::permanent), std::invalid_argument);
}

TEST_CASE("supervisor: a child has the options of start, at every start") {
  supervisor_log log;
  otpp::registry names;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    otpp::child_spec spec = otpp::child<member>("a", all, "a").mailbox_limit(1);
    spec.named("kept").in(names).may_block();
    otpp::supervisor_spec tree = otpp::supervisor_spec().add(spec);
    top_ref top = co_await otpp::start_supervisor(tree);
    for (int start = 0; start != 2; ++start) {
      auto found = otpp::whereis<member>("kept", names);
      REQUIRE(found);
      CHECK_FALSE(otpp::whereis<member>("kept"));
      CHECK(otpp::try_cast<member::crash>(*found));
      CHECK_FALSE(otpp::try_cast<member::crash>(*found));
      co_await found->join();
      if (start == 0) {
        co_await otpp::which_children(top);
      }
    }
    co_await top.join(); // one restart is the default
  });
}

TEST_CASE("supervisor: one_for_one, permanent_normal, permanent_abnormal") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(abc(all, otpp::one_for_one).intensity(5, 5s));
    all->take();
    co_await lose(top, "b");
    CHECK(all->take() == "-b+b");
    co_await lose(top, "b", otpp::exit_reason::normal());
    CHECK(all->take() == "-b+b");
    std::string name = co_await otpp::call<member::get>(at("b")); // it has the name again
    CHECK(name == "b");
    co_await top.stop();
  });
  CHECK(log.texts().size() >= 1);
  CHECK(log.texts()[0].find("child \"b\" ended: boom") != std::string::npos);
}

TEST_CASE("supervisor: transient_normal, transient_abnormal, temporary_normal, temporary_abnormal") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(otpp::supervisor_spec()
                                                      .add(one(all, "t").restart(otpp::transient))
                                                      .add(one(all, "u").restart(otpp::temporary)));
    co_await lose(top, "t");
    CHECK(all->take() == "+t+u-t+t");
    co_await lose(top, "t", otpp::exit_reason::shutdown());
    co_await lose(top, "u");
    CHECK(all->take() == "-t-u");
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    REQUIRE(children.size() == 1); // the temporary one is forgotten
    CHECK_FALSE(children[0].who);
    co_await top.stop();
  });
}

TEST_CASE("supervisor: one_for_all, rest_for_one, temporaries among the siblings are dropped") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(abc(all, otpp::one_for_all));
    co_await lose(top, "b");
    CHECK(all->take() == "+a+b+c-b-c-a+a+b+c");
    co_await top.stop();
    all->take();
    top = co_await otpp::start_supervisor(
        abc(all, otpp::rest_for_one).add(one(all, "t").restart(otpp::temporary)));
    co_await lose(top, "b");
    CHECK(all->take() == "+a+b+c+t-b-t-c+b+c");
    otpp::child_counts counts = co_await otpp::count_children(top);
    CHECK(counts.specs == 3);
    co_await top.stop();
  });
}

TEST_CASE("supervisor: one_for_one_escalation, one failure counts once") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(abc(all, otpp::one_for_all)); // 1 in 5 s
    all->take();
    co_await lose(top, "a");
    CHECK(all->take() == "-a-c-b+a+b+c");
    co_await lose(top, "a");
    otpp::exit_reason why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());
    CHECK(all->take() == "-a-c-b");
  });
  CHECK(log.has(report_kind::gave_up));
}

TEST_CASE("supervisor: intensity is of a period") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(otpp::supervisor_spec().add(one(all, "a")));
    for (int i = 0; i < 3; ++i) {
      co_await lose(top, "a");
      co_await pause(5001ms);
    }
    CHECK_FALSE(top.has_ended());
    co_await lose(top, "a");
    co_await pause(5s);
    co_await lose(top, "a");
    otpp::exit_reason why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());
  });
}

TEST_CASE("supervisor: hanging_restart_loop, a start that fails is tried again, and others are served") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(abc(all, otpp::one_for_one).intensity(10, 5s));
    all->take();
    all->failures["b"] = 3;
    auto found = otpp::whereis<member>("b");
    otpp::kill(*found);
    co_await found->join();
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    CHECK(children[1].is_restarting);
    std::error_code code = co_await code_of(otpp::delete_child(top, "b"));
    CHECK(code == otpp::errc::running);
    co_await settle_all(top);
    CHECK(otpp::whereis<member>("b") != found);
    CHECK(all->take() == "-b!b!b!b+b");
    co_await top.stop();
  });
}

TEST_CASE("supervisor: hanging_restart_loop, every attempt counts") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(abc(all, otpp::one_for_one).intensity(3, 5s));
    all->take();
    all->failures["b"] = 1000;
    co_await lose(top, "b");
    otpp::exit_reason why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());
    CHECK(all->take() == "-b!b!b!b-c-a");
  });
}

TEST_CASE("supervisor: rest_for_one_other_child_fails_restart, one_for_all_other_child_fails_restart") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(abc(all, otpp::rest_for_one).intensity(5, 5s));
    all->take();
    all->failures["c"] = 1;
    co_await lose(top, "a");
    co_await settle_all(top);
    CHECK(all->take() == "-a-c-b+a+b!c+c"); // b, which was started, stays
    co_await top.stop();
    all->take();
    top = co_await otpp::start_supervisor(abc(all, otpp::one_for_all).intensity(5, 5s));
    all->take();
    all->failures["c"] = 1;
    co_await lose(top, "a");
    co_await settle_all(top);
    CHECK(all->take() == "-a-c-b+a+b!c-b-a+a+b+c");
    co_await top.stop();
  });
}

TEST_CASE("supervisor: child_adm") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(otpp::supervisor_spec());
    otpp::pid a = co_await otpp::start_child(top, one(all, "a"));
    CHECK(a == otpp::pid(*otpp::whereis<member>("a")));
    std::error_code code = co_await code_of(otpp::start_child(top, one(all, "a")));
    CHECK(code == otpp::errc::already_started);
    code = co_await code_of(otpp::delete_child(top, "a"));
    CHECK(code == otpp::errc::running);
    code = co_await code_of(otpp::restart_child(top, "a"));
    CHECK(code == otpp::errc::running);
    co_await otpp::terminate_child(top, "a");
    co_await otpp::terminate_child(top, "a"); // which is not running: fine
    CHECK(all->take() == "+a-a");
    code = co_await code_of(otpp::start_child(top, one(all, "a")));
    CHECK(code == otpp::errc::already_present);
    co_await otpp::start_child(top, one(all, "r").backoff(1s, 1s));
    co_await lose(top, "r");
    code = co_await code_of(otpp::start_child(top, one(all, "r")));
    CHECK(code == otpp::errc::already_present); // it is being restarted
    code = co_await code_of(otpp::restart_child(top, "r"));
    CHECK(code == otpp::errc::running);
    co_await otpp::terminate_child(top, "r");
    co_await otpp::delete_child(top, "r");
    CHECK(all->take() == "+r-r");
    otpp::pid again = co_await otpp::restart_child(top, "a");
    CHECK((again && again != a));
    co_await otpp::terminate_child(top, "a");
    co_await otpp::delete_child(top, "a");
    code = co_await code_of(otpp::terminate_child(top, "a"));
    CHECK(code == otpp::errc::not_found);
    code = co_await code_of(otpp::delete_child(top, "a"));
    CHECK(code == otpp::errc::not_found);
    code = co_await code_of(otpp::restart_child(top, "a"));
    CHECK(code == otpp::errc::not_found);
    all->failures["b"] = 1;
    std::exception_ptr failure = co_await failure_of(otpp::start_child(top, one(all, "b")));
    CHECK(text_of(failure) == "b fails"); // what its init threw, as it is
    otpp::child_counts counts = co_await otpp::count_children(top);
    CHECK(counts.specs == 0);
    co_await otpp::start_child(top, one(all, "t").restart(otpp::temporary));
    co_await otpp::terminate_child(top, "t");
    counts = co_await otpp::count_children(top);
    CHECK(counts.specs == 0);
    co_await top.stop();
  });
}

namespace {

struct nobody_home {
  otpp::init_result<int> init() { return otpp::ignore; }
};

asio::awaitable<void> wait_for_messages(family_ptr all) {
  all->text += "+body";
  co_await otpp::receive<member::crash>();
  throw std::runtime_error("boom");
}

} // namespace

TEST_CASE("supervisor: sup_start_ignore, a child that is ignored is kept, and has no process") {
  supervisor_log log;
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top =
        co_await otpp::start_supervisor(otpp::supervisor_spec()
                                            .add(otpp::child<nobody_home>("a"))
                                            .add(otpp::child<nobody_home>("t").restart(otpp::temporary)));
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    REQUIRE(children.size() == 1);
    CHECK_FALSE(children[0].who);
    otpp::pid none = co_await otpp::start_child(top, otpp::child<nobody_home>("b"));
    CHECK_FALSE(none);
    co_await top.stop();
  });
}

TEST_CASE("supervisor: ignore, a supervisor that is not to run starts no child") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    otpp::supervisor_spec none = otpp::ignore;
    none.add(one(all, "a"));
    std::error_code code = co_await code_of(otpp::start_supervisor(otpp::named("none"), none));
    CHECK(code == otpp::errc::ignored);
    CHECK_FALSE(otpp::whereis<otpp::supervisor>("none"));
    top_ref top = co_await otpp::start_supervisor(
        otpp::supervisor_spec().add(otpp::child<otpp::supervisor>("n", none)));
    otpp::child_counts counts = co_await otpp::count_children(top);
    CHECK((counts.specs == 1 && counts.active == 0));
    co_await top.stop();
    CHECK(all->take().empty());
  });
  CHECK(log.texts().empty());
}

TEST_CASE("supervisor: a shutdown with a detail is a clean end of a transient child") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top =
        co_await otpp::start_supervisor(otpp::supervisor_spec().add(one(all, "t").restart(otpp::transient)));
    co_await lose(top, "t", otpp::exit_reason::shutdown("drained"));
    CHECK(all->take() == "+t-t");
    co_await top.stop();
  });
  CHECK(log.texts().empty());
}

TEST_CASE("supervisor: a coroutine is a child") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    auto make = [all] { return wait_for_messages(all); }; // GCC 12: no such temporary beside a co_await
    otpp::child_spec body = otpp::child("body", make).named("body");
    top_ref top = co_await otpp::start_supervisor(otpp::supervisor_spec().add(body));
    auto first = otpp::whereis<otpp::spawned>("body");
    co_await otpp::send<member::crash>(*first);
    co_await first->join();
    co_await otpp::which_children(top);
    CHECK(all->take() == "+body+body");
    co_await top.stop();
    CHECK_FALSE(otpp::whereis<otpp::spawned>("body"));
  });
}

TEST_CASE("supervisor: child_unlink, temporary_bystander, a child that unlinked itself hangs nobody") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  struct loner : member {
    state init(family_ptr everybody, std::string name, otpp::pid parent) {
      otpp::unlink(parent);
      return member::init(std::move(everybody), std::move(name));
    }
  };
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(otpp::supervisor_spec());
    co_await otpp::start_child(top, otpp::child<loner>("a", all, "a", otpp::pid(top)));
    co_await otpp::terminate_child(top, "a");
    CHECK(all->take() == "+a-a");
    co_await top.stop();
  });
}

TEST_CASE("supervisor: a child that takes too long is killed, and reported") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world& w) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(
        otpp::supervisor_spec()
            .add(one(all, "a"))
            .add(otpp::child<stubborn>("s", all, "s").shutdown(300ms))
            .add(otpp::child<stubborn>("k", all, "k").shutdown(otpp::brutal_kill)));
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    auto begin = w.now();
    co_await top.stop();
    CHECK(w.now() - begin == 300ms); // the one that is killed took none
    otpp::exit_reason why = co_await children[1].who.join();
    CHECK(why == otpp::exit_reason::killed());
    CHECK(all->take() == "+a+s+k-k-s-a");
  });
  REQUIRE(log.texts().size() == 1);
  CHECK(log.texts()[0].find("child \"s\"") != std::string::npos);
  CHECK(log.texts()[0].find("did not shut down in time") != std::string::npos);
}

namespace {

// Asks its supervisor, while that may be waiting for its end.
struct inquirer : member {
  struct ask {};
  state init(family_ptr all, std::string name) {
    otpp::trap_exit();
    return member::init(std::move(all), std::move(name));
  }
  asio::awaitable<void> handle_cast(ask, state&) { co_await otpp::count_children("top"); }
  asio::awaitable<void> terminate(const otpp::exit_reason&, state&) {
    std::error_code code = co_await code_of(otpp::count_children("top"));
    CHECK(code == otpp::errc::deadlock);
  }
};

} // namespace

TEST_CASE("supervisor: a child that asks its supervisor while it is shut down hangs neither") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world& w) -> asio::awaitable<void> {
    auto spec = otpp::child<inquirer>("a", all, "a").named("a").shutdown(100ms);
    top_ref top = co_await otpp::start_supervisor(otpp::named("top"), otpp::supervisor_spec().add(spec));
    auto begin = w.now();
    co_await otpp::terminate_child(top, "a");
    CHECK(w.now() == begin);
    co_await otpp::restart_child(top, "a");
    otpp::terminate_child(top, "a", [](std::exception_ptr) {}); // and now it asks first
    otpp::try_cast<inquirer::ask>(otpp::server_name<inquirer>("a"));
    co_await otpp::which_children(top);
    CHECK_FALSE(top.has_ended());
    co_await top.stop();
  });
  explore(orders::all(2), [&](world& w) { // whoever waits for the other first
    w.spawn("test", [all]() -> asio::awaitable<void> {
      auto spec = otpp::child<inquirer>("a", all, "a").named("a").shutdown(100ms);
      top_ref top = co_await otpp::start_supervisor(otpp::named("top"), otpp::supervisor_spec().add(spec));
      otpp::try_cast<inquirer::ask>(otpp::server_name<inquirer>("a"));
      co_await failure_of(otpp::terminate_child(top, "a"));
      co_await failure_of(top.stop(otpp::exit_reason::shutdown()));
    });
  });
  CHECK(all->alive.empty());
}

TEST_CASE("supervisor: auto_shutdown with any, or all, significant children, by their own ends only") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  auto spec = [&](otpp::auto_shutdown when) {
    return otpp::supervisor_spec()
        .ends(when)
        .add(one(all, "a"))
        .add(one(all, "s").restart(otpp::transient).significant())
        .add(one(all, "t").restart(otpp::temporary).significant());
  };
  in_a_world([&](world&) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(spec(otpp::auto_shutdown::any_significant));
    co_await lose(top, "s"); // restarted
    co_await otpp::terminate_child(top, "s");
    CHECK_FALSE(top.has_ended());
    co_await lose(top, "t");
    otpp::exit_reason why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());

    top = co_await otpp::start_supervisor(spec(otpp::auto_shutdown::all_significant));
    co_await lose(top, "t");
    CHECK_FALSE(top.has_ended());
    co_await lose(top, "s", otpp::exit_reason::normal());
    why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());
    std::exception_ptr failure = co_await failure_of(otpp::start_supervisor(
        otpp::supervisor_spec().add(one(all, "s").restart(otpp::transient).significant())));
    CHECK(text_of(failure).find("never ends by itself") != std::string::npos);
    top = co_await otpp::start_supervisor(otpp::supervisor_spec());
    failure =
        co_await failure_of(otpp::start_child(top, one(all, "s").restart(otpp::transient).significant()));
    CHECK(text_of(failure).find("never ends by itself") != std::string::npos);
    CHECK_FALSE(top.has_ended());
  });
}

TEST_CASE("supervisor: supervisors under supervisors, one that gives up is restarted") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    auto below = abc(all, otpp::one_for_one);
    auto spec = otpp::child<otpp::supervisor>("below", below).named("below");
    CHECK(spec.shutdown() == otpp::infinite);
    top_ref top = co_await otpp::start_supervisor(otpp::supervisor_spec().add(spec));
    all->take();
    top_ref first = *otpp::whereis<otpp::supervisor>("below");
    co_await lose(first, "b");
    co_await lose(first, "b"); // more than 1 in 5 s
    co_await first.join();
    co_await otpp::which_children(top);
    CHECK(all->take() == "-b+b-b-c-a+a+b+c");
    otpp::child_counts counts = co_await otpp::count_children(top);
    CHECK(counts.supervisors == 1);
    otpp::kill(*otpp::whereis<otpp::supervisor>("below")); // its children end by their links
    otpp::exit_reason why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());
  });
  CHECK(all->alive.empty());
}

TEST_CASE("supervisor: back-off, each restart in a row waits twice as long") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world& w) -> asio::awaitable<void> {
    top_ref top = co_await otpp::start_supervisor(otpp::supervisor_spec(otpp::one_for_all)
                                                      .intensity(10, 1s)
                                                      .add(one(all, "z"))
                                                      .add(one(all, "a").backoff(100ms, 300ms)));
    all->take();
    for (auto delay : {100ms, 200ms, 300ms, 300ms}) {
      auto begin = w.now();
      co_await lose(top, "a");
      CHECK(all->take() == "-a-z"); // at once
      std::error_code code = co_await code_of(otpp::call<member::get>(at("a")));
      CHECK(code == otpp::errc::no_process);
      co_await otpp::wait_for_name<member>("a", 1s);
      CHECK(w.now() - begin == delay);
      CHECK(all->take() == "+z+a");
    }
    co_await pause(300ms); // long enough to begin again
    auto begin = w.now();
    all->failures["a"] = 1;
    co_await lose(top, "a");
    co_await otpp::wait_for_name<member>("a", 1s);
    co_await otpp::which_children(top);
    CHECK(w.now() - begin == 100ms);
    CHECK_FALSE(otpp::whereis<member>("a")); // that start has failed
    co_await otpp::wait_for_name<member>("a", 1s);
    CHECK(w.now() - begin == 300ms);
    co_await otpp::which_children(top);
    co_await lose(top, "a");
    co_await otpp::terminate_child(top, "a"); // nor is it started then
    co_await pause(1s);
    CHECK_FALSE(otpp::whereis<member>("a"));

    co_await otpp::restart_child(top, "a");
    begin = w.now();
    co_await lose(top, "a"); // a restart that is due in 300 ms, and will have lost its meaning
    co_await otpp::restart_child(top, "z");
    co_await otpp::terminate_child(top, "a");
    co_await otpp::restart_child(top, "a");
    co_await pause(200ms);
    co_await lose(top, "a");
    co_await otpp::wait_for_name<member>("a", 1s);
    CHECK(w.now() - begin == 500ms);
    co_await top.stop();
  });
}

TEST_CASE("supervisor: in every order, children crash while others restart, and a call by name ends") {
  supervisor_log log;
  for (auto how : {otpp::one_for_one, otpp::one_for_all, otpp::rest_for_one}) {
    auto done = explore(orders::all(1), [&](world& w) {
      auto all = std::make_shared<family>();
      w.spawn("test", [&w, all, how]() -> asio::awaitable<void> {
        top_ref top = co_await otpp::start_supervisor(
            otpp::supervisor_spec(how).intensity(9, 1s).add(one(all, "a")).add(one(all, "b")));
        otpp::try_cast<member::crash>(at("a"));
        otpp::try_cast<member::crash>(at("b"));
        for (int i = 0; i < 3; ++i) { // to one of them, or to none: but an answer
          co_await code_of(otpp::call_for<member::get>(at("b"), otpp::infinite));
        }
        co_await otpp::wait_for_name<member>("a", 1s);
        co_await otpp::wait_for_name<member>("b", 1s);
        co_await otpp::which_children(top);
        co_await top.stop();
        w.check(all->alive.empty(), "a child outlives its supervisor");
        w.check(!all->overlapped, "two incarnations overlap");
      });
      w.run();
    });
    CHECK(done.is_complete);
    CHECK(done.schedules > 10);
  }
}

TEST_CASE("supervisor: in every order, it is stopped while it restarts") {
  supervisor_log log;
  auto done = explore(orders::all(2), [&](world& w) {
    auto all = std::make_shared<family>();
    w.spawn("test", [&w, all]() -> asio::awaitable<void> {
      all->failures["b"] = 0;
      top_ref top = co_await otpp::start_supervisor(
          otpp::supervisor_spec(otpp::one_for_all).intensity(9, 1s).add(one(all, "a")).add(one(all, "b")));
      all->failures["b"] = 1;
      otpp::try_cast<member::crash>(at("a"));
      co_await failure_of(otpp::terminate_child(top, "b"));
      co_await top.stop(otpp::exit_reason::shutdown());
      w.check(all->alive.empty(), "a child outlives its supervisor");
      w.check(!all->overlapped, "two incarnations overlap");
    });
    w.run();
  });
  CHECK(done.is_complete);
  CHECK(done.schedules > 100);
}

TEST_CASE("supervisor: in every order, it is killed, and no child is left") {
  supervisor_log log;
  explore(orders::all(1), [&](world& w) {
    auto all = std::make_shared<family>();
    w.spawn("test", [all]() -> asio::awaitable<void> {
      top_ref top = co_await otpp::start_supervisor(abc(all, otpp::one_for_all));
      otpp::try_cast<member::crash>(at("b"));
      otpp::kill(top);
      co_await top.join();
    });
    w.run();
    w.check(all->alive.empty(), "a child outlives its supervisor");
  });
}

namespace {

struct interrupts_the_program {
  struct now {};
  otpp::init_result<int> init() { return otpp::init_result<int>(0).then(now()); }
  void handle_continue(now, int&) { std::raise(SIGTERM); }
};

} // namespace

TEST_CASE("supervisor: an end is told in one line, by the crash report or by the supervisor") {
  std::string text;
  {
    captured_stderr output;
    auto all = std::make_shared<family>();
    in_a_world([&](world&) -> asio::awaitable<void> {
      top_ref top =
          co_await otpp::start_supervisor(otpp::named("top"), abc(all, otpp::one_for_one).intensity(9, 5s));
      co_await lose(top, "b");
      auto killed = otpp::whereis<member>("c");
      otpp::kill(*killed);
      co_await killed->join();
      co_await failure_of(otpp::which_children(top));
      co_await top.stop();
    });
    text = output.text();
  }
  CHECK(text.find("otpp: server \"b\" (member) ended: boom") == 0);
  CHECK(text.find("\notpp: supervisor \"top\": child \"c\" ended: killed\n") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("supervisor: run makes a whole program of a tree") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  int status = otpp::run(abc(all, otpp::one_for_one)
                             .add(otpp::child<stubborn>("s", all, "s").shutdown(10ms))
                             .add(otpp::child<interrupts_the_program>("i")));
  CHECK(status == EXIT_SUCCESS);
  CHECK(all->take() == "+a+b+c+s-s-c-b-a");
  CHECK(log.has(report_kind::overdue));

  all->failures["b"] = 1;
  CHECK(otpp::run(abc(all, otpp::one_for_one)) == EXIT_FAILURE); // and says so on stderr
  CHECK(all->take() == "+a!b-a");

  auto quits = otpp::child("quits", []() -> asio::awaitable<void> { co_return; });
  CHECK(otpp::run(abc(all, otpp::one_for_one).add(quits)) == EXIT_FAILURE); // it gives up
  CHECK(all->alive.empty());
  CHECK(
      otpp::run(abc(all, otpp::one_for_one)
                    .ends(otpp::auto_shutdown::any_significant)
                    .add(otpp::child_spec(quits).restart(otpp::transient).significant())) == EXIT_SUCCESS);
  all->take();

  {
    captured_stderr output; // a child that takes its 200 ms to be killed
    status = otpp::run(
        abc(all, otpp::one_for_one)
            .add(otpp::child<stubborn>("s", all, "s").shutdown(200ms))
            .add(otpp::child<interrupts_the_program>("i")),
        otpp::run_options().report_after(10ms));
    std::string text = output.text();
    CHECK(status == EXIT_SUCCESS);
    CHECK(text.find("and has not") != text.npos);
    CHECK(text.find("stubborn#") != text.npos);
    all->take();
  }

  auto body = [&]() -> asio::awaitable<void> { // one that leaves its tree to run
    co_await otpp::start_supervisor(abc(all, otpp::one_for_one));
  };
  CHECK(otpp::run(body()) == EXIT_SUCCESS);
  CHECK(all->take() == "+a+b+c-c-b-a");
}

TEST_CASE("supervisor: a child that is shut down ahead begins nothing new") {
  for (const char* who : {"the child", "the supervisor", "a dynamic one", "nobody"}) {
    INFO(who);
    run([who]() -> asio::awaitable<void> {
      crash_log reports;
      journal said;
      otpp::child_spec jobs = otpp::child<relative>("jobs", said, are_trapped).named("jobs");
      otpp::supervisor_spec spec;
      otpp::pid top;
      if (who[0] == 'a') {
        auto dynamic =
            co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().shutdown(otpp::ahead));
        co_await otpp::start_child(dynamic, jobs);
        top = dynamic;
      } else {
        if (who == std::string("the child")) {
          jobs.shutdown(1s, otpp::ahead);
        } else if (who == std::string("the supervisor")) {
          spec.shutdown(otpp::ahead);
        }
        spec.add(jobs);
        top = co_await otpp::start_supervisor(spec);
      }
      event go_on;
      otpp::server_name<relative> server("jobs");
      co_await otpp::cast<relative::wait>(server, go_on);
      co_await otpp::cast<relative::note>(server, "a");
      co_await until([&] { return go_on.is_awaited(); });
      co_await otpp::cast<relative::note>(server, "b");
      pending<> stopped;
      top.stop(otpp::exit_reason::shutdown(), stopped.token());
      co_await some_steps();
      go_on.happen();
      co_await stopped.get();
      bool is_ahead = who[0] != 'n';
      CHECK(
          said.text() ==
          (is_ahead ? "wait waited terminate:shutdown" : "wait waited a b terminate:shutdown"));
      CHECK(reports.dropped() == (is_ahead ? 2U : 0U));
    });
  }
}

TEST_CASE("supervisor: a child's function is kept as long as a coroutine of it runs") {
  in_a_world([](world&) -> asio::awaitable<void> {
    auto held = std::make_shared<int>(7);
    std::weak_ptr<int> seen = held;
    auto make = [held]() -> asio::awaitable<void> {
      co_await otpp::receive<int>();
      *held = 8;
    };
    held.reset();
    otpp::child_spec spec = otpp::child("body", std::move(make)).restart(otpp::temporary).named("body");
    top_ref top = co_await otpp::start_supervisor(otpp::supervisor_spec().add(std::move(spec)));
    spec = otpp::child<member>("other", nullptr, "other"); // the moved-from one keeps nothing
    REQUIRE_FALSE(seen.expired());
    otpp::server_ref<otpp::spawned> body = *otpp::whereis<otpp::spawned>("body");
    co_await otpp::send<int>(body, 1);
    co_await body.join();
    co_await top.stop();
    CHECK(seen.expired());
  });
}
