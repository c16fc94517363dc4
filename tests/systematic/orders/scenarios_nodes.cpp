// SPDX-License-Identifier: BSL-1.0

// Two nodes, connected by a pipe that is cut at any moment, or by one of them: each open call, monitor and link is told exactly once,
// whatever comes first. OTPP_ORDERS_SIZE is `ci`, `verify`, or how many random schedules each scenario gets. Opening the nodes and
// shaking hands, which is not explored, takes most of the time of a schedule.

#include "pipes.hpp"

#include <otpp/testing.hpp>

#include "support/catch.hpp"
#include "support/crash_log.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using otpp::testing::orders;
using otpp::testing::schedule;
using otpp::testing::world;

namespace {

// A process of each node, which traps exits: what others call, and what monitors and links others where a scenario says so.
struct agent {
  struct get {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("get");
  };
  struct keep { // is answered when the scenario wants
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("keep");
  };
  struct who {
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("who");
  };
  struct monitor {
    otpp::pid whom;
    static constexpr auto term = otpp::as::tagged("monitor");
  };
  struct demonitor {
    static constexpr auto term = otpp::as::tagged("demonitor");
  };
  struct link {
    otpp::pid whom;
    static constexpr auto term = otpp::as::tagged("link");
  };
  struct unlink {
    otpp::pid whom;
    static constexpr auto term = otpp::as::tagged("unlink");
  };
  struct relink { // unlinks, and links again
    otpp::pid whom;
    static constexpr auto term = otpp::as::tagged("relink");
  };
  using messages = otpp::message_list<get, keep, who, monitor, demonitor, link, unlink, relink>;

  struct seen {
    int gets = 0;
    std::vector<otpp::caller<int>> kept;
    otpp::monitor_ref ref;
    std::vector<std::string> downs;
    std::vector<std::string> exits;
    bool is_parted = false;      // it has removed the monitor, or the link
    std::size_t told_before = 0; // that
  };
  using state = std::shared_ptr<seen>;

  static state init(state s) {
    otpp::trap_exit();
    return s;
  }
  static int handle_call(get, state& s) { return ++s->gets; }
  static void handle_call(keep, otpp::caller<int> from, state& s) { s->kept.push_back(std::move(from)); }
  static otpp::pid handle_call(who, state&) { return otpp::self(); }
  static void handle_cast(const monitor& m, state& s) { s->ref = otpp::monitor(m.whom); }
  static void handle_cast(demonitor, state& s) {
    otpp::demonitor(s->ref);
    part(*s);
  }
  static void handle_cast(const link& m, state&) { otpp::link(m.whom); }
  static void handle_cast(const unlink& m, state& s) {
    otpp::unlink(m.whom);
    part(*s);
  }
  static void handle_cast(const relink& m, state&) {
    otpp::unlink(m.whom);
    otpp::link(m.whom);
  }
  static void handle_info(const otpp::down& told, state& s) { s->downs.push_back(told.reason.message()); }
  static void handle_info(const otpp::exit_signal& told, state& s) {
    s->exits.push_back(told.reason.message());
  }

 private:
  static void part(seen& s) {
    s.is_parted = true;
    s.told_before = s.downs.size() + s.exits.size();
  }
};

// How a call has ended, which it does once.
struct ended_call {
  int times = 0;
  std::error_code code;
};

asio::awaitable<void> call_kept(otpp::dist::remote_name<agent> to, ended_call& how) {
  try {
    co_await otpp::call_for<agent::keep>(to, 1h);
  } catch (const otpp::error& error) {
    how.code = error.code();
  }
  ++how.times;
}
asio::awaitable<void> call_quickly(otpp::pid to, ended_call& how) {
  try {
    co_await otpp::call_for<agent::get>(to, 1h);
  } catch (const otpp::error& error) {
    how.code = error.code();
  }
  ++how.times;
}

// Two nodes that are connected, the first by its own attempt, each with an agent that the other knows.
class stage {
 public:
  // @param in_order  The schedule that the world has.
  // @param decides   The one that it has while something is explored.
  stage(world& in, schedule& in_order, schedule& decides)
      : in_(in), in_order_(in_order), decides_(decides), other_(in) {
    in_.spawn("opens", [this]() { return open(); });
    settle();
  }

  struct side {
    std::string name;
    otpp::dist::node node;
    otpp::server_ref<agent> here; // its agent
    otpp::pid known;              // the other's
    std::shared_ptr<agent::seen> seen = std::make_shared<agent::seen>();
  };
  side& at(int which) { return sides_[static_cast<std::size_t>(which)]; }
  world& in() { return in_; }
  otpp::dist::remote_name<agent> agent_of(const side& whom, const side& as) const {
    return as.node.remote<agent>("agent", whom.name);
  }

  // The connection is lost at any moment: by the network, or because one side disconnects.
  void may_lose(int how) {
    in_.may("the connection is lost", [this, how] {
      was_lost_ = true;
      how == 2 ? network_.cut() : at(how).node.disconnect(at(1 - how).name);
    });
  }
  bool was_lost() const { return was_lost_; }

  void explore() {
    std::swap(in_order_, decides_);
    struct back { // also when it fails
      stage& of;
      ~back() { std::swap(of.in_order_, of.decides_); }
    } then{*this};
    in_.run_for(1ms);
  }
  void settle() { in_.run_for(1ms); }

  void check(bool holds, const char* what) { in_.check(holds, what); }

  // They still connect, and end.
  void end() {
    in_.spawn("closes", [this]() { return close(); });
    in_.run_for(2s);
    in_.finish();
  }

 private:
  asio::awaitable<void> open() {
    for (int n = 0; n != 2; ++n) {
      side& here = at(n);
      asio::any_io_executor executor =
          n == 0 ? asio::any_io_executor(in_.get_executor()) : asio::any_io_executor(other_.get_executor());
      here.name = n == 0 ? "a@127.0.0.1" : "b@127.0.0.1";
      otpp::dist::node_options how = network_.options(here.name, executor);
      here.node = co_await otpp::dist::open(how);
      network_.add(here.node);
      otpp::options on;
      on.on(executor);
      here.here = co_await otpp::start<agent>(on, here.seen);
      here.node.publish(here.here, "agent");
    }
    co_await at(0).node.connect(at(1).name);
    for (int n = 0; n != 2; ++n) {
      otpp::dist::remote_name<agent> to = agent_of(at(1 - n), at(n));
      at(n).known = co_await otpp::call_for<agent::who>(to, 1h);
    }
  }
  asio::awaitable<void> close() {
    co_await at(0).node.connect(at(1).name);
    co_await at(0).node.close();
    co_await at(1).node.close();
  }

  world& in_;
  schedule& in_order_;
  schedule& decides_;
  pipes::network network_;
  otpp::testing::context other_;
  std::array<side, 2> sides_;
  bool was_lost_ = false;
};

// ---- exploring ----

using scenario = std::function<void(stage&)>;

std::string run(schedule& decides, const scenario& play, bool is_traced, std::string& trace) {
  schedule in_order(orders::fifo());
  in_order.next();
  world one(in_order, is_traced);
  std::string failure;
  try {
    stage here(one, in_order, decides);
    play(here);
    here.end();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  for (const std::string& line : one.trace()) {
    trace += line + "\n";
  }
  return failure;
}

std::uint64_t explore(orders which, const scenario& play) {
  std::uint64_t schedules = 0;
  schedule decides(std::move(which));
  std::string trace;
  while (decides.next()) {
    ++schedules;
    std::string failure = run(decides, play, false, trace);
    if (!failure.empty()) {
      schedule again(orders::replay(decides.text()));
      again.next();
      run(again, play, true, trace);
      FAIL(failure << "\nin schedule " << schedules << " (" << decides.text() << ")\n" << trace);
    }
  }
  return schedules;
}

// Random ones; where there is time, also all with two deviations.
void explore(const scenario& play) {
  const char* wanted = std::getenv("OTPP_ORDERS_SIZE");
  std::string size = wanted ? wanted : "ci";
  bool is_long = size == "verify";
  crash_log crashes;
  otpp::subscription quiet = otpp::subscribe<otpp::dist::connection_report>([](const auto&) {});
  std::uint64_t schedules = explore(
      orders::random(
          1, size == "ci" ? 15
             : is_long    ? 5'000
                          : std::stoull(size)),
      play);
  if (is_long) {
    schedules += explore(orders::all(2).at_most(100'000), play);
  }
  std::printf("nodes: %llu schedules\n", static_cast<unsigned long long>(schedules));
}

constexpr int ways_to_lose = 3;

} // namespace

TEST_CASE("orders: a connection is lost during calls, and each ends once") {
  for (int how = 0; how != ways_to_lose; ++how) {
    explore([how](stage& s) {
      std::array<ended_call, 2> kept;
      std::array<ended_call, 2> quick;
      for (int n = 0; n != 2; ++n) {
        auto at = static_cast<std::size_t>(n);
        s.in().spawn("keeps", call_kept(s.agent_of(s.at(1 - n), s.at(n)), kept[at]));
        s.in().spawn("asks", call_quickly(s.at(n).known, quick[at]));
      }
      s.may_lose(how);
      s.in().may("all kept are answered", [&s] {
        for (otpp::caller<int>& each : s.at(1).seen->kept) {
          each.reply(1);
        }
      });
      s.explore();
      for (int n = 0; n != 2; ++n) {
        for (otpp::caller<int>& each : s.at(n).seen->kept) {
          each.reply(2);
        }
      }
      s.settle();
      for (const std::array<ended_call, 2>& each : {kept, quick}) {
        for (const ended_call& one : each) {
          s.check(one.times == 1, "a call has not ended once");
          bool is_lost = one.code == otpp::errc::no_connection;
          s.check(!one.code || (is_lost && s.was_lost()), "a call has ended with another error");
        }
      }
      for (int n = 0; n != 2; ++n) {
        s.check(s.at(n).seen->gets <= 1, "a call was taken twice");
        for (const otpp::caller<int>& each : s.at(n).seen->kept) {
          s.check(!each.is_waiting(), "a caller waits that has got its answer");
        }
      }
    });
  }
}

TEST_CASE("orders: a connection is lost while processes are monitored, and each monitor is told once") {
  for (int watching = 0; watching != 2; ++watching) {
    for (int how = 0; how != ways_to_lose; ++how) {
      for (bool removes : {false, true}) {
        explore([watching, how, removes](stage& s) {
          stage::side& watcher = s.at(watching);
          stage::side& watched = s.at(1 - watching);
          otpp::try_cast(watcher.here, agent::monitor{watcher.known});
          s.may_lose(how);
          s.in().may("it ends", [&] { otpp::kill(watched.here); });
          if (removes) {
            s.in().may("the monitor is removed", [&] { otpp::try_cast(watcher.here, agent::demonitor()); });
          }
          s.explore();
          otpp::kill(watched.here); // in the end, so that all are told
          s.settle();
          const agent::seen& seen = *watcher.seen;
          s.check(
              seen.is_parted ? seen.downs.size() == seen.told_before && seen.downs.size() <= 1
                             : seen.downs.size() == 1,
              seen.is_parted ? "a monitor was told that was removed" : "a monitor was not told once");
        });
      }
    }
  }
}

TEST_CASE("orders: a connection is lost while processes are linked, and each link is told once") {
  for (int linking = 0; linking != 2; ++linking) {
    for (int how = 0; how != ways_to_lose; ++how) {
      for (bool unlinks : {false, true}) {
        explore([linking, how, unlinks](stage& s) {
          stage::side& one = s.at(linking);
          stage::side& other = s.at(1 - linking);
          otpp::try_cast(one.here, agent::link{one.known});
          s.may_lose(how);
          if (unlinks) {
            s.in().may("it unlinks", [&] { otpp::try_cast(one.here, agent::unlink{one.known}); });
          } else {
            s.in().may(
                "the other links as well", [&] { otpp::try_cast(other.here, agent::link{other.known}); });
          }
          s.in().may("it ends", [&] { otpp::kill(other.here); });
          s.explore();
          bool other_lives = !other.here.has_ended();
          s.check(other.seen->exits.size() <= 1, "the other side of a link was told twice");
          s.check(
              !other_lives || s.was_lost() || other.seen->exits.empty(),
              "a link has ended, and nobody knows why");
          otpp::kill(other.here); // in the end, so that all are told
          s.settle();
          const agent::seen& seen = *one.seen;
          bool links_again = !unlinks && s.was_lost(); // the other, when the first link is lost
          s.check(
              seen.is_parted ? seen.exits.size() == seen.told_before && seen.exits.size() <= 1
                             : seen.exits.size() == 1 || (links_again && seen.exits.size() == 2),
              seen.is_parted ? "who has unlinked was told" : "a link was not told once");
        });
      }
    }
  }
}

namespace {

std::size_t count_links(const otpp::server_ref<agent>& of) {
  for (const otpp::process_info& each : otpp::processes()) {
    if (each.id == of.id()) {
      return each.links.size();
    }
  }
  return 0;
}

} // namespace

TEST_CASE("orders: both sides unlink and link again at once, and both know the same") {
  for (int linking = 0; linking != 2; ++linking) {
    explore([linking](stage& s) {
      otpp::try_cast(s.at(linking).here, agent::link{s.at(linking).known});
      s.settle();
      for (int n = 0; n != 2; ++n) {
        otpp::try_cast(s.at(n).here, agent::relink{s.at(n).known});
      }
      s.explore();
      std::size_t links = count_links(s.at(0).here);
      s.check(
          links == count_links(s.at(1).here) && links <= 1,
          "one side believes in a link, and the other does not");
    });
  }
}
