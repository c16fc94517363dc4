// SPDX-License-Identifier: BSL-1.0

#pragma once

#include <otpp/all.hpp>

#include <asio/awaitable.hpp>

#include <cstdint>
#include <string>

#define EXPORTED __attribute__((visibility("default")))

// A server that the program, the library and the plugin start, each with its own instances of the templates.
struct account {
  struct add {
    using reply_type = int;
    int n;
  };
  struct watch {
    using reply_type = int;
    otpp::pid who;
  };
  struct tie {
    using reply_type = int;
    otpp::pid to;
  };
  struct ends {
    using reply_type = int;
  };
  struct close {
    using reply_type = int;
  };
  struct fail {};
  using messages = otpp::message_list<add, watch, tie, ends, close, fail>;

  struct state {
    int sum = 0;
    int ends = 0;
  };

  state init() {
    otpp::trap_exit();
    return {};
  }
  int handle_call(add message, state& mine) { return mine.sum += message.n; }
  int handle_call(watch message, state&) {
    otpp::monitor(message.who);
    return 1;
  }
  int handle_call(tie message, state&) {
    otpp::link(message.to);
    return 1;
  }
  int handle_call(ends, state& mine) { return mine.ends; }
  otpp::outcome<int> handle_call(close, state& mine) { return otpp::stop({}, mine.sum); }
  void handle_cast(fail, state&) { throw 1; }
  void handle_info(otpp::down, state& mine) { mine.ends += 1; }
  void handle_info(otpp::exit_signal, state& mine) { mine.ends += 10; }
};

// What the library and the plugin do, in code of their own.
struct branch {
  asio::awaitable<otpp::pid> (*open)(std::string name);
  asio::awaitable<int> (*add)(otpp::pid to, int n);
  asio::awaitable<int> (*add_by_name)(std::string to, int n);
  asio::awaitable<int> (*close)(otpp::pid of);
};

namespace {

asio::awaitable<otpp::pid> open_account(std::string name) {
  otpp::server_ref<account> made = co_await otpp::start<account>(otpp::named(name));
  co_return otpp::pid(made);
}

asio::awaitable<int> add_to(otpp::pid to, int n) {
  int sum = co_await otpp::call<account::add>(to, n);
  co_return sum;
}

asio::awaitable<int> add_by_name(std::string to, int n) {
  int sum = co_await otpp::call<account::add>(to, n);
  co_return sum;
}

asio::awaitable<int> close_account(otpp::pid of) {
  int sum = co_await otpp::call<account::close>(of);
  co_return sum;
}

[[maybe_unused]] branch make_branch() { return {&open_account, &add_to, &add_by_name, &close_account}; }

} // namespace
