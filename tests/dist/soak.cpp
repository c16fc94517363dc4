// SPDX-License-Identifier: BSL-1.0

// Three nodes in one program, each on a thread of its own, whose processes call, cast, monitor, link, end and flood each other, with
// messages from none to several fragments, and pass the third's pids on, while servers end and connections are cut, all at random:
//
//   soak [--seconds <n>] [--seed <n>]
//
// It fails if a call ends otherwise than it may, if what one process has sent is out of order, if a pid comes back as another, if
// an exit signal does not do what it says, or if anything is left at the end.
// That a call does not end at all shows as a program that does not.

#include "support/dice.hpp"
#include "support/resident_kib.hpp"

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <array>
#include <asio.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct tally {
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> answers{0};
  std::atomic<std::uint64_t> casts{0};
  std::atomic<std::uint64_t> downs{0};
  std::atomic<std::uint64_t> links{0};
  std::atomic<std::uint64_t> exits{0};
  std::atomic<std::uint64_t> greetings{0};
  std::atomic<std::uint64_t> cuts{0};
  std::atomic<std::uint64_t> faults{0};

  void fault(const std::string& what) {
    if (faults.fetch_add(1) < 20) {
      std::lock_guard lock(mutex_);
      std::cerr << "fault: " << what << std::endl;
    }
  }

 private:
  std::mutex mutex_;
};

constexpr int node_count = 3;

std::string node_name(int n) { return std::string(1, static_cast<char>('a' + n)) + "@127.0.0.1"; }
std::string local_name(int n) { return "desk of " + node_name(n); }

// ---- what each node publishes ----

struct desk {
  struct echo {
    std::string text;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("echo");
  };
  struct who {
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("who");
  };
  struct later { // is answered by the next note
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("later");
  };
  struct never { // is dropped
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("never");
  };
  struct crash {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("crash");
  };
  struct quit {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("quit");
  };
  struct note {
    std::uint64_t sender;
    std::uint64_t number;
    std::string load;
    static constexpr auto term = otpp::as::tagged("note");
  };
  struct burst { // so many ticks to a process, before the answer
    otpp::pid to;
    int count;
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("burst");
  };
  struct tick {
    int n;
    static constexpr auto term = otpp::as::tagged("tick");
  };
  struct same { // the pid comes back
    otpp::pid one;
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("same");
  };
  struct end { // by an exit signal, or by a kill; true
    otpp::pid whom;
    int how;
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("end");
  };
  struct
      greet { // is a tick to `whom`, by the process that is named, which another node has; by us if that is nobody
    otpp::pid by;
    otpp::pid whom;
    static constexpr auto term = otpp::as::tagged("greet");
  };
  using messages = otpp::message_list<echo, who, later, never, crash, quit, note, burst, same, end, greet>;

  static constexpr int kill = 4;
  static otpp::exit_reason reason(int how) {
    switch (how) {
      case 0: return otpp::exit_reason::normal();
      case 1: return otpp::exit_reason::shutdown();
      case 2: return otpp::exit_reason::killed(); // which is a word here, and no kill
      default: return std::make_exception_ptr(otpp::dist::remote_reason(otpp::atom("boom")));
    }
  }

  struct state {
    tally* all;
    std::vector<otpp::caller<int>> waiting;
    std::map<std::uint64_t, std::uint64_t> last; // number of each sender
  };

  static state init(tally* all) { return {all, {}, {}}; }
  static std::string handle_call(const echo& m, state&) { return m.text; }
  static otpp::pid handle_call(who, state&) { return otpp::self(); }
  static void handle_call(later, otpp::caller<int> from, state& s) {
    s.waiting.push_back(std::move(from));
    if (s.waiting.size() > 10) {
      s.waiting.clear(); // dropped
    }
  }
  static otpp::outcome<int> handle_call(never, state&) { return otpp::no_reply; }
  static int handle_call(crash, state&) { throw std::runtime_error("crashed on purpose"); }
  static otpp::outcome<int> handle_call(quit, state&) { return otpp::stop(); }
  static int handle_call(const burst& m, state&) {
    int sent = 0;
    while (sent != m.count && otpp::try_send(m.to, tick{sent})) {
      ++sent;
    }
    return sent;
  }
  static otpp::pid handle_call(const same& m, state&) { return m.one; }
  static bool handle_call(const end& m, state&) {
    m.how == kill ? otpp::kill(m.whom) : otpp::exit(m.whom, reason(m.how));
    return true;
  }
  static void handle_cast(const greet& m, state&) {
    m.by ? otpp::try_cast(m.by, greet{{}, m.whom}) : otpp::try_send(m.whom, tick{greeting});
  }
  static constexpr int greeting = -1;
  static void handle_cast(const note& m, state& s) {
    std::uint64_t& last = s.last[m.sender];
    if (m.number <= last) {
      s.all->fault("a note came after one that was sent later");
    }
    last = m.number;
    for (otpp::caller<int>& each : std::exchange(s.waiting, {})) {
      each.reply(7);
    }
  }
};

// ---- one node ----

class site {
 public:
  site(int n, std::uint32_t seed, tally& all) : n_(n), all_(all), roll_(seed) {}

  asio::awaitable<void> open(std::shared_ptr<std::array<asio::ip::tcp::endpoint, node_count>> places) {
    otpp::dist::node_options how(node_name(n_));
    how.cookie("soak").no_epmd().tick(2s).watermarks(200'000, 50'000).knows<desk::tick>();
    how.resolver([places](std::string name) { return find(places, std::move(name)); });
    node_ = co_await otpp::dist::open(how);
    node_.publish(otpp::server_name<desk>(local_name(n_)), "desk");
    (*places)[static_cast<std::size_t>(n_)] = node_.local_endpoint();
  }

  // Starts the desk again and again, and lets users work, until it is over.
  asio::awaitable<void> run() {
    std::vector<otpp::pid> users;
    for (std::uint64_t user = 0; user != 12; ++user) {
      std::uint64_t number = static_cast<std::uint64_t>(n_) * 100 + user;
      otpp::pid made = co_await otpp::spawn(work(number));
      users.push_back(made);
    }
    while (!all_.is_over) {
      try {
        auto server = co_await otpp::start<desk>(otpp::named(local_name(n_)), &all_);
        co_await wait_for_end(server);
      } catch (const std::exception& error) {
        all_.fault(std::string("the desk does not start: ") + error.what());
      }
    }
    for (otpp::pid& each : users) {
      co_await each.join();
    }
  }

  asio::awaitable<void> close() { co_await node_.close(); }
  bool is_alone() const { return node_.peers().empty(); }

 private:
  static asio::awaitable<asio::ip::tcp::endpoint> find(
      std::shared_ptr<std::array<asio::ip::tcp::endpoint, node_count>> places, std::string name) {
    co_return (*places)[static_cast<std::size_t>(name[0] - 'a')];
  }

  asio::awaitable<void> wait_for_end(otpp::server_ref<desk> server) {
    asio::steady_timer pause(co_await asio::this_coro::executor);
    while (!server.has_ended()) {
      if (all_.is_over) {
        server.stop([](const std::exception_ptr&) {}); // it may end meanwhile
      }
      pause.expires_after(5ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  // A process that does something at random, again and again.
  asio::awaitable<void> work(std::uint64_t number) {
    otpp::trap_exit();
    std::uint64_t notes = 0;
    while (!all_.is_over) {
      int other = static_cast<int>(roll_.below(node_count - 1));
      other += other >= n_ ? 1 : 0;
      auto to = node_.remote<desk>("desk", node_name(other));
      all_.calls.fetch_add(1, std::memory_order_relaxed);
      std::string failure;
      try {
        co_await act(to, node_name(other), number, notes);
        all_.answers.fetch_add(1, std::memory_order_relaxed);
      } catch (const otpp::error& error) {
        if (!may_be(error)) {
          failure = error.what();
        }
      } catch (const std::exception& error) {
        failure = error.what();
      }
      if (!failure.empty()) {
        all_.fault(failure);
      }
    }
  }

  asio::awaitable<void> act(
      otpp::dist::remote_name<desk> to, std::string peer, std::uint64_t number, std::uint64_t& notes) {
    switch (roll_.below(100)) {
      case 0: {
        all_.cuts.fetch_add(1, std::memory_order_relaxed);
        node_.disconnect(peer);
        break;
      }
      case 1: co_await otpp::call_for<desk::crash>(to, 5s); break;
      case 2: co_await otpp::call_for<desk::quit>(to, 5s); break;
      case 3:
      case 4: co_await otpp::call_for<desk::never>(to, 20ms); break;
      case 5:
      case 6:
      case 7: co_await otpp::call_for<desk::later>(to, 50ms); break;
      case 8:
      case 9: co_await monitor(to); break;
      case 10:
      case 11: co_await link(to); break;
      case 12:
      case 13:
      case 14: co_await take_burst(to); break;
      case 15: co_await flood(to, number, notes); break;
      case 16:
      case 17: co_await same(to); break;
      case 18:
      case 19:
      case 20: co_await be_ended(to); break;
      case 21:
      case 22: co_await be_greeted(to, peer); break;
      default: co_await echo(to, size()); break;
    }
  }

  // Of a text: mostly short, else about a fragment, or several.
  std::size_t size() {
    std::uint32_t kind = roll_.below(100);
    if (kind < 90) {
      return roll_.below(kind < 80 ? 200 : 10'000);
    }
    return kind < 97 ? 65'536 - 100 + roll_.below(200) : roll_.below(400'000);
  }

  asio::awaitable<void> echo(otpp::dist::remote_name<desk> to, std::size_t size) {
    std::string text(size, static_cast<char>('a' + roll_.below(26)));
    std::string back = co_await otpp::call_for<desk::echo>(to, 30s, text);
    if (back != text) {
      all_.fault("an echo of " + std::to_string(size) + " bytes is another");
    }
  }

  // Its own pid comes back as its own, and that of a process there as the same.
  asio::awaitable<void> same(otpp::dist::remote_name<desk> to) {
    otpp::pid there = co_await otpp::call_for<desk::who>(to, 30s);
    otpp::pid back = co_await otpp::call_for<desk::same>(to, 30s, there);
    // That of a desk which has ended meanwhile is nobody, or is known here anew.
    if (back && back != there && !there.has_ended()) {
      all_.fault("a pid has come back as another");
    }
    back = co_await otpp::call_for<desk::same>(to, 30s, otpp::self());
    if (back != otpp::self()) {
      all_.fault("its own pid has come back as another");
    }
  }

  // A process of its own has itself ended from there, trapping exits or not.
  asio::awaitable<void> be_ended(otpp::dist::remote_name<desk> to) {
    auto was_told = std::make_shared<bool>(false);
    int how = static_cast<int>(roll_.below(desk::kill + 1));
    bool traps = roll_.below(2) == 0;
    otpp::pid made = co_await otpp::spawn(have_ended(to, how, traps, was_told));
    otpp::exit_reason why = co_await made.join();
    bool is_survived = how == 0 || (traps && how != desk::kill);
    if (!*was_told) {
      co_return; // the call has failed, by the connection or by the desk
    }
    all_.exits.fetch_add(1, std::memory_order_relaxed);
    std::string expected = (is_survived         ? otpp::exit_reason::normal()
                            : how == desk::kill ? otpp::exit_reason::killed()
                                                : desk::reason(how))
                               .message();
    if (why.message() != expected) {
      all_.fault("one that was to end by '" + expected + "' has ended by '" + why.message() + "'");
    }
  }
  asio::awaitable<void> have_ended(
      otpp::dist::remote_name<desk> to, int how, bool traps, std::shared_ptr<bool> was_told) {
    otpp::trap_exit(traps);
    *was_told = true; // unless the call fails
    try {
      co_await otpp::call_for<desk::end>(to, 30s, otpp::self(), how);
    } catch (const otpp::error& error) {
      *was_told = false;
      if (!may_be(error)) {
        all_.fault(error.what());
      }
      co_return;
    }
    if (traps && how != desk::kill) { // who is killed may go on until it waits
      try {
        otpp::exit_signal got = co_await otpp::receive<otpp::exit_signal>(0ms);
        if (got.reason.message() != desk::reason(how).message()) {
          all_.fault("an exit signal says '" + got.reason.message() + "'");
        }
      } catch (const otpp::error&) {
        all_.fault("an answer has overtaken an exit signal");
      }
    }
  }

  // The third node greets, asked by the peer, which had its pid from here.
  asio::awaitable<void> be_greeted(otpp::dist::remote_name<desk> to, std::string peer) {
    int third = 0 + 1 + 2 - n_ - (peer[0] - 'a');
    otpp::pid by = co_await otpp::call_for<desk::who>(node_.remote<desk>("desk", node_name(third)), 30s);
    otpp::pid made = co_await otpp::spawn(have_greeting(to, by));
    co_await made.join();
  }
  asio::awaitable<void> have_greeting(otpp::dist::remote_name<desk> to, otpp::pid by) {
    co_await otpp::cast<desk::greet>(to, by, otpp::self());
    try {
      desk::tick got = co_await otpp::receive<desk::tick>(1s); // unless a connection is lost
      if (got.n != desk::greeting) {
        all_.fault("a greeting is another");
      }
      all_.greetings.fetch_add(1, std::memory_order_relaxed);
    } catch (const otpp::error& error) {
      if (error.code() != otpp::errc::timeout) {
        all_.fault(error.what());
      }
    }
  }

  asio::awaitable<void> monitor(otpp::dist::remote_name<desk> to) {
    otpp::pid who = co_await otpp::call_for<desk::who>(to, 30s);
    auto ref = otpp::monitor(who);
    if (roll_.below(2) == 0) {
      otpp::demonitor(ref);
      co_return;
    }
    if (roll_.below(2) == 0) {
      node_.disconnect(to.node_name());
    }
    try {
      otpp::down told = co_await otpp::receive<otpp::down>(20ms);
      all_.downs.fetch_add(1, std::memory_order_relaxed);
      if (told.who != who) {
        all_.fault("a down of somebody else");
      }
    } catch (const otpp::error&) {
      otpp::demonitor(ref); // nothing has happened to it
    }
  }

  // A process of its own: the link may end it.
  asio::awaitable<void> link(otpp::dist::remote_name<desk> to) {
    otpp::pid who = co_await otpp::call_for<desk::who>(to, 30s);
    all_.links.fetch_add(1, std::memory_order_relaxed);
    otpp::pid made = co_await otpp::spawn(live_linked(who, roll_.below(4)));
    co_await made.join();
  }
  static asio::awaitable<void> live_linked(otpp::pid who, std::uint32_t how) {
    otpp::link(who);
    asio::steady_timer pause(co_await asio::this_coro::executor, 5ms);
    co_await pause.async_wait(asio::use_awaitable);
    if (how == 0) {
      otpp::unlink(who);
    } else if (how == 1) {
      otpp::exit(who, otpp::exit_reason::shutdown());
    }
  }

  // A process of its own, which gets the ticks before it gets the answer.
  asio::awaitable<void> take_burst(otpp::dist::remote_name<desk> to) {
    otpp::pid made = co_await otpp::spawn(receive_burst(to));
    co_await made.join();
  }
  asio::awaitable<void> receive_burst(otpp::dist::remote_name<desk> to) {
    int sent = 0;
    try {
      sent = co_await otpp::call_for<desk::burst>(to, 30s, otpp::self(), 50);
    } catch (const otpp::error& error) {
      if (!may_be(error)) {
        all_.fault(error.what());
      }
      co_return;
    }
    for (int n = 0; n != sent; ++n) {
      try {
        desk::tick got = co_await otpp::receive<desk::tick>(0ms);
        if (got.n != n) {
          all_.fault("ticks are out of order");
        }
      } catch (const otpp::error&) {
        all_.fault("an answer has overtaken what was sent before it");
        co_return;
      }
    }
  }

  asio::awaitable<void> flood(otpp::dist::remote_name<desk> to, std::uint64_t number, std::uint64_t& notes) {
    const std::string load(roll_.below(5'000), 'x');
    for (int n = 0; n != 200; ++n) {
      all_.casts.fetch_add(1, std::memory_order_relaxed);
      ++notes;
      co_await otpp::cast<desk::note>(to, number, notes, load);
    }
  }

  // What a call ends with where servers end, and connections are cut.
  static bool may_be(const otpp::error& error) {
    std::error_code code = error.code();
    return code == otpp::errc::no_connection || code == otpp::errc::no_process ||
           code == otpp::errc::exited || code == otpp::errc::timeout || code == otpp::errc::no_reply;
  }

  const int n_;
  tally& all_;
  dice roll_;
  otpp::dist::node node_;
};

std::uint64_t option(int argc, char** argv, std::string_view name, std::uint64_t otherwise) {
  for (int n = 1; n + 1 < argc; n += 2) {
    if (argv[n] == name) {
      return std::strtoull(argv[n + 1], nullptr, 10);
    }
  }
  return otherwise;
}

} // namespace

int main(int argc, char** argv) {
  auto seconds = std::chrono::seconds(option(argc, argv, "--seconds", 10));
  auto seed = static_cast<std::uint32_t>(option(argc, argv, "--seed", 1));
  otpp::subscription quiet = otpp::subscribe<otpp::dist::connection_report>([](const auto&) {});
  otpp::subscription no_crashes = otpp::subscribe<otpp::crash_report>([](const auto&) {});

  tally all;
  auto places = std::make_shared<std::array<asio::ip::tcp::endpoint, node_count>>();
  std::array<asio::io_context, node_count> contexts;
  std::vector<std::unique_ptr<site>> sites;
  for (int n = 0; n != node_count; ++n) {
    sites.push_back(std::make_unique<site>(n, seed + static_cast<std::uint32_t>(n), all));
    asio::co_spawn(contexts[static_cast<std::size_t>(n)], sites.back()->open(places), asio::detached);
    contexts[static_cast<std::size_t>(n)].run_for(100ms);
    contexts[static_cast<std::size_t>(n)].restart();
  }

  std::vector<std::thread> threads;
  std::atomic<int> working{node_count};
  for (int n = 0; n != node_count; ++n) {
    threads.emplace_back([&, n] {
      site& here = *sites[static_cast<std::size_t>(n)];
      auto body = [&]() -> asio::awaitable<void> {
        co_await here.run();
        --working;
        asio::steady_timer pause(co_await asio::this_coro::executor);
        while (working != 0) { // the others may still wait for an answer of ours
          pause.expires_after(5ms);
          co_await pause.async_wait(asio::use_awaitable);
        }
        co_await here.close();
      };
      asio::io_context& context = contexts[static_cast<std::size_t>(n)];
      asio::co_spawn(context, body(), [&](std::exception_ptr error) {
        if (error) {
          all.fault("a node has ended with an exception");
        }
      });
      context.run();
    });
  }

  std::this_thread::sleep_for(seconds / 10);
  long at_first = resident_kib();
  std::this_thread::sleep_for(seconds - seconds / 10);
  long at_last = resident_kib();
  all.is_over = true;
  for (std::thread& each : threads) {
    each.join();
  }
  if (all.exits == 0 || all.greetings == 0) {
    all.fault("nobody was ended, or nobody was greeted");
  }
  std::size_t left = otpp::processes().size();
  if (left != 0) {
    all.fault(std::to_string(left) + " processes are left");
  }

  std::cout << "operations " << all.calls << ", of which " << all.answers << " succeeded; casts " << all.casts
            << ", downs " << all.downs << ", links " << all.links << ", exits " << all.exits << ", greetings "
            << all.greetings << ", cuts " << all.cuts << "; MiB in use " << at_first / 1024
            << " after a tenth of the time, " << at_last / 1024 << " at the end; faults " << all.faults
            << std::endl;
  return all.faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
