// SPDX-License-Identifier: BSL-1.0

// Nodes of otpp in one program, without an epmd: they know from a table where each of them listens.
#pragma once

#include <otpp/dist/node.hpp>
#include <otpp/dist/node_options.hpp>
#include <otpp/dist/reports.hpp>

#include "support/catch.hpp"
#include "support/error_of.hpp"

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

// Where nodes listen. Copies are the same table. Without a lock: nodes are added before any of them connects.
class node_table {
 public:
  using endpoint = asio::ip::tcp::endpoint;

  void add(const otpp::dist::node& one) const { add(one.name(), one.local_endpoint()); }
  void add(const std::string& name, const endpoint& where) const { all_->insert_or_assign(name, where); }

  // What a node of this table is opened with; the test may change it.
  otpp::dist::node_options options(std::string name) const {
    otpp::dist::node_options how(std::move(name));
    how.cookie("secret").no_epmd().resolver([all = all_](std::string node) { return find(all, node); });
    return how;
  }

  asio::awaitable<otpp::dist::node> open(std::string name) const {
    return open(*this, options(std::move(name)));
  }
  asio::awaitable<otpp::dist::node> open(otpp::dist::node_options how) const {
    return open(*this, std::move(how));
  }

 private:
  using places = std::map<std::string, endpoint>;

  static asio::awaitable<otpp::dist::node> open(node_table self, otpp::dist::node_options how) {
    otpp::dist::node made = co_await otpp::dist::open(std::move(how));
    self.add(made);
    co_return made;
  }

  static asio::awaitable<endpoint> find(std::shared_ptr<places> all, std::string node) {
    auto found = all->find(node);
    if (found == all->end()) {
      throw std::runtime_error("the table has no " + node);
    }
    co_return found->second;
  }

  std::shared_ptr<places> all_ = std::make_shared<places>();
};

// Keeps what is reported of connections off stderr, and for the test to see, while it lives. Any thread may report, and look.
class connection_log {
 public:
  connection_log() = default;
  connection_log(const connection_log&) = delete;
  connection_log& operator=(const connection_log&) = delete;

  std::vector<std::string> texts() const {
    std::lock_guard lock(mutex_);
    return texts_;
  }
  bool has(const std::string& words) const {
    for (const std::string& each : texts()) {
      if (each.find(words) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
  otpp::subscription reports_ =
      otpp::subscribe<otpp::dist::connection_report>([this](const otpp::dist::connection_report& one) {
        std::lock_guard lock(mutex_);
        texts_.push_back(one.text());
      });
};

// Two nodes, `a@127.0.0.1` and `b@127.0.0.1`, which are not connected yet.
struct two_nodes {
  node_table table;
  otpp::dist::node a;
  otpp::dist::node b;
};

inline asio::awaitable<two_nodes> open_two_nodes() {
  two_nodes both;
  both.a = co_await both.table.open("a@127.0.0.1");
  both.b = co_await both.table.open("b@127.0.0.1");
  co_return both;
}

inline asio::awaitable<void> close_two_nodes(two_nodes& both) {
  co_await failure_of(both.a.close()); // unless the test has closed it
  co_await failure_of(both.b.close());
}

// As run(), for what takes more time: sockets, and a sanitizer that makes all of it ten times as slow.
template <class Body>
void run_long(Body body) {
  asio::io_context context;
  std::exception_ptr failure;
  asio::co_spawn(context, body(), [&](std::exception_ptr error) { failure = error; });
  context.run_for(std::chrono::seconds(120));
  if (failure) {
    std::rethrow_exception(failure);
  }
  REQUIRE(context.stopped()); // ran out of work, not out of time
}

// Runs `body` with two nodes, and closes them.
template <class Body>
void with_two_nodes(Body body) {
  connection_log log;
  run_long([&]() -> asio::awaitable<void> {
    two_nodes both = co_await open_two_nodes();
    co_await body(both);
    co_await close_two_nodes(both);
  });
}

// Waits until it is so, for what takes the time of a library's timer. Looks often; ten seconds are too long.
template <class Predicate>
asio::awaitable<void> until_later(Predicate holds) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer pause(executor);
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) {
      throw std::logic_error("until_later: it never came true");
    }
    pause.expires_after(std::chrono::milliseconds(1));
    co_await pause.async_wait(asio::use_awaitable);
  }
}
