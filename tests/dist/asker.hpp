// SPDX-License-Identifier: BSL-1.0

// A server that calls those of another node, and says what has come of it.

#pragma once

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <asio/awaitable.hpp>

#include <chrono>
#include <exception>
#include <string>

struct asker {
  // What it asks of others: their gen_servers.
  struct lookup {
    std::string key;
    using reply_type = int;
    static constexpr auto term = otpp::as::tagged("lookup");
  };
  struct note {
    int n;
    static constexpr auto term = otpp::as::tagged("note");
  };

  // What it is asked.
  struct ask {
    otpp::atom name;
    otpp::atom node;
    std::string key;
    int milliseconds;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("ask");
  };
  struct ask_pid {
    otpp::pid whom;
    std::string key;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("ask_pid");
  };
  struct tell { // note, so many times, and then it calls
    otpp::atom name;
    otpp::atom node;
    int times;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("tell");
  };
  struct stop_it {
    otpp::atom name;
    otpp::atom node;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("stop_it");
  };
  using messages = otpp::message_list<ask, ask_pid, tell, stop_it>;

  using state = otpp::dist::node*;

  state init(otpp::dist::node* node) { return node; }

  asio::awaitable<std::string> handle_call(ask what, state& node) {
    auto whom = node->remote<otpp::message_list<lookup>>(what.name.text(), what.node.text());
    auto asked = otpp::call_for<lookup>(whom, std::chrono::milliseconds(what.milliseconds), what.key);
    std::string answer = co_await said(std::move(asked));
    co_return answer;
  }
  asio::awaitable<std::string> handle_call(ask_pid what, state&) {
    auto asked = otpp::call<lookup>(what.whom, what.key);
    std::string answer = co_await said(std::move(asked));
    co_return answer;
  }
  asio::awaitable<std::string> handle_call(tell what, state& node) {
    auto whom = node->remote(what.name.text(), what.node.text());
    for (int n = 1; n <= what.times; ++n) {
      co_await otpp::cast<note>(whom, n);
    }
    auto asked = otpp::call<lookup>(whom, "noted");
    std::string answer = co_await said(std::move(asked));
    co_return answer;
  }
  asio::awaitable<std::string> handle_call(stop_it what, state& node) {
    auto whom = node->remote(what.name.text(), what.node.text());
    std::string answer = "stopped";
    try {
      co_await whom.stop();
    } catch (const otpp::error& error) {
      answer = word_of(error);
    }
    co_return answer;
  }

 private:
  static asio::awaitable<std::string> said(asio::awaitable<int> asked) {
    std::string answer;
    try {
      int value = co_await std::move(asked);
      answer = "value " + std::to_string(value);
    } catch (const otpp::dist::remote_error& error) {
      answer = std::string("remote_error ") + error.what();
    } catch (const otpp::error& error) {
      answer = word_of(error);
    } catch (const std::exception& error) {
      answer = error.what();
    }
    co_return answer;
  }

  static std::string word_of(const otpp::error& error) {
    switch (static_cast<otpp::errc>(error.code().value())) {
      case otpp::errc::no_process: return "no_process";
      case otpp::errc::no_connection: return "no_connection";
      case otpp::errc::timeout: return "timeout";
      case otpp::errc::bad_reply: return std::string("bad_reply ") + error.what();
      case otpp::errc::exited: return "exited " + error.reason().message();
      default: return error.what();
    }
  }
};
