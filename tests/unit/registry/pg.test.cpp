// SPDX-License-Identifier: BSL-1.0

#include <otpp/registry/pg.hpp>

#include <otpp/otpp.hpp>

#include <asio/co_spawn.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include "support/catch.hpp"
#include "support/counter.hpp"
#include "support/error_of.hpp"
#include "support/run.hpp"

#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <vector>

namespace {

using change = otpp::group_change::kind;

// Monitors what it is told to, and keeps what it hears.
struct witness {
  struct watch {
    std::string group; // none: all
    using reply_type = std::size_t;
  };
  struct stop_watching {
    using reply_type = bool;
  };
  struct heard {
    using reply_type = std::vector<std::string>;
  };
  struct news {
    int number;
  };
  using messages = otpp::message_list<watch, stop_watching, heard, news>;

  struct state {
    otpp::pg* groups;
    otpp::group_monitor last;
    std::vector<std::string> lines;
  };

  state init(otpp::pg* groups) { return {groups, {}, {}}; }

  std::size_t handle_call(watch m, state& s) {
    if (m.group.empty()) {
      s.last = s.groups->monitor_scope(otpp::self<witness>());
      return 0;
    }
    otpp::monitored_group begun = s.groups->monitor(m.group, otpp::self<witness>());
    s.last = begun.ref;
    return begun.members.size();
  }
  bool handle_call(stop_watching, state& s) {
    s.groups->join("other", otpp::self<witness>()); // still in the mailbox when it is given up
    return s.groups->demonitor(s.last);
  }
  std::vector<std::string> handle_call(heard, state& s) { return s.lines; }
  void handle_cast(news m, state& s) { s.lines.push_back("news " + std::to_string(m.number)); }
  void handle_info(news m, state& s) { s.lines.push_back("sent " + std::to_string(m.number)); }
  void handle_info(otpp::group_change m, state& s) {
    CHECK(m.ref == s.last);
    s.lines.push_back(m.group + (m.what == change::joined ? " +" : " -") + m.who.describe());
  }
};

} // namespace

TEST_CASE("pg: who joins several times is there several times, and leaves as often") {
  run([&]() -> asio::awaitable<void> {
    otpp::pg groups;
    auto a = co_await otpp::start<counter>(1);
    auto b = co_await otpp::start<counter>(2);
    CHECK(groups.members("g").empty());
    CHECK(groups.which_groups().empty());
    groups.join("g", a);
    groups.join("g", b);
    groups.join("g", a);
    groups.join("f", b);
    CHECK(groups.members("g") == std::vector<otpp::pid>{a, b, a});
    CHECK(groups.members<counter>("g") == std::vector<otpp::server_ref<counter>>{a, b, a});
    CHECK(groups.which_groups() == std::vector<std::string>{"f", "g"});
    CHECK(groups.leave("g", a));
    CHECK(groups.members("g") == std::vector<otpp::pid>{b, a});
    CHECK(groups.leave("g", a));
    CHECK_FALSE(groups.leave("g", a));
    CHECK_FALSE(groups.leave("nothing", a));
    CHECK(groups.leave("g", b));
    CHECK(groups.which_groups() == std::vector<std::string>{"f"});
    CHECK(otpp::pg::global().members("f").empty());
    co_await a.stop();
    co_await b.stop();
  });
}

TEST_CASE("pg: a membership ends with its server, before anybody hears of that") {
  run([&]() -> asio::awaitable<void> {
    auto groups = std::make_unique<otpp::pg>();
    auto a = co_await otpp::start<counter>(1);
    auto b = co_await otpp::start<counter>(2);
    groups->join("g", a);
    groups->join("g", b);
    groups->join("g", a);
    co_await a.stop();
    CHECK(groups->members("g") == std::vector<otpp::pid>{b});
    otpp::errc code{};
    try {
      groups->join("g", a);
    } catch (const otpp::error& error) {
      code = static_cast<otpp::errc>(error.code().value());
    }
    CHECK(code == otpp::errc::no_process);
    CHECK(groups->members("g").size() == 1);
    groups.reset(); // before its members
    co_await b.stop();
  });
}

TEST_CASE("pg: members of many types, and of one type an error names the other") {
  run([&]() -> asio::awaitable<void> {
    otpp::pg groups;
    auto a = co_await otpp::start<counter>(1);
    auto w = co_await otpp::start<witness>(&groups);
    groups.join("g", a);
    groups.join("g", w);
    std::string said;
    try {
      groups.members<counter>("g");
    } catch (const otpp::error& error) {
      said = error.code() == otpp::errc::bad_message ? error.what() : "another error";
    }
    CAPTURE(said);
    CHECK(said.find("witness") != std::string::npos);
    co_await a.stop();
    co_await w.stop();
  });
}

TEST_CASE("pg: cast and send reach those that take the message, and count them") {
  run([&]() -> asio::awaitable<void> {
    otpp::pg groups;
    auto a = co_await otpp::start<counter>(1);
    auto w = co_await otpp::start<witness>(&groups);
    auto v = co_await otpp::start<witness>(&groups);
    for (const otpp::pid& who : {otpp::pid(a), otpp::pid(w), otpp::pid(v)}) {
      groups.join("g", who);
    }
    witness::news first{1};
    CHECK(groups.cast("g", first) == 2); // a counter knows no news
    CHECK(groups.send("g", witness::news{2}) == 2);
    CHECK(groups.cast("nobody", first) == 0);
    auto told = co_await otpp::call<witness::heard>(w);
    CHECK(told == std::vector<std::string>{"news 1", "sent 2"});
    auto told_too = co_await otpp::call<witness::heard>(v);
    CHECK(told_too == told);
    co_await a.stop();
    co_await w.stop();
    co_await v.stop();
  });
}

TEST_CASE("pg: a monitor hears who joins, leaves and ends, and no more when it is given up") {
  run([&]() -> asio::awaitable<void> {
    otpp::pg groups;
    auto a = co_await otpp::start<counter>(otpp::named("pg a"), 1);
    auto w = co_await otpp::start<witness>(&groups);
    auto all = co_await otpp::start<witness>(&groups);
    groups.join("g", a);
    std::size_t there = co_await otpp::call<witness::watch>(w, std::string("g"));
    CHECK(there == 1);
    co_await otpp::call<witness::watch>(all, std::string());
    groups.join("g", a);
    groups.join("f", a);
    groups.leave("g", a);
    co_await a.stop();
    auto heard = co_await otpp::call<witness::heard>(w);
    CHECK(heard == std::vector<std::string>{"g +\"pg a\"", "g -\"pg a\"", "g -\"pg a\""});
    auto heard_of_all = co_await otpp::call<witness::heard>(all);
    CHECK(heard_of_all.size() == 5); // both groups

    bool was_on = co_await otpp::call<witness::stop_watching>(all);
    CHECK(was_on);
    groups.join("g", w);
    auto after = co_await otpp::call<witness::heard>(all);
    CHECK(after.size() == 5);
    co_await all.stop();
    groups.join("g", w); // to nobody
    co_await w.stop();
  });
}

// On threads: whoever joins and leaves, in whatever way, is told of in pairs, and nobody is left.
TEST_CASE("pg: on threads nobody is left, and monitors hear as many leave as join") {
  asio::thread_pool pool(4);
  otpp::pg groups;
  auto starting = otpp::start<witness>(otpp::options().on(pool.get_executor()), &groups, asio::use_future);
  auto w = starting.get();
  otpp::call<witness::watch>(w, std::string("g"), asio::use_future).get();
  auto come_and_go = [&](unsigned seed) -> asio::awaitable<void> {
    std::minstd_rand random(seed);
    for (int round = 0; round != 200; ++round) {
      auto one = co_await otpp::start<counter>(0);
      groups.join("g", one);
      groups.join("g", one);
      if (random() % 2 == 0) {
        groups.leave("g", one);
      }
      co_await one.stop();
    }
  };
  std::vector<std::future<void>> clients;
  for (unsigned seed = 1; seed != 5; ++seed) {
    clients.push_back(asio::co_spawn(pool, come_and_go(seed), asio::use_future));
  }
  for (std::future<void>& one : clients) {
    one.get();
  }
  CHECK(groups.members("g").empty());
  auto heard = otpp::call<witness::heard>(w, asio::use_future).get();
  std::map<std::string, int> there;
  bool in_order = true;
  for (const std::string& line : heard) {
    int& times = there[line.substr(line.find('#'))];
    times += line.find('+') != std::string::npos ? 1 : -1;
    in_order = in_order && times >= 0;
  }
  CHECK(in_order); // nobody leaves before he has joined
  CHECK(there.size() == 800);
  CHECK(heard.size() == 3200);
  w.stop(asio::use_future).get();
  pool.join();
}
