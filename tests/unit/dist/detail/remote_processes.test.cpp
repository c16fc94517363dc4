// SPDX-License-Identifier: BSL-1.0

#include <otpp/dist/detail/remote_processes.hpp>

#include <otpp/crash_report.hpp>
#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/cast.hpp>
#include <otpp/gen_server/options.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/receive.hpp>
#include <otpp/process/self.hpp>
#include <otpp/process/spawn.hpp>
#include <otpp/subscription.hpp>

#include "support/catch.hpp"
#include "support/nodes.hpp"
#include "support/probe.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {
namespace crowded {

const std::string a = "a@127.0.0.1";
const std::string b = "b@127.0.0.1";

struct die {
  static constexpr auto term = otpp::as::tagged("die");
};
struct self {
  using reply_type = otpp::pid;
  static constexpr auto term = otpp::as::tagged("self");
};
struct echo {
  otpp::pid who;
  using reply_type = otpp::pid;
  static constexpr auto term = otpp::as::tagged("echo");
};
struct make {
  using reply_type = otpp::pid;
  static constexpr auto term = otpp::as::tagged("make");
};

struct victim {
  using messages = otpp::message_list<die, self>;
  static int init() { return 0; }
  static otpp::pid handle_call(self, int&) { return otpp::self(); }
  static otpp::outcome<> handle_cast(die, int&) { return otpp::stop(otpp::exit_reason::shutdown()); }
};

struct factory {
  using messages = otpp::message_list<self, echo, make>;
  static asio::any_io_executor init(asio::any_io_executor executor) { return executor; }
  static otpp::pid handle_call(self, asio::any_io_executor&) { return otpp::self(); }
  static otpp::pid handle_call(const echo& m, asio::any_io_executor&) { return m.who; }
  static asio::awaitable<otpp::pid> handle_call(make, asio::any_io_executor& executor) {
    otpp::server_ref<victim> made = co_await otpp::start<victim>(otpp::options().on(executor));
    co_return made;
  }
};

// Two nodes on four threads, and a factory at b.
struct site {
  otpp::subscription quiet = // as logs are for one thread
      otpp::subscribe<otpp::dist::connection_report>([](const otpp::dist::connection_report&) {});
  otpp::subscription no_crash = // of victims that are linked with a node that is lost
      otpp::subscribe<otpp::crash_report>([](const otpp::crash_report&) {});
  asio::thread_pool pool{4};
  node_table table;
  otpp::dist::node a;
  otpp::dist::node b;
  otpp::server_ref<factory> server;

  site() {
    a = open(crowded::a);
    b = open(crowded::b);
    server = otpp::start<factory>(here(), pool.get_executor(), asio::use_future).get();
    b.publish(server, "factory");
    otpp::server_ref<victim> one = otpp::start<victim>(here(), asio::use_future).get();
    b.publish(one, "victim"); // so that its messages are known
    one.stop(asio::use_future).get();
  }
  site(const site&) = delete;
  site& operator=(const site&) = delete;
  ~site() {
    a.close(asio::use_future).get();
    b.close(asio::use_future).get();
    server.stop(asio::use_future).get();
    pool.join();
  }

  otpp::options here() { return otpp::options().on(pool.get_executor()); }

 private:
  otpp::dist::node open(const std::string& name) {
    otpp::dist::node_options how = table.options(name);
    how.on(pool.get_executor());
    return asio::co_spawn(pool, table.open(how), asio::use_future).get();
  }
};

struct result {
  std::atomic<int> done{0};
  std::atomic<int> wrong{0};

  void expect(bool is_so) { wrong += is_so ? 0 : 1; }
};

// Of calls until one succeeds: connections come and go.
template <class M, class... Args>
asio::awaitable<otpp::pid> ask(otpp::dist::remote_name<> to, Args... args) {
  for (int attempt = 0; attempt != 10'000; ++attempt) {
    try {
      otpp::pid made = co_await otpp::call_for<M>(to, 60s, args...);
      co_return made;
    } catch (const otpp::error& error) {
      if (error.code() != otpp::errc::no_connection) {
        throw;
      }
    }
  }
  throw std::logic_error("ask: it never came");
}

asio::awaitable<void> use_pids(site& s, result& all, int rounds) {
  auto to = s.a.remote("factory", crowded::b);
  otpp::pid first = co_await ask<self>(to);
  for (int round = 0; round != rounds; ++round) {
    otpp::pid again = co_await otpp::call_for<self>(first, 60s);
    all.expect(again == first);
    echo mine{otpp::self()};
    otpp::pid back = co_await otpp::call(first, mine, 60s);
    all.expect(back == otpp::self());
    all.expect(s.a.node_of(again) == crowded::b);
    ++all.done;
  }
}

// Whatever happens to the connection: one `down`, and one exit signal, or none if it was unlinked.
asio::awaitable<void> watch_victims(site& s, result& all, int rounds) {
  otpp::trap_exit();
  auto to = s.a.remote("factory", crowded::b);
  for (int round = 0; round != rounds; ++round) {
    otpp::pid one = co_await ask<make>(to);
    otpp::monitor_ref ref = otpp::monitor(one);
    otpp::link(one);
    bool is_cut = round % 3 == 0;
    if (is_cut) {
      otpp::unlink(one);
    }
    otpp::try_cast<die>(one);
    otpp::down told = co_await otpp::receive<otpp::down>(60s);
    all.expect(told.ref == ref);
    all.expect(told.who == one);
    if (!is_cut) {
      otpp::exit_signal signal = co_await otpp::receive<otpp::exit_signal>(60s);
      all.expect(signal.from == one);
    }
    ++all.done;
  }
  try { // nothing is told twice
    co_await otpp::receive<otpp::down, otpp::exit_signal>(50ms);
    all.expect(false);
  } catch (const otpp::error& error) {
    all.expect(error.code() == otpp::errc::timeout);
  }
}

} // namespace crowded
} // namespace

TEST_CASE("remote_processes: pids are used from many threads", "[dist]") {
  crowded::site s;
  crowded::result all;
  std::vector<otpp::pid> users;
  for (int n = 0; n != 8; ++n) {
    users.push_back(
        otpp::spawn(s.here(), [&] { return crowded::use_pids(s, all, 40); }, asio::use_future).get());
  }
  for (const otpp::pid& each : users) {
    otpp::exit_reason why = each.join(asio::use_future).get();
    CHECK(why == otpp::exit_reason::normal());
  }
  CHECK(all.done == 8 * 40);
  CHECK(all.wrong == 0);
}

TEST_CASE("remote_processes: monitors and links from many threads are told once", "[dist]") {
  for (bool is_cut : {false, true}) { // the connection, again and again
    crowded::site s;
    crowded::result all;
    std::vector<otpp::pid> users;
    for (int n = 0; n != 6; ++n) {
      users.push_back(
          otpp::spawn(s.here(), [&] { return crowded::watch_victims(s, all, 30); }, asio::use_future).get());
    }
    bool goes_on = is_cut;
    for (bool from_a = true; goes_on && all.done < 6 * 25; from_a = !from_a) {
      int before = all.done;
      goes_on = eventually([&] { return all.done > before + 3; });
      (from_a ? s.a : s.b).disconnect(from_a ? crowded::b : crowded::a);
    }
    for (const otpp::pid& each : users) {
      otpp::exit_reason why = each.join(asio::use_future).get();
      CHECK(why.message() == "normal");
    }
    CHECK(all.done == 6 * 30);
    CHECK(all.wrong == 0);
  }
}
