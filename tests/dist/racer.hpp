// SPDX-License-Identifier: BSL-1.0

// A server that does what it is told with one process of another node, and keeps what it has been told of it.

#pragma once

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// One of those that a process sends to another.
struct number {
  int n;
  static constexpr auto term = otpp::as::tagged("number");
};
// All that was to be done is done.
struct did {
  static constexpr auto term = otpp::as::tagged("did");
};

struct racer {
  struct watch {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("watch");
  };
  struct act { // link, unlink, send or boom, in this order; then it sends `did`
    otpp::pid with;
    std::vector<otpp::atom> what;
    static constexpr auto term = otpp::as::tagged("act");
  };
  struct end {
    otpp::term reason;
    static constexpr auto term = otpp::as::tagged("end");
  };
  // {down, exit or late, Reason, HowManyNumbersBefore}; late is an exit signal after an unlink. And whether the numbers came in order.
  struct told {
    using reply_type = std::pair<std::vector<std::tuple<otpp::atom, std::string, int>>, bool>;
    static constexpr auto term = otpp::as::tagged("told");
  };
  using messages = otpp::message_list<watch, act, end, told, number>;

  struct state {
    told::reply_type log{{}, true};
    int sent = 0;
    int received = 0;
    bool is_unlinked = false;
  };

  state init() {
    otpp::trap_exit();
    return {};
  }
  void handle_call(watch whom, state&) { otpp::monitor(whom.who); }
  void handle_cast(const act& wanted, state& s) {
    for (const otpp::atom& each : wanted.what) {
      do_one(each.text(), wanted.with, s);
    }
    otpp::try_send(wanted.with, did{});
  }
  otpp::outcome<> handle_cast(const end& how, state&) {
    return otpp::stop(otpp::dist::remote_reason(how.reason));
  }
  told::reply_type handle_call(told, state& s) { return s.log; }
  void handle_cast(number one, state& s) { take(one, s); }
  void handle_info(number one, state& s) { take(one, s); }
  void handle_info(const otpp::down& lost, state& s) {
    s.log.first.emplace_back(otpp::atom("down"), lost.reason.message(), s.received);
  }
  void handle_info(const otpp::exit_signal& signal, state& s) {
    s.log.first.emplace_back(
        otpp::atom(s.is_unlinked ? "late" : "exit"), signal.reason.message(), s.received);
  }

 private:
  static void do_one(const std::string& what, const otpp::pid& with, state& s) {
    if (what == "link") {
      otpp::link(with);
      s.is_unlinked = false;
    } else if (what == "unlink") {
      otpp::unlink(with);
      s.is_unlinked = true;
    } else if (what == "send") {
      otpp::try_send(with, number{++s.sent});
    } else if (what == "boom") {
      otpp::exit(with, otpp::dist::remote_reason(otpp::atom("boom")));
    } else {
      throw std::invalid_argument(what);
    }
  }
  static void take(number one, state& s) { s.log.second = one.n == ++s.received && s.log.second; }
};
