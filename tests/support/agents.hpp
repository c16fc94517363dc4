// SPDX-License-Identifier: BSL-1.0

// A server at each of two nodes, which does with processes elsewhere what the test says, and remembers what it is told.
#pragma once

#include <otpp/dist.hpp>
#include <otpp/gen_server/call.hpp>
#include <otpp/gen_server/start.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/self.hpp>

#include "support/crash_log.hpp"
#include "support/event.hpp"
#include "support/nodes.hpp"
#include "support/until.hpp"

#include <asio/awaitable.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// A reason of this name.
inline otpp::exit_reason reason_called(const std::string& how) {
  if (how == "normal") {
    return otpp::exit_reason::normal();
  }
  if (how == "shutdown") {
    return otpp::exit_reason::shutdown();
  }
  if (how == "disk_full") {
    return otpp::dist::remote_reason(std::pair(otpp::atom("disk_full"), 7));
  }
  return std::runtime_error(how);
}

// What a reason says: a term as Erlang prints it, or the name of the error's code.
inline std::string text_of(const otpp::exit_reason& reason) {
  try {
    if (reason.exception()) {
      std::rethrow_exception(reason.exception());
    }
    return reason.message();
  } catch (const otpp::dist::remote_reason& own) {
    return otpp::to_string(own.term());
  } catch (const otpp::error& own) {
    return own.code() == otpp::errc::no_connection ? "no connection"
           : own.code() == otpp::errc::no_process  ? "no process"
                                                   : own.what();
  } catch (const std::exception& other) {
    return std::string("here: ") + other.what();
  }
}

struct agent {
  struct get {
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("get");
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
  struct keep { // answers when the test does
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("keep");
  };
  struct end { // ends during the call
    std::string how;
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("end");
  };
  struct bump {
    int n;
    static constexpr auto term = otpp::as::tagged("bump");
  };
  struct note { // each is one more than the last
    int n;
    static constexpr auto term = otpp::as::tagged("note");
  };

  struct hold {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("hold");
  };
  struct held {
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("held");
  };

  // What it does with another.
  struct watch {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("watch");
  };
  struct unwatch { // the monitor that it has set last
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("unwatch");
  };
  struct tie {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("tie");
  };
  struct untie {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("untie");
  };
  struct trap {
    bool on;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("trap");
  };
  struct hit { // sends an exit signal
    otpp::pid who;
    std::string how;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("hit");
  };
  using messages = otpp::message_list<
      get, self, echo, keep, end, bump, note, hold, held, watch, unwatch, tie, untie, trap, hit>;

  struct news {
    std::string text; // "down: ..." or "exit: ..."
    otpp::pid who;
  };
  struct seen {
    int count = 0;
    int notes = 0;
    bool in_order = true;
    std::vector<otpp::caller<int>> kept;
    std::vector<news> told;
    std::vector<otpp::monitor_ref> monitors;
    otpp::pid held;
    event changed;

    void change() { std::exchange(changed, event()).happen(); }
  };
  using state = std::shared_ptr<seen>;

  static state init(state s) { return s; }
  static int handle_call(get, state& s) { return s->count; }
  static otpp::pid handle_call(self, state&) { return otpp::self(); }
  static otpp::pid handle_call(const echo& m, state&) { return m.who; }
  static void handle_call(keep, otpp::caller<int> from, state& s) {
    s->kept.push_back(std::move(from));
    s->change();
  }
  static void handle_call(const hold& m, state& s) { s->held = m.who; }
  static otpp::pid handle_call(held, state& s) { return s->held; }
  static otpp::outcome<int> handle_call(const end& m, state&) { return otpp::stop(reason_called(m.how)); }
  static void handle_cast(bump m, state& s) {
    s->count += m.n;
    s->change();
  }
  static void handle_info(bump m, state& s) {
    s->count += 100 * m.n;
    s->change();
  }
  static void handle_cast(note m, state& s) { s->in_order = m.n == ++s->notes && s->in_order; }

  static void handle_call(const watch& m, state& s) { s->monitors.push_back(otpp::monitor(m.who)); }
  static bool handle_call(unwatch, state& s) { return otpp::demonitor(s->monitors.back()); }
  static void handle_call(const tie& m, state&) { otpp::link(m.who); }
  static void handle_call(const untie& m, state&) { otpp::unlink(m.who); }
  static void handle_call(trap m, state&) { otpp::trap_exit(m.on); }
  static void handle_call(const hit& m, state&) {
    m.how == "kill" ? otpp::kill(m.who) : otpp::exit(m.who, reason_called(m.how));
  }
  static void handle_info(const otpp::down& m, state& s) {
    s->told.push_back({"down: " + text_of(m.reason), m.who});
    s->change();
  }
  static void handle_info(const otpp::exit_signal& m, state& s) {
    s->told.push_back({"exit: " + text_of(m.reason), m.from});
    s->change();
  }
};

// Two nodes, an agent at each, and each as the other's node knows it.
struct two_agents {
  two_nodes nodes;
  std::shared_ptr<agent::seen> seen_a = std::make_shared<agent::seen>();
  std::shared_ptr<agent::seen> seen_b = std::make_shared<agent::seen>();
  otpp::server_ref<agent> a;
  otpp::server_ref<agent> b;
  otpp::pid far_a; // at node b
  otpp::pid far_b; // at node a

  // Any process of b, as node a knows it.
  asio::awaitable<otpp::pid> known_at_a(otpp::pid one) {
    agent::hold which{std::move(one)};
    co_await otpp::call(b, which);
    otpp::pid far = co_await otpp::call<agent::held>(nodes.a.remote("agent", "b@127.0.0.1"));
    co_return far;
  }

  // Waits until an agent has been told so many things, and says what the last was.
  static asio::awaitable<std::string> told(std::shared_ptr<agent::seen> seen, std::size_t number) {
    while (seen->told.size() < number) {
      event next = seen->changed;
      co_await next.wait();
    }
    co_return seen->told.at(number - 1).text;
  }

  // All that was sent from one to the other before has arrived, and has been handled: signals, too.
  asio::awaitable<void> settle() {
    for (int n = 0; n != 2; ++n) { // the first may have been sent by another process than the second
      co_await otpp::call<agent::get>(far_b);
      co_await otpp::call<agent::get>(far_a);
      co_await some_steps();
    }
  }
};

// Runs `body` with them. Crashes of agents are not printed.
template <class Body>
void with_two_agents(Body body) {
  crash_log crashes;
  with_two_nodes([&](two_nodes& nodes) -> asio::awaitable<void> {
    two_agents both;
    both.nodes = nodes;
    both.a = co_await otpp::start<agent>(both.seen_a);
    both.b = co_await otpp::start<agent>(both.seen_b);
    nodes.a.publish(both.a, "agent");
    nodes.b.publish(both.b, "agent");
    both.far_b = co_await otpp::call<agent::self>(nodes.a.remote("agent", "b@127.0.0.1"));
    both.far_a = co_await otpp::call<agent::self>(nodes.b.remote("agent", "a@127.0.0.1"));
    co_await body(both);
  });
}
