// SPDX-License-Identifier: BSL-1.0

// A server that has dealings with processes of another node: it monitors, links, sends to and ends them.

#pragma once

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <asio/awaitable.hpp>

#include <string>
#include <utility>
#include <vector>

struct news {
  std::string text;
  static constexpr auto term = otpp::as::tagged("news");
};

struct board {
  struct subscribe {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("subscribe");
  };
  struct watch { // {Name, Node}
    otpp::atom name;
    otpp::atom node;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("watch");
  };
  struct publish {
    std::string text;
    using reply_type = int; // to how many
    static constexpr auto term = otpp::as::tagged("publish");
  };
  struct link {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("link");
  };
  struct unlink {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("unlink");
  };
  struct exit {
    otpp::pid who;
    otpp::term reason;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("exit");
  };
  struct kill {
    otpp::pid who;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("kill");
  };
  struct stop {
    otpp::pid who;
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("stop");
  };
  struct trap {
    bool on;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("trap");
  };
  struct is_same { // as the first reader
    otpp::pid who;
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("is_same");
  };
  struct node_of {
    otpp::pid who;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("node_of");
  };
  struct myself {
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("myself");
  };
  struct seen { // since it was asked last: {down or exit, Pid, Reason}
    using reply_type = std::vector<std::tuple<otpp::atom, otpp::pid, std::string>>;
    static constexpr auto term = otpp::as::tagged("seen");
  };
  struct fail {
    std::string why;
    static constexpr auto term = otpp::as::tagged("fail");
  };
  using messages = otpp::message_list<
      subscribe, watch, publish, link, unlink, exit, kill, stop, trap, is_same, node_of, myself, seen, fail>;

  struct state {
    otpp::dist::node* node;
    std::vector<otpp::pid> readers;
    seen::reply_type log;
  };

  state init(otpp::dist::node* node) {
    otpp::trap_exit();
    return {node, {}, {}};
  }
  void handle_call(subscribe one, state& s) {
    otpp::monitor(one.who);
    s.readers.push_back(one.who);
  }
  void handle_call(watch one, state& s) { otpp::monitor(s.node->remote(one.name.text(), one.node.text())); }
  int handle_call(const publish& what, state& s) {
    int sent = 0;
    for (const otpp::pid& each : s.readers) {
      sent += otpp::try_send(each, news{what.text}) ? 1 : 0;
    }
    return sent;
  }
  void handle_call(link one, state&) { otpp::link(one.who); }
  void handle_call(unlink one, state&) { otpp::unlink(one.who); }
  void handle_call(exit one, state&) { otpp::exit(one.who, otpp::dist::remote_reason(one.reason)); }
  void handle_call(kill one, state&) { otpp::kill(one.who); }
  asio::awaitable<bool> handle_call(stop one, state&) {
    co_await one.who.stop();
    co_return true;
  }
  void handle_call(trap how, state&) { otpp::trap_exit(how.on); }
  bool handle_call(is_same one, state& s) { return !s.readers.empty() && s.readers.front() == one.who; }
  std::string handle_call(node_of one, state& s) { return s.node->node_of(one.who); }
  otpp::pid handle_call(myself, state&) { return otpp::self(); }
  seen::reply_type handle_call(seen, state& s) { return std::exchange(s.log, {}); }
  void handle_cast(const fail& how, state&) {
    throw otpp::dist::remote_reason(std::pair(otpp::atom("failed"), how.why));
  }

  void handle_info(const otpp::down& lost, state& s) {
    std::erase(s.readers, lost.who);
    s.log.emplace_back(otpp::atom("down"), lost.who, word_of(lost.reason));
  }
  void handle_info(const otpp::exit_signal& told, state& s) {
    s.log.emplace_back(otpp::atom("exit"), told.from, word_of(told.reason));
  }

 private:
  static std::string word_of(const otpp::exit_reason& reason) {
    try {
      if (reason.exception() && !reason.is_shutdown()) {
        std::rethrow_exception(reason.exception());
      }
    } catch (const otpp::error& error) {
      return error.code() == otpp::errc::no_process      ? "no_process"
             : error.code() == otpp::errc::no_connection ? "no_connection"
                                                         : error.what();
    } catch (const std::exception& error) {
      return error.what();
    }
    return reason.message();
  }
};
