// SPDX-License-Identifier: BSL-1.0

#include <otpp/supervisor/dynamic_supervisor.hpp>

#include <otpp/otpp.hpp>
#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/supervised.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// What supervisor_SUITE has of simple_one_for_one, and Elixir's dynamic_supervisor_test.exs.

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;
using report_kind = otpp::supervisor_report::kind;

namespace {

using dynamic_ref = otpp::server_ref<otpp::dynamic_supervisor>;

otpp::child_spec named_child(const family_ptr& all, const std::string& name) {
  return otpp::child<member>(name, all, name).named(name);
}

// Completes when the supervisor has heard of it.
asio::awaitable<void> lose_child(dynamic_ref top, std::string name, otpp::exit_reason why) {
  auto found = otpp::whereis<member>(name);
  REQUIRE(found);
  co_await otpp::cast<member::leave>(*found, std::move(why));
  co_await found->join();
  co_await failure_of(otpp::which_children(top));
}

otpp::exit_reason bang() { return std::runtime_error("boom"); }

// Its argument cannot be copied.
struct owner {
  std::unique_ptr<int> init(std::unique_ptr<int> what) { return what; }
};

} // namespace

TEST_CASE("dynamic_supervisor: start_child, terminate_child, which_children, count_children") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    dynamic_ref top = co_await otpp::start<otpp::dynamic_supervisor>(otpp::named("top"));
    otpp::pid a = co_await otpp::start_child(top, named_child(all, "a"));
    co_await otpp::start_child("top", otpp::child<member>("a", all, "b")); // ids need not differ
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    CHECK(children.size() == 2);
    co_await otpp::terminate_child(top, a);
    CHECK(all->take() == "+a+b-a");
    co_await otpp::terminate_child(top, a); // which has ended: fine
    auto other = co_await otpp::start<member>(all, "o");
    std::error_code code = co_await code_of(otpp::terminate_child(top, other));
    CHECK(code == otpp::errc::not_found);
    CHECK_FALSE(other.has_ended());
    co_await other.stop();
    CHECK(all->take() == "+o-o");
    otpp::child_counts counts = co_await otpp::count_children(top);
    CHECK((counts.specs == 1 && counts.active == 1 && counts.workers == 1 && counts.supervisors == 0));
    all->failures["a"] = 1;
    std::exception_ptr failure = co_await failure_of(otpp::start_child(top, named_child(all, "a")));
    CHECK(text_of(failure) == "a fails");
    counts = co_await otpp::count_children(top);
    CHECK(counts.specs == 1);
    co_await top.stop();
    CHECK(all->take() == "!a-b");
  });
}

TEST_CASE("dynamic_supervisor: max_children, a period that cannot be, and ignore") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    dynamic_ref top = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().max_children(1));
    otpp::pid a = co_await otpp::start_child(top, named_child(all, "a"));
    std::error_code code = co_await code_of(otpp::start_child(top, named_child(all, "b")));
    CHECK(code == otpp::errc::max_children);
    co_await otpp::terminate_child(top, a);
    co_await otpp::start_child(top, named_child(all, "b"));
    co_await top.stop();
    std::exception_ptr failure =
        co_await failure_of(otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().intensity(1, -1s)));
    CHECK(text_of(failure).find("must be longer than zero") != std::string::npos);
    code = co_await code_of(otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec(otpp::ignore)));
    CHECK(code == otpp::errc::ignored);
  });
}

TEST_CASE("dynamic_supervisor: simple_one_for_one, permanent, transient and temporary") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world&) -> asio::awaitable<void> {
    dynamic_ref top = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().intensity(5, 5s));
    co_await otpp::start_child(top, named_child(all, "p"));
    co_await otpp::start_child(top, named_child(all, "t").restart(otpp::transient));
    co_await otpp::start_child(top, named_child(all, "u").restart(otpp::temporary));
    all->take();
    co_await lose_child(top, "p", otpp::exit_reason::normal());
    co_await lose_child(top, "t", bang());
    CHECK(all->take() == "-p+p-t+t");
    co_await lose_child(top, "t", otpp::exit_reason::shutdown());
    co_await lose_child(top, "u", bang());
    CHECK(all->take() == "-t-u");
    otpp::child_counts counts = co_await otpp::count_children(top);
    CHECK(counts.specs == 1); // the others are forgotten
    co_await top.stop();
  });
}

TEST_CASE("dynamic_supervisor: simple_one_for_one_escalation, a start that fails is tried again and counts") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world& w) -> asio::awaitable<void> {
    dynamic_ref top = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().intensity(2, 5s));
    co_await otpp::start_child(top, named_child(all, "a").backoff(100ms, 1s));
    co_await otpp::start_child(top, named_child(all, "b"));
    auto begin = w.now();
    all->failures["a"] = 1;
    co_await lose_child(top, "a", bang());
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    CHECK(children[0].is_restarting != children[1].is_restarting);
    co_await otpp::wait_for_name<member>("a", 1s); // the one that fails
    co_await otpp::which_children(top);
    co_await otpp::wait_for_name<member>("a", 1s);
    CHECK(w.now() - begin == 300ms);
    co_await lose_child(top, "b", bang()); // the third
    otpp::exit_reason why = co_await top.join();
    CHECK(why == otpp::exit_reason::shutdown());
    CHECK(all->take() == "+a+b-a!a+a-b-a");
  });
  CHECK(log.has(report_kind::gave_up));
}

TEST_CASE("dynamic_supervisor: simple_one_for_one_shutdown, all are told at once and share the time") {
  supervisor_log log;
  auto all = std::make_shared<family>();
  in_a_world([&](world& w) -> asio::awaitable<void> {
    dynamic_ref top = co_await otpp::start<otpp::dynamic_supervisor>();
    co_await otpp::start_child(top, otpp::child<stubborn>("s", all, "s").shutdown(300ms));
    co_await otpp::start_child(top, otpp::child<stubborn>("t", all, "t").shutdown(200ms));
    co_await otpp::start_child(top, otpp::child<stubborn>("u", all, "u").shutdown(300ms));
    co_await otpp::start_child(top, otpp::child<stubborn>("k", all, "k").shutdown(otpp::brutal_kill));
    co_await otpp::start_child(top, otpp::child<member>("a", all, "a"));
    all->take();
    std::vector<otpp::child_info> children = co_await otpp::which_children(top);
    auto begin = w.now();
    co_await top.stop();
    CHECK(w.now() - begin == 300ms);
    for (const otpp::child_info& one : children) {
      otpp::exit_reason why = co_await one.who.join();
      CHECK(why == (one.id == "a" ? otpp::exit_reason::shutdown() : otpp::exit_reason::killed()));
    }
    std::string said = all->take();
    CHECK(said.substr(4, 2) == "-t"); // a and k first, in some order
    CHECK(all->alive.empty());
  });
  CHECK(log.texts().size() == 3);
}

TEST_CASE("dynamic_supervisor: a temporary_child takes what cannot be copied") {
  supervisor_log log;
  in_a_world([&](world&) -> asio::awaitable<void> {
    dynamic_ref top = co_await otpp::start<otpp::dynamic_supervisor>();
    otpp::child_spec spec = otpp::temporary_child<owner>("owner", std::make_unique<int>(7));
    otpp::pid who = co_await otpp::start_child(top, spec);
    CHECK(who.as<owner>());
    std::exception_ptr failure = co_await failure_of(otpp::start_child(top, spec));
    CHECK(text_of(failure).find("started once") != std::string::npos);
    co_await top.stop();
  });
}

namespace {

struct forgetful {
  int init(const std::shared_ptr<int>&) { return 0; }
};

} // namespace

TEST_CASE("dynamic_supervisor: the start arguments of a temporary child are forgotten") {
  supervisor_log log;
  in_a_world([&](world&) -> asio::awaitable<void> {
    dynamic_ref top = co_await otpp::start<otpp::dynamic_supervisor>();
    auto shared = std::make_shared<int>(0);
    otpp::child_spec spec = otpp::child<forgetful>("server", shared).restart(otpp::temporary);
    co_await otpp::start_child(top, std::move(spec));
    co_await otpp::which_children(top);
    CHECK(shared.use_count() == 1);
    auto make = [shared]() -> asio::awaitable<void> { co_await otpp::receive<member::crash>(); };
    spec = otpp::child("body", make).restart(otpp::temporary);
    otpp::pid body = co_await otpp::start_child(top, std::move(spec));
    CHECK(shared.use_count() == 3); // here, in `make`, and with the coroutine
    otpp::kill(body);
    co_await body.join();
    co_await otpp::which_children(top);
    CHECK(shared.use_count() == 2);
    co_await top.stop();
  });
}

TEST_CASE("dynamic_supervisor: in every order, children come and go while it is stopped") {
  supervisor_log log;
  auto done = explore(orders::all(2), [&](world& w) {
    auto all = std::make_shared<family>();
    w.spawn("test", [&w, all]() -> asio::awaitable<void> {
      dynamic_ref top = co_await otpp::start<otpp::dynamic_supervisor>(otpp::dynamic_spec().intensity(9, 1s));
      co_await otpp::start_child(top, named_child(all, "a"));
      otpp::try_cast<member::crash>(otpp::server_name<member>("a"));
      co_await failure_of(otpp::start_child(top, named_child(all, "b")));
      co_await top.stop(otpp::exit_reason::shutdown());
      w.check(all->alive.empty(), "a child outlives its supervisor");
      w.check(!all->overlapped, "two incarnations overlap");
    });
    w.run();
  });
  CHECK(done.is_complete);
  CHECK(done.schedules > 50);
}
