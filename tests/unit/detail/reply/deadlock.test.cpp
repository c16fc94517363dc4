// SPDX-License-Identifier: BSL-1.0

#include <otpp/detail/reply/deadlock.hpp>

#include <otpp/otpp.hpp>
#include <otpp/process.hpp>
#include <otpp/request.hpp>
#include <otpp/sys.hpp>
#include <otpp/testing.hpp>

#include <asio/co_spawn.hpp>
#include <asio/experimental/awaitable_operators.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"

#include <cctype>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::testing::explore;
using otpp::testing::orders;
using otpp::testing::world;

namespace {

// What all nodes of a scenario share. Their calls wait forever, so that a ring that nobody sees is a client
// that waits forever, which the explorer reports.
struct town {
  otpp::duration patience = otpp::infinite;
  std::mutex mutex;
  std::vector<std::string> alarms;
  int timeouts = 0;
  std::vector<otpp::caller<int>> kept;
};
using town_ptr = std::shared_ptr<town>;

// A path is whom to call, and what that one does then: "ba", call b, which calls a. A capital keeps its caller
// for the test to answer, and does the rest meanwhile; "b!a" answers first and then calls a from another handler.
struct node {
  struct hop {
    std::string path;
    using reply_type = int;
  };
  struct keep {
    std::string path;
    using reply_type = int;
  };
  struct answer_first {
    std::string path;
    using reply_type = int;
  };
  struct hop_aside { // in a coroutine of which the handler waits only until "go" is there
    std::string path;
    using reply_type = int;
  };
  struct hop_later { // when "go" is there
    std::string path;
    using reply_type = int;
  };
  struct give_up { // on another's hop_later, when the time is over, and then wait for "go"
    std::string path;
    otpp::duration patience;
    using reply_type = int;
  };
  struct end { // stop, join, or start the other, who calls this one
    int how;
    using reply_type = int;
  };
  struct end_of {
    otpp::pid whom;
    using reply_type = void;
  };
  struct visit {
    std::string path;
  };
  struct ask_all { // the first `servers` of the path, each of whom goes the rest
    std::string how;
    std::size_t servers;
    std::string path;
    using reply_type = int;
  };
  struct burst { // to one whose mailbox has a limit
    std::string path;
  };

  struct asking_init {
    asio::awaitable<int> init(town_ptr all) { return go("a", all); }
  };

  town_ptr init(town_ptr all) { return all; }

  asio::awaitable<int> handle_call(hop m, town_ptr& all) { return go(m.path, all); }
  asio::awaitable<void> handle_call(keep m, otpp::caller<int> from, town_ptr& all) {
    all->kept.push_back(std::move(from));
    co_await go(m.path, all);
  }
  int handle_call(answer_first m, town_ptr&) {
    otpp::try_cast<visit>(otpp::self<node>(), m.path);
    return 7;
  }
  asio::awaitable<int> handle_call(hop_aside m, town_ptr& all) {
    using namespace asio::experimental::awaitable_operators;
    auto either = go(m.path, all) || wait_for("go");
    auto first = co_await std::move(either);
    co_return static_cast<int>(first.index());
  }
  asio::awaitable<int> handle_call(hop_later m, town_ptr& all) {
    co_await wait_for("go");
    int reached = co_await go(m.path, all);
    co_return reached;
  }
  asio::awaitable<int> handle_call(give_up m, town_ptr& all) {
    std::string first = m.path.substr(0, 1);
    otpp::server_name<node> to(first);
    std::error_code code = co_await code_of(otpp::call_for<hop_later>(to, m.patience, m.path.substr(1)));
    all->timeouts += code == otpp::errc::timeout ? 1 : 0;
    co_await wait_for("go");
    co_return 0;
  }
  asio::awaitable<int> handle_call(end m, town_ptr& all) {
    otpp::server_ref<node> other = *otpp::whereis<node>("b");
    std::error_code code;
    if (m.how == 0) {
      code = co_await code_of(other.stop());
    } else if (m.how == 1) {
      code = co_await code_of(other.join());
    } else {
      code = co_await code_of(otpp::start<asking_init>(all));
    }
    co_return code == otpp::errc::deadlock ? 1 : 0;
  }
  asio::awaitable<void> handle_cast(visit m, town_ptr& all) { co_await go(m.path, all); }

  asio::awaitable<int> handle_call(ask_all m, town_ptr& all) {
    std::string rest = m.path.substr(m.servers);
    std::vector<std::string> whom;
    otpp::request_set<int, int> set;
    for (std::size_t i = 0; i != m.servers; ++i) {
      whom.emplace_back(1, m.path[i]);
    }
    otpp::server_name<node> to(whom[0]);
    try {
      if (m.how == "wait" || m.how == "receive") {
        auto request = otpp::send_request<hop>(to, rest);
        if (m.how == "wait") {
          co_await request.wait();
        } else {
          co_await request.receive();
        }
      } else if (m.how == "next") {
        for (const std::string& one : whom) {
          std::string path = one == "d" ? std::string() : rest; // who does not ask back
          set.add(0, otpp::send_request<hop>(otpp::server_name<node>(one), path));
        }
        auto first = co_await set.next();
        first.answer.value();
      } else if (m.how == "multi_call") {
        std::vector<otpp::server_name<node>> names(whom.begin(), whom.end());
        auto answers = co_await otpp::multi_call<hop>(names, otpp::infinite, rest);
        for (auto& one : answers) {
          one.value();
        }
      } else {
        co_await otpp::resume(to, otpp::infinite);
      }
    } catch (const otpp::error& error) {
      note(error, all);
    }
    co_return 0;
  }

  asio::awaitable<void> handle_info(burst m, town_ptr& all) {
    for (int i = 0; i != 2 && !m.path.empty(); ++i) {
      try {
        std::string first = m.path.substr(0, 1);
        co_await otpp::send<burst>(otpp::server_name<node>(first), m.path.substr(1));
      } catch (const otpp::error& error) {
        note(error, all);
      }
    }
  }

  asio::awaitable<void> handle_call(end_of m, town_ptr& all) {
    co_await otpp::send<visit>(m.whom, std::string());
    co_await code_of(otpp::wait_for_name<node>("nobody", 1s)); // meanwhile that one calls this one
    std::error_code code = co_await code_of(m.whom.stop());
    if (code == otpp::errc::deadlock) {
      all->alarms.emplace_back("stop");
    }
  }

  static void note(const otpp::error& error, const town_ptr& all) {
    std::lock_guard lock(all->mutex);
    if (error.code() == otpp::errc::deadlock) {
      all->alarms.push_back(error.what());
    }
  }

  static asio::awaitable<int> go(std::string path, town_ptr all) {
    if (path.empty()) {
      co_return 0;
    }
    bool keeps = std::isupper(static_cast<unsigned char>(path[0])) != 0;
    std::string first(1, static_cast<char>(std::tolower(static_cast<unsigned char>(path[0]))));
    otpp::server_name<node> to(first);
    std::string rest = path.substr(1);
    std::error_code code;
    std::string text;
    try {
      int reached = 0;
      if (keeps) {
        reached = co_await otpp::call_for<keep>(to, all->patience, rest);
      } else if (rest[0] == '!') {
        reached = co_await otpp::call_for<answer_first>(to, all->patience, rest.substr(1));
      } else {
        reached = co_await otpp::call_for<hop>(to, all->patience, rest);
      }
      co_return reached + 1;
    } catch (const otpp::error& error) {
      code = error.code();
      text = error.what();
    }
    std::lock_guard lock(all->mutex);
    if (code == otpp::errc::deadlock) {
      all->alarms.push_back(text + (all->kept.empty() ? "" : " though an answer may come"));
    }
    all->timeouts += code == otpp::errc::timeout ? 1 : 0;
    co_return 0;
  }

  static asio::awaitable<void> wait_for(const char* name) {
    co_await otpp::wait_for_name<node>(name, otpp::infinite);
  }
};

asio::awaitable<void> start_node(town_ptr all, std::string name) {
  co_await otpp::start<node>(otpp::named(name), all);
}

asio::awaitable<void> start_nodes(town_ptr all, std::string names) {
  for (char name : names) {
    co_await start_node(all, std::string(1, name));
  }
}

asio::awaitable<void> sleep_for(otpp::duration time) {
  co_await code_of(otpp::wait_for_name<node>("nobody", time));
}

template <class Message>
auto ask(const char* who, std::string path) {
  return otpp::call_for<Message>(otpp::server_name<node>(who), otpp::infinite, std::move(path));
}

// One who asks `who` to go `path`.
void send_round(world& one, const char* who, const char* path) {
  one.spawn(who, [who, path]() -> asio::awaitable<void> { co_await ask<node::hop>(who, path); });
}

void answer_what_is_kept(world& one, town_ptr all) {
  one.spawn("answers", [all]() -> asio::awaitable<void> {
    for (int round = 0; round != 3; ++round) { // more than there are deviations, which may be of the time
      co_await sleep_for(1s);
      for (otpp::caller<int>& from : all->kept) {
        from.reply(1);
      }
    }
  });
}

// Starts nodes, and then the clients, and looks when all of them have ended; in every order with so many deviations.
template <class Clients, class Look>
void in_every_order(std::string names, Clients clients, Look look, unsigned deviations = 2) {
  auto done = explore(orders::all(deviations), [&](world& one) {
    auto all = std::make_shared<town>();
    one.spawn("first", [&, all]() -> asio::awaitable<void> {
      co_await start_nodes(all, names);
      clients(one, all);
    });
    one.run();
    look(one, *all);
    all->kept.clear();
  });
  CHECK(done.is_complete);
  CHECK(done.schedules > 1);
}

void no_alarm(world& one, town& all) {
  one.check(all.alarms.empty(), all.alarms.empty() ? "" : all.alarms[0].c_str());
}

void one_alarm(world& one, town& all, const char* text) {
  one.check(all.alarms.size() == 1, "there was not one alarm");
  one.check(all.alarms[0].find(text) != std::string::npos, all.alarms[0].c_str());
}

} // namespace

TEST_CASE("deadlock: a call back to one that waits is refused, and the text names the ring") {
  in_every_order(
      "ab", [](world& one, town_ptr) { send_round(one, "a", "ba"); },
      [](world& one, town& all) { one_alarm(one, all, " at \"a\" (\"b\" -> \"a\" -> \"b\"): deadlock"); });
}

TEST_CASE("deadlock: so is one in a ring of three") {
  in_every_order(
      "abc", [](world& one, town_ptr) { send_round(one, "a", "bca"); },
      [](world& one, town& all) { one_alarm(one, all, "(\"c\" -> \"a\" -> \"b\" -> \"c\")"); });
}

TEST_CASE("deadlock: of those who close a ring at the same time one is refused") {
  int with_alarm = 0;
  int without = 0;
  in_every_order(
      "abc",
      [](world& one, town_ptr) {
        send_round(one, "a", "b");
        send_round(one, "b", "c");
        send_round(one, "c", "a");
      },
      [&](world& one, town& all) {
        one.check(all.alarms.size() <= 1, "more than one is refused");
        ++(all.alarms.empty() ? without : with_alarm);
      });
  CHECK(with_alarm > 0);
  CHECK(without > 0);
}

TEST_CASE("deadlock: who stops or joins one that waits for him is refused, or that one is") {
  for (int how : {0, 1}) {
    int stopper = 0;
    int other = 0;
    in_every_order(
        "ab",
        [&, how](world& one, town_ptr) {
          one.spawn("a", [&, how]() -> asio::awaitable<void> {
            int refused =
                co_await otpp::call_for<node::end>(otpp::server_name<node>("a"), otpp::infinite, how);
            stopper += refused;
            co_await code_of(otpp::whereis<node>("a")->stop());
          });
          one.spawn("b", []() -> asio::awaitable<void> {
            co_await code_of(ask<node::hop>("b", "a"));
            auto b = otpp::whereis<node>("b");
            if (b) {
              co_await code_of(b->stop());
            }
          });
        },
        [&](world& one, town& all) {
          one.check(all.alarms.size() <= 1, "more than one is refused");
          other += static_cast<int>(all.alarms.size());
        });
    CHECK(stopper > 0);
    CHECK(other > 0);
  }
}

namespace {

// One who has `who` ask several in this way.
void ask_round(world& one, const char* who, std::string how, std::size_t servers, std::string path) {
  one.spawn(who, [=]() -> asio::awaitable<void> {
    otpp::server_name<node> to(who);
    co_await otpp::call_for<node::ask_all>(to, otpp::infinite, how, servers, path);
  });
}

} // namespace

TEST_CASE("deadlock: whoever a handler has asked and waits for in whatever way may not call it back") {
  for (const char* how : {"wait", "receive", "next", "multi_call"}) {
    INFO(how);
    in_every_order(
        "ab", [how](world& one, town_ptr) { ask_round(one, "a", how, 1, "ba"); },
        [](world& one, town& all) { one_alarm(one, all, " at \"a\" (\"b\" -> \"a\" -> \"b\")"); }, 1);
  }
}

TEST_CASE("deadlock: no handler may wait in any way for one that waits for it") {
  for (const char* how : {"wait", "receive", "next", "multi_call", "sys"}) {
    INFO(how);
    int here = 0;
    int there = 0;
    in_every_order(
        "ab",
        [how](world& one, town_ptr) {
          ask_round(one, "a", how, 1, "b");
          send_round(one, "b", "a");
        },
        [&](world& one, town& all) {
          one.check(all.alarms.size() <= 1, "more than one is refused");
          for (const std::string& alarm : all.alarms) {
            ++(alarm.find("\"b\" (\"a\"") != std::string::npos ? here : there);
          }
        });
    CHECK(here > 0);
    CHECK(there > 0);
  }
}

TEST_CASE("deadlock: who waits for several is in a cycle with any of them, if it needs all answers") {
  in_every_order(
      "abcd", [](world& one, town_ptr) { ask_round(one, "a", "multi_call", 3, "bcda"); },
      [](world& one, town& all) { one.check(all.alarms.size() == 3, "they were not refused one by one"); },
      1);
  in_every_order(
      "abcd",
      [](world& one, town_ptr) { // one of the three closes a ring, and the others are asked
        ask_round(one, "a", "multi_call", 3, "bcd");
        send_round(one, "c", "a");
      },
      [](world& one, town& all) { one.check(all.alarms.size() <= 1, "more than one is refused"); }, 1);
}

TEST_CASE("deadlock: who needs any one of several answers is in a cycle only with all of them") {
  in_every_order(
      "abc", [](world& one, town_ptr) { ask_round(one, "a", "next", 2, "bca"); },
      [](world& one, town& all) { one_alarm(one, all, " -> \"a\" -> "); }, 1);
  in_every_order(
      "abcd", [](world& one, town_ptr) { ask_round(one, "a", "next", 3, "bcda"); }, // d answers
      no_alarm, 1);
}

TEST_CASE("deadlock: who waits only for itself in a request_set is told so") {
  in_every_order(
      "a",
      [](world& one, town_ptr all) {
        one.spawn("client", [all]() -> asio::awaitable<void> {
          auto request = otpp::send_request<node::ask_all>(
              otpp::server_name<node>("a"), std::string("next"), std::size_t(1), std::string("a"));
          co_await request.wait();
        });
      },
      no_alarm, 1);
}

TEST_CASE("deadlock: no two wait for room in each other's mailboxes") {
  int alarms = 0;
  auto done = explore(orders::all(1), [&](world& one) {
    auto all = std::make_shared<town>();
    one.spawn("first", [&one, all]() -> asio::awaitable<void> {
      for (const char* name : {"a", "b"}) {
        co_await otpp::start<node>(otpp::named(name).mailbox_limit(1), all);
      }
      for (const char* path : {"abab", "baba"}) {
        one.spawn(path, [path]() -> asio::awaitable<void> {
          std::string first(1, path[0]);
          co_await otpp::send<node::burst>(otpp::server_name<node>(first), std::string(path + 1));
          co_await otpp::call_for<node::hop>(otpp::server_name<node>(first), otpp::infinite, std::string());
        });
      }
    });
    one.run();
    alarms += static_cast<int>(all->alarms.size());
    for (const std::string& alarm : all->alarms) {
      one.check(alarm.find("send of ") != std::string::npos, alarm.c_str());
    }
  });
  CHECK(done.is_complete);
  CHECK(alarms > 0);
}

TEST_CASE("deadlock: to stop a body that waits is no deadlock, because that ends its wait") {
  auto done = explore(orders::all(1), [](world& one) {
    auto all = std::make_shared<town>();
    one.spawn("first", [all]() -> asio::awaitable<void> {
      co_await start_node(all, "a");
      auto body = []() -> asio::awaitable<void> {
        co_await otpp::receive<node::visit>();
        co_await ask<node::hop>("a", "");
      };
      auto caller = co_await otpp::spawn(body());
      co_await code_of(otpp::call_for<node::end_of>(otpp::server_name<node>("a"), otpp::infinite, caller));
    });
    one.run();
    no_alarm(one, *all);
  });
  CHECK(done.is_complete);
}

TEST_CASE("deadlock: an init that calls the handler that starts it is refused") {
  in_every_order(
      "ab",
      [](world& one, town_ptr) {
        one.spawn("client", []() -> asio::awaitable<void> {
          co_await otpp::call_for<node::end>(otpp::server_name<node>("a"), otpp::infinite, 2);
        });
      },
      [](world& one, town& all) { one_alarm(one, all, "\"a\" -> "); });
}

TEST_CASE("deadlock: a call that an otpp::caller may answer closes no ring") {
  in_every_order(
      "ab",
      [](world& one, town_ptr all) {
        send_round(one, "a", "Ba"); // by the handler that has kept it
        answer_what_is_kept(one, all);
      },
      no_alarm);
  in_every_order(
      "ab",
      [](world& one, town_ptr all) {
        send_round(one, "a", "B"); // by the next
        send_round(one, "b", "a");
        answer_what_is_kept(one, all);
      },
      [](world& one, town& all) {
        // It is a ring until b has taken the message that it keeps.
        for (const std::string& alarm : all.alarms) {
          one.check(alarm.find("may come") == std::string::npos, alarm.c_str());
        }
      });
}

TEST_CASE("deadlock: one that is answered and not resumed yet waits for nobody") {
  in_every_order("ab", [](world& one, town_ptr) { send_round(one, "a", "b!a"); }, no_alarm);
}

TEST_CASE("deadlock: in `a || b` nobody waits for sure") {
  in_every_order(
      "ab",
      [](world& one, town_ptr all) {
        one.spawn("client", []() -> asio::awaitable<void> { co_await ask<node::hop_aside>("a", "ba"); });
        one.spawn("later", [all]() -> asio::awaitable<void> {
          co_await sleep_for(1s);
          co_await start_node(all, "go");
        });
      },
      no_alarm, 1);
}

TEST_CASE("deadlock: a wait that timed out, or whose server was killed, closes no ring") {
  for (bool is_killed : {false, true}) {
    in_every_order(
        "ab",
        [is_killed](world& one, town_ptr all) {
          one.spawn("client", [is_killed]() -> asio::awaitable<void> {
            otpp::duration patience = is_killed ? otpp::infinite : otpp::duration(1s);
            co_await code_of(otpp::call_for<node::give_up>(
                otpp::server_name<node>("a"), otpp::infinite, std::string("ba"), patience));
          });
          one.spawn("later", [is_killed, all]() -> asio::awaitable<void> {
            co_await sleep_for(2s);
            if (is_killed) {
              otpp::exit(*otpp::whereis<node>("a"), otpp::exit_reason::killed());
            }
            co_await sleep_for(2s);
            co_await start_node(all, "go");
          });
        },
        [is_killed](world& one, town& all) {
          no_alarm(one, all);
          one.check(all.timeouts == (is_killed ? 0 : 1), "it did not give up");
        },
        1);
  }
}

TEST_CASE("deadlock: who does not wait at all closes no ring") {
  in_every_order(
      "ab",
      [](world& one, town_ptr all) {
        all->patience = otpp::duration(0);
        send_round(one, "a", "ba");
      },
      no_alarm);
}

// Threads. In one direction nobody may be refused; in all directions nobody may hang.
TEST_CASE("deadlock: on threads there is no false alarm, and no ring is missed") {
  for (bool has_rings : {false, true}) {
    auto all = std::make_shared<town>();
    all->patience = 20s;
    asio::thread_pool pool(4);
    asio::co_spawn(pool, start_nodes(all, "abcd"), asio::use_future).get();
    auto wander = [](unsigned seed, bool rings) -> asio::awaitable<int> {
      std::minstd_rand random(seed);
      int reached = 0;
      for (int round = 0; round != 400; ++round) {
        std::string path;
        for (char name : {'a', 'b', 'c', 'd'}) {
          char next = rings ? static_cast<char>('a' + random() % 4) : name;
          path += rings || random() % 2 != 0 ? std::string(1, next) : "";
        }
        if (!path.empty()) {
          std::string first = path.substr(0, 1);
          reached += co_await otpp::call_for<node::hop>(otpp::server_name<node>(first), 60s, path.substr(1));
        }
      }
      co_return reached;
    };
    std::vector<std::future<int>> clients;
    for (unsigned seed = 1; seed != 7; ++seed) {
      clients.push_back(asio::co_spawn(pool, wander(seed, has_rings), asio::use_future));
    }
    for (std::future<int>& one : clients) {
      CHECK(one.get() > 0);
    }
    CHECK(all->timeouts == 0);
    CHECK(all->alarms.empty() == !has_rings);
    for (const char* name : {"a", "b", "c", "d"}) {
      otpp::whereis<node>(name)->stop(asio::use_future).get();
    }
    pool.join();
  }
}
