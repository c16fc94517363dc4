// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/address/pid.hpp>
#include <otpp/gen_server/start_link.hpp>
#include <otpp/process/exit.hpp>
#include <otpp/process/link.hpp>
#include <otpp/process/monitor.hpp>
#include <otpp/process/self.hpp>

#include "support/event.hpp"
#include "support/scribe.hpp"

#include <asio/awaitable.hpp>

#include <exception>
#include <string>
#include <utility>

// A server that has ties, and writes down what comes of them.
struct relative {
  enum class exits : bool { end_it, are_trapped };

  struct watch {
    otpp::pid who;
    using reply_type = otpp::monitor_ref;
  };
  struct unwatch {
    otpp::monitor_ref ref;
    using reply_type = bool;
  };
  struct join {
    otpp::pid who;
    using reply_type = void;
  };
  struct part {
    otpp::pid who;
    using reply_type = void;
  };
  struct bear { // starts a server, linked
    relative::exits how;
    using reply_type = otpp::server_ref<relative>;
  };
  struct bear_failing {
    using reply_type = std::string;
  };
  struct send_exit {
    otpp::pid who;
    otpp::exit_reason why;
    using reply_type = void;
  };
  struct wait {
    event until;
  };
  struct note {
    std::string word;
  };
  struct leave {
    otpp::exit_reason why;
  };

  struct state {
    journal said;
  };

  state init(journal said, exits how) {
    if (how == exits::are_trapped) {
      otpp::trap_exit();
    }
    return state{std::move(said)};
  }
  state init(boom why) { throw why; }
  using state_type = state;

  otpp::monitor_ref handle_call(watch m, state&) { return otpp::monitor(m.who); }
  bool handle_call(unwatch m, state&) { return otpp::demonitor(m.ref); }
  void handle_call(join m, state&) { otpp::link(m.who); }
  void handle_call(part m, state&) { otpp::unlink(m.who); }
  void handle_call(send_exit m, state&) { otpp::exit(m.who, m.why); }
  asio::awaitable<otpp::server_ref<relative>> handle_call(bear m, state& s) {
    auto child = co_await otpp::start_link<relative>(s.said, m.how);
    co_return child;
  }
  asio::awaitable<std::string> handle_call(bear_failing, state&) {
    std::string said;
    try {
      co_await otpp::start_link<relative>(boom());
    } catch (const std::exception& e) {
      said = e.what();
    }
    co_return said;
  }

  asio::awaitable<void> handle_cast(wait m, state& s) {
    s.said.add("wait");
    try {
      co_await m.until.wait();
    } catch (...) {
      s.said.add("cancelled");
      throw;
    }
    s.said.add("waited");
  }
  void handle_cast(note m, state& s) { s.said.add(m.word); }
  otpp::outcome<> handle_cast(leave m, state&) { return otpp::stop(m.why); }

  void handle_info(otpp::down m, state& s) { s.said.add("down:" + m.reason.message()); }
  void handle_info(otpp::exit_signal m, state& s) { s.said.add("exit:" + m.reason.message()); }

  void terminate(const otpp::exit_reason& reason, state& s) { s.said.add("terminate:" + reason.message()); }
};

inline constexpr auto end_it = relative::exits::end_it;
inline constexpr auto are_trapped = relative::exits::are_trapped;
