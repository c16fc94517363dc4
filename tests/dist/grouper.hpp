// SPDX-License-Identifier: BSL-1.0

// A server that shares the groups of a scope with another node, and says who is in them; and one for names of global.

#pragma once

#include "board.hpp"

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// A process that is a member.
struct member {
  struct heard {
    using reply_type = std::vector<std::string>;
    static constexpr auto term = otpp::as::tagged("heard");
  };
  using messages = otpp::message_list<heard, news>;

  using state = std::vector<std::string>;

  state init() { return {}; }
  state handle_call(heard, state& s) { return std::exchange(s, {}); }
  void handle_info(const news& one, state& s) { s.push_back(one.text); }
};

struct grouper {
  struct share {
    otpp::atom scope;
    otpp::atom peer;
    bool with_atoms;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("share");
  };
  struct end_sharing {
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("end_sharing");
  };
  struct start_member {
    std::vector<std::string> groups;
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("start_member");
  };
  struct leave {
    std::string group;
    otpp::pid who;
    using reply_type = bool;
    static constexpr auto term = otpp::as::tagged("leave");
  };
  struct members {
    std::string group;
    using reply_type = std::vector<otpp::pid>;
    static constexpr auto term = otpp::as::tagged("members");
  };
  struct changes { // of all groups, since it was asked last: {joined or left, Group, Pid}
    using reply_type = std::vector<std::tuple<otpp::atom, std::string, otpp::pid>>;
    static constexpr auto term = otpp::as::tagged("changes");
  };
  struct publish {
    std::string group;
    std::string text;
    using reply_type = int; // to how many
    static constexpr auto term = otpp::as::tagged("publish");
  };
  using messages = otpp::message_list<share, end_sharing, start_member, leave, members, changes, publish>;

  struct state {
    otpp::dist::node* node;
    std::unique_ptr<otpp::pg> scope;
    otpp::pid sharing;
    changes::reply_type log;
  };

  state init(otpp::dist::node* node) {
    auto scope = std::make_unique<otpp::pg>();
    scope->monitor_scope(otpp::self<grouper>());
    return {node, std::move(scope), {}, {}};
  }
  void handle_call(const share& how, state& s) {
    otpp::dist::groups_options options;
    options.scope(how.scope.text()).ask_every(std::chrono::milliseconds(50));
    options.names(how.with_atoms ? otpp::dist::group_names::atoms : otpp::dist::group_names::binaries);
    s.sharing = otpp::dist::share_groups(*s.node, *s.scope, {how.peer.text()}, options);
  }
  asio::awaitable<void> handle_call(end_sharing, state& s) { co_await s.sharing.stop(); }
  asio::awaitable<otpp::pid> handle_call(start_member wanted, state& s) {
    otpp::pid made = co_await otpp::start<member>();
    for (const std::string& each : wanted.groups) {
      s.scope->join(each, made);
    }
    co_return made;
  }
  bool handle_call(const leave& which, state& s) { return s.scope->leave(which.group, which.who); }
  members::reply_type handle_call(const members& of, state& s) { return s.scope->members(of.group); }
  changes::reply_type handle_call(changes, state& s) { return std::exchange(s.log, {}); }
  int handle_call(const publish& what, state& s) {
    return static_cast<int>(s.scope->send(what.group, news{what.text}));
  }
  void handle_info(const otpp::group_change& one, state& s) {
    bool is_join = one.what == otpp::group_change::kind::joined;
    s.log.emplace_back(otpp::atom(is_join ? "joined" : "left"), one.group, one.who);
  }
};

struct registrar {
  struct register_me {
    otpp::term name;
    otpp::atom at;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("register_me");
  };
  struct unregister {
    otpp::term name;
    otpp::atom at;
    using reply_type = void;
    static constexpr auto term = otpp::as::tagged("unregister");
  };
  struct find {
    otpp::term name;
    otpp::atom at;
    using reply_type = otpp::pid;
    static constexpr auto term = otpp::as::tagged("find");
  };
  using messages = otpp::message_list<register_me, unregister, find>;

  using state = otpp::dist::node*;

  state init(otpp::dist::node* node) { return node; }
  asio::awaitable<std::string> handle_call(register_me what, state& node) {
    std::string answer = "registered";
    try {
      co_await otpp::dist::register_global(*node, what.name, otpp::self(), what.at.text());
    } catch (const otpp::error& error) {
      answer = error.code() == otpp::errc::name_taken ? "name_taken" : error.what();
    }
    co_return answer;
  }
  asio::awaitable<void> handle_call(unregister what, state& node) {
    co_await otpp::dist::unregister_global(*node, what.name, what.at.text());
  }
  asio::awaitable<otpp::pid> handle_call(find what, state& node) {
    otpp::pid found = co_await otpp::dist::whereis_global(*node, what.name, what.at.text());
    co_return found;
  }
};
