// SPDX-License-Identifier: BSL-1.0

// Servers that get, and send, many messages, and long ones.

#pragma once

#include "asker.hpp"

#include <otpp/dist.hpp>
#include <otpp/otpp.hpp>

#include <asio/awaitable.hpp>

#include <cstddef>
#include <exception>
#include <string>
#include <utility>

// One of many, whose length and bytes its number tells: erlang.escript has the same.
struct item {
  int n;
  std::string bytes;
  static constexpr auto term = otpp::as::tagged("item");

  static std::string bytes_of(int n) {
    auto number = static_cast<std::size_t>(n);
    std::size_t size = number % 5000 == 0  ? std::size_t(1) << 20
                       : number % 100 == 0 ? 1 + number * 7919 % 70'000
                                           : 1 + number % 200;
    return std::string(size, static_cast<char>(number & 0xFF));
  }
};

struct sink {
  struct
      received { // how many items, and whether each was one more than the last, and had the bytes that it should
    using reply_type = std::pair<int, bool>;
    static constexpr auto term = otpp::as::tagged("received");
  };
  struct make { // so many bytes
    std::size_t size;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("make");
  };
  using messages = otpp::message_list<item, received, make>;

  struct state {
    int count = 0;
    bool is_right = true;
  };

  state init() { return {}; }
  void handle_cast(const item& one, state& s) {
    s.is_right = one.n == ++s.count && one.bytes == item::bytes_of(one.n) && s.is_right;
  }
  std::pair<int, bool> handle_call(received, state& s) { return {s.count, s.is_right}; }
  std::string handle_call(make what, state&) { return std::string(what.size, 'x'); }
};

struct source {
  // What it asks of others.
  struct mirror {
    std::string bytes;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("mirror");
  };

  // What it is asked.
  struct stream { // sends so many items; after each thousand it waits until they are there
    otpp::atom name;
    otpp::atom node;
    int count;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("stream");
  };
  struct send_long { // asks for so many bytes back
    otpp::atom name;
    otpp::atom node;
    std::size_t size;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("send_long");
  };
  struct pour { // sends so many messages of so many bytes, as fast as it may
    otpp::atom name;
    otpp::atom node;
    int count;
    std::size_t size;
    using reply_type = std::string;
    static constexpr auto term = otpp::as::tagged("pour");
  };
  using messages = otpp::message_list<stream, send_long, pour>;

  using state = otpp::dist::node*;

  state init(otpp::dist::node* node) { return node; }

  asio::awaitable<std::string> handle_call(stream what, state& node) {
    auto whom = node->remote(what.name.text(), what.node.text());
    for (int n = 1; n <= what.count; ++n) {
      co_await otpp::cast<item>(whom, n, item::bytes_of(n));
      if (n % 1000 == 0) {
        int there = co_await otpp::call_for<asker::lookup>(whom, std::chrono::seconds(60), "received");
        if (there != n) {
          co_return "only " + std::to_string(there) + " of " + std::to_string(n) + " have come";
        }
      }
    }
    co_return "sent";
  }
  asio::awaitable<std::string> handle_call(send_long what, state& node) {
    auto whom = node->remote(what.name.text(), what.node.text());
    const std::string sent(what.size, 'y');
    std::string answer;
    try {
      std::string back = co_await otpp::call_for<mirror>(whom, std::chrono::seconds(60), sent);
      answer = back == sent ? "equal" : "not equal";
    } catch (const std::exception& error) {
      answer = error.what();
    }
    co_return answer;
  }
  asio::awaitable<std::string> handle_call(pour what, state& node) {
    auto whom = node->remote(what.name.text(), what.node.text());
    for (int n = 0; n != what.count; ++n) {
      co_await otpp::cast<mirror>(whom, std::string(what.size, 'z'));
    }
    co_return "poured";
  }
};
